"""Measure on a GPU what annotating and training cost, in one run of about 8 minutes and as one table in Markdown.

    python benchmarks/gpu.py --minutes 8
    OMP_NUM_THREADS=1 python benchmarks/gpu.py --tiny   # the same code on tiny models; nothing is compiled

Annotation: InternVL3-8B and Qwen2.5-VL-7B in their true size and in bfloat16, with random weights, since speed does not
depend on them; 50 questions of 16 to 28 tokens about images of one and of seven tiles, in the batches that the configs
set. `naive` is one forward pass per question, timed on every tenth question by length; `copied` and `shared` are the
modes of makd/annotation/annotators/prefix_scorer.py. The limit is what the fastest product of large matrices, measured
at the start, leaves for the operations of all matrix products: for `naive` those of 50 whole prompts, otherwise those
of one prefix and 50 questions without padding.

Training: steps of MaKD's ResNet-18 and ResNet-50, from uint8 images of 224 x 224 pixels in the computer's memory, with
`compile=True` as mmengine does it, bfloat16 by its AmpOptimWrapper, and channels_last. In float32, torch lets
convolutions use TF32.

The methods for one input take turns; rates are medians over the rounds, with the lowest and the highest, and ratios
medians of the ratios within a round. Memory is the peak of what a call allocates in addition to what it finds. What
fails or runs out of memory says so in its row, and so does what the time does not allow.
"""

import argparse
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from cells import Budget, Cell, measure, release_memory
from measure import peak_flops
from mllm_shapes import SHAPES, Shape
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from prefix_workload import QUESTIONS, TIMED, PrefixWorkload

IMAGES, CHUNK_SIZE = 4, 32  # images in a batch, and questions times images in a chunk, as in the configs
TILES = (1, 7)
DEPTHS = (18, 50)
BATCH, STEPS = 128, 5
VARIANTS = (
    (),
    ('channels_last',),
    ('bfloat16',),
    ('bfloat16', 'channels_last'),
    ('compile',),
    ('compile', 'bfloat16', 'channels_last'),
)
WORTH_KEEPING = 1.15
ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ('torch', 'torchvision', 'transformers', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmpretrain', 'numpy')
SEED = 0


def annotation_cells(shape: Shape, model: Callable[[], Any], tiles: int, peak: float) -> list[Cell]:
    """Return the cells of the three methods of annotating; the first that needs the model makes it.

    Args:
        shape: The model's shape.
        model: Returns the model, always the same.
        tiles: Tiles of each image.
        peak: Floating-point operations per second.
    """

    @cache
    def workload() -> PrefixWorkload:
        return PrefixWorkload(model(), [shape.inputs(model().config, tiles) for _ in range(IMAGES)])

    def after_prefix(mode: str) -> Callable[[], object]:
        scorer, images = workload().scorer(mode, CHUNK_SIZE), workload().together()
        return lambda: scorer.score(images)

    @cache
    def after_prefix_limit() -> float:
        return peak / workload().least_flops()

    name = shape.name, '1 tile' if tiles == 1 else f'{tiles} tiles'
    naive = Cell(
        (*name, 'naive'), lambda: workload().plain_timed, TIMED / QUESTIONS, lambda: peak / workload().plain_flops()
    )
    modes = ('copied', 'shared')
    return [
        naive,
        *(Cell((*name, mode), partial(after_prefix, mode), IMAGES, after_prefix_limit) for mode in modes),
    ]


def training_cells(depth: int, size: int, batch: int, variants: Sequence[Sequence[str]]) -> list[Cell]:
    """Return the cells of a MaKD ResNet's training steps.

    Args:
        depth: Layers of the ResNet.
        size: Height and width of the images.
        batch: Images in a batch.
        variants: The options of each cell.
    """

    def prepare(options: Sequence[str]) -> Callable[[], object]:
        from classification import make_model, training_steps  # imports mmpretrain, which annotation does without

        cfg = Config.fromfile(ROOT / 'configs/makd/resnet18_imagenet.py')
        cfg.model.backbone.depth = depth
        cfg.model.head.in_channels = 512 if depth < 50 else 2048
        if 'bfloat16' in options:
            cfg.optim_wrapper.update(type='AmpOptimWrapper', dtype='bfloat16')
        init_default_scope(cfg.default_scope)
        torch.manual_seed(SEED)
        model = make_model(cfg)
        if 'channels_last' in options:
            model = model.to(memory_format=torch.channels_last)
        if 'compile' in options:
            model.train_step = torch.compile(model.train_step)  # as Runner does for compile=True
        return training_steps(model, cfg, [make_batch(batch, size, cfg.model.head)], STEPS)

    name = f'ResNet-{depth}', f'{batch} x {size} px'
    return [Cell((*name, ', '.join(o) or 'eager'), partial(prepare, o), batch * STEPS) for o in variants]


def make_batch(count: int, size: int, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return images of noise with random labels and answers, as a data loader does."""
    from mmpretrain.structures import DataSample

    samples = []
    for _ in range(count):
        sample = DataSample().set_gt_label(int(torch.randint(head['num_classes'], ())))
        sample.set_field(torch.rand(head['num_aspects']), 'gt_aspects')
        samples.append(sample)
    return {'inputs': torch.randint(256, (count, 3, size, size), dtype=torch.uint8), 'data_samples': samples}


def annotate(
    shape: Shape, peak: float, budget: Budget, args: argparse.Namespace, checks: list[str]
) -> list[list[Cell]]:
    """Measure annotating with a model, and return the cells for each number of tiles.

    ``checks`` gets a line for each: what the self-check that begins every annotation says.
    """
    model = cache(lambda: shape.model(args.tiny))
    groups = [annotation_cells(shape, model, tiles, peak) for tiles in TILES]
    for group in groups:
        measure(group, args.rounds, budget)
    for tiles in TILES:
        try:
            report = PrefixWorkload(model(), [shape.inputs(model().config, tiles) for _ in range(2)]).check()
        except Exception as error:  # among them: out of memory
            report = f'failed, {type(error).__name__}: {error}'.split('\n', 1)[0][:200]
        checks.append(f'{shape.name}, {tiles} tiles: {report}'.replace('1 tiles', '1 tile'))
        release_memory()
    return groups


def verdict(groups: Sequence[Sequence[Cell]], on_gpu: bool) -> str:
    """Return what the ratios of shared to copied say about keeping the shared prefix.

    Args:
        groups: The cells naive, copied and shared of each model and input.
        on_gpu: Whether they were measured on a GPU: only then do they decide.
    """
    ratios = {}
    for _, copied, shared in groups:
        if (ratio := shared.ratio_to(copied)) is not None:
            ratios[' '.join(shared.name[:-1])] = ratio
    listed = ', '.join(f'{ratio:.2f} ({name})' for name, ratio in ratios.items()) or 'not measured'
    if not on_gpu or len(ratios) < len(groups):
        decision = 'nothing is decided, which takes all of them and a GPU'
    else:
        decision = 'remove it' if max(ratios.values()) < WORTH_KEEPING else 'keep it'
    rule = f'Below {WORTH_KEEPING} for every input on a GPU, remove shared_prefix_attention.py'
    return f'shared / copied: {listed}. {rule}: {decision}.'


def package(name: str) -> str:
    """Return a package's name and version."""
    try:
        return f'{name} {version(name)}'
    except PackageNotFoundError:
        return f'{name} absent'


def main() -> None:
    """Print the table and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=8, help='what no longer fits is skipped')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--tiny', action='store_true', help='tiny models and images')
    args = parser.parse_args()
    budget = Budget(args.minutes)
    MMLogger.get_instance('benchmark', log_level='ERROR')  # which initialised what is no line of a table
    torch.manual_seed(SEED)
    on_gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_gpu else platform.processor() or platform.machine()
    peak = peak_flops(torch.bfloat16, 256 if args.tiny else 8192)
    print(f'{device}, CUDA {torch.version.cuda}, Python {platform.python_version()}, seed {SEED}')
    print(', '.join(map(package, PACKAGES)))
    print(f'fastest product of matrices in bfloat16: {peak / 1e12:.4g} TFLOP/s\n')
    print('| model | input | method | images/s (lowest to highest) | of the limit | memory | ratio |')
    print('| --- | --- | --- | --- | --- | --- | --- |', flush=True)
    groups: list[list[Cell]] = []
    checks: list[str] = []
    for shape in SHAPES:
        groups += annotate(shape, peak, budget, args, checks)
        release_memory()
    cells = [cell for group in groups for cell in group]
    size, batch, depths = (32, 2, DEPTHS[:1]) if args.tiny else (224, BATCH, DEPTHS)
    # mmengine's AmpOptimWrapper wants an accelerator, and tiny models take longer to compile than to measure.
    excluded = set() if on_gpu else {'bfloat16'}
    excluded |= {'compile'} if args.tiny else set()
    for depth in depths:
        training = training_cells(depth, size, batch, [options for options in VARIANTS if not excluded & {*options}])
        cells += training
        measure(training, args.rounds, budget)
    print('\nDo log-probabilities after a shared prefix equal those of `generate`?')
    print('\n'.join(f'- {line}' for line in checks))
    print(f'\n{verdict(groups, on_gpu)}')
    for cell in cells:
        if cell.details:
            print(f'\n{", ".join(cell.name)}:\n{cell.details}', file=sys.stderr)


if __name__ == '__main__':
    main()
