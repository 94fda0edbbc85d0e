"""The paper's tables and figures as configs to be trained, and this toolbox's own.

A table consists of blocks of arms. The arms of a block are compared with each other, on one dataset with one student;
the first arm is the baseline of the others' differences.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.config import Config

from experiments.question_options import question_options
from makd.errors import ConfigError, DataError
from makd.questions import QuestionSet

STUDENTS = {
    'resnet18': 'ResNet-18',
    'resnet34': 'ResNet-34',
    'mobilenet_v1': 'MobileNet-V1',
    'efficientnet_b0': 'EfficientNet-B0',
}
FURTHER_STUDENTS = {
    'resnet101': 'ResNet-101',
    'mobilenet_v3': 'MobileNet-V3',
    'vit_small': 'ViT-S',
    'swin_tiny': 'Swin-T',
    'convnext_tiny': 'ConvNeXt-T',
}
DATASET_TITLES = {
    'stanford_cars': 'StanfordCars',
    'oxford_pets': 'OxfordPets',
    'dtd': 'DTD',
    'flowers102': '102Flowers',
    'cub200': 'CUB-200',
    'fgvc_aircraft': 'FGVC-Aircraft',
    'caltech101': 'Caltech-101',
    'mini_imagenet': 'Mini-ImageNet',
    'imagenet': 'ImageNet-1k',
    'coco': 'COCO',
    'emoji': 'Emoji',
    'emoji_scenes': 'EmojiScenes',
}
SHIPPED = ('emoji', 'emoji_scenes')  # the paper has no figures for these

QUESTION_COUNTS = (10, 20, 30, 50)  # Figure 2
ALPHAS = (1.0, 4.0, 16.0, 50.0)  # Figure 3 shows 0 (the baseline) to 50; the paper's text gives no other values
PERCENTAGES = (40, 60, 80)  # Table 5, of the training images
EVIDENCE = 'work_dirs/questions/emoji_by_evidence.json'  # written by tools/select_questions.py


@dataclass(frozen=True)
class Arm:
    """A line of a table.

    Attributes:
        method: The method's name.
        config: Config file.
        overrides: Further KEY=VALUE of ``--cfg-options``.
        x: Position on the axis of a figure; None in a table.
        overrides_of_seed: Returns further overrides that depend on the seed.
    """

    method: str
    config: str
    overrides: tuple[str, ...] = ()
    x: float | None = None
    overrides_of_seed: Callable[[int], tuple[str, ...]] = lambda seed: ()


@dataclass(frozen=True)
class Block:
    """Arms to compare with each other.

    Attributes:
        dataset: Key of ``DATASET_TITLES``.
        setting: The student, and what else the arms have in common.
        arms: The baseline, then the others.
    """

    dataset: str
    setting: str
    arms: tuple[Arm, ...]


@dataclass(frozen=True)
class Table:
    """A table, or a figure, of the paper or this toolbox.

    Attributes:
        title: What it shows.
        make: Yields the blocks of all datasets, the paper's first.
        axis: Label of the x axis; None for a table.
    """

    title: str
    make: Callable[[], Iterator[Block]]
    axis: str | None = None

    def blocks(self, datasets: tuple[str, ...] | None) -> list[Block]:
        """Return the blocks of these datasets; if None, of all datasets in the paper.

        Raises:
            ConfigError: A dataset is not part of the table.
        """
        blocks = list(self.make())
        known = dict.fromkeys(block.dataset for block in blocks)
        if datasets is None:
            datasets = tuple(name for name in known if name not in SHIPPED) or tuple(known)
        for name in datasets:
            if name not in known:
                raise ConfigError(f'--datasets {name}: this table has {", ".join(known)}.')
        return [block for block in blocks if block.dataset in datasets]


def _arm(method: str, name: str, overrides: tuple[str, ...] = (), x: float | None = None) -> Arm:
    return Arm(method, f'configs/{name}.py', overrides, x)


def _base_and_makd(student: str, dataset: str, *overrides: str) -> tuple[Arm, Arm]:
    name = f'{student}_{dataset}'
    return _arm('base', f'baseline/{name}', overrides), _arm('MaKD', f'makd/{name}', overrides)


def _table1() -> Iterator[Block]:
    for dataset in (*list(DATASET_TITLES)[:8], 'emoji'):
        for student, name in STUDENTS.items():
            yield Block(dataset, name, _base_and_makd(student, dataset))


def _table2() -> Iterator[Block]:
    for dataset, student in (*(('stanford_cars', student) for student in STUDENTS), ('emoji', 'resnet18')):
        ablations = (
            _arm(method, f'ablation/{student}_{dataset}_{kind}')
            for method, kind in (('KL', 'kl'), ('Rand', 'random'), ('shuffled', 'shuffled'))
        )
        yield Block(dataset, STUDENTS[student], (*_base_and_makd(student, dataset), *ablations))


def _table3() -> Iterator[Block]:
    for student, name in STUDENTS.items():
        yield Block(
            'stanford_cars',
            name,
            (
                *_base_and_makd(student, 'stanford_cars'),
                _arm('MaKD, questions of GPT-3.5', f'ablation/{student}_stanford_cars_gpt35'),
                _arm('MaKD, answers of LLaVA-NeXT 34B', f'ablation/{student}_stanford_cars_llava_next_34b'),
            ),
        )
    other = _arm('MaKD, answers of the bundled MLLM', 'makd/resnet18_emoji_mllm')
    yield Block('emoji', STUDENTS['resnet18'], (*_base_and_makd('resnet18', 'emoji'), other))


def _table4() -> Iterator[Block]:
    cars_and_caltech = [
        (dataset, teacher, student)
        for dataset in ('stanford_cars', 'caltech101')
        for teacher, student in (('resnet34', 'resnet18'), ('efficientnet_b0', 'mobilenet_v1'))
    ]
    for dataset, teacher, student in (*cars_and_caltech, ('emoji', 'resnet34', 'resnet18')):
        distilled = (
            _arm(method, f'{folder}/{teacher}_{student}_{dataset}')
            for method, folder in (('KD', 'kd'), ('DKD', 'dkd'), ('MaKD + KD', 'makd_kd'), ('MaKD + DKD', 'makd_dkd'))
        )
        setting = f'{STUDENTS[teacher]} teaches {STUDENTS[student]}'
        yield Block(dataset, setting, (*_base_and_makd(student, dataset), *distilled))


def _table5() -> Iterator[Block]:
    for dataset, name in (
        *((key, key) for key in ('stanford_cars', 'oxford_pets', 'caltech101')),
        ('emoji', 'emoji_3styles'),
    ):
        for percent in PERCENTAGES:
            part = f'train_dataloader.fraction={percent / 100}'
            arms = [*_base_and_makd('resnet18', name, part)]
            if dataset != 'emoji':
                arms.append(Arm('MaKD, all of the answers', f'configs/makd/resnet18_{name}_unlabelled.py', (part,)))
            yield Block(dataset, f'ResNet-18, {percent} %', tuple(arms))
        yield Block(dataset, 'ResNet-18, 100 %', _base_and_makd('resnet18', name))


def _table6() -> Iterator[Block]:
    for backbone, name in (('mobilenet_v2', 'MobileNet-V2'), ('r18', 'ResNet-18'), ('r50', 'ResNet-50')):
        regions = _arm('MaKD on regions', f'makd/faster_rcnn_{backbone}_fpn_coco_regions')
        yield Block('coco', f'Faster R-CNN, {name}', (*_base_and_makd(f'faster_rcnn_{backbone}_fpn', 'coco'), regions))
    scenes = 'faster_rcnn_r18_fpn_emoji_scenes'
    yield Block(
        'emoji_scenes',
        'Faster R-CNN, ResNet-18',
        (
            *_base_and_makd('faster_rcnn_r18_fpn', 'emoji_scenes'),
            _arm('shuffled', f'ablation/{scenes}_shuffled'),
            _arm('MaKD on regions, people', f'makd/{scenes}_regions'),
            _arm('shuffled within classes', f'ablation/{scenes}_regions_shuffled_within'),
            _arm('shuffled between classes', f'ablation/{scenes}_regions_shuffled'),
            _arm('MaKD on regions, MLLM', f'makd/{scenes}_regions_mllm'),
            _arm('MLLM, shuffled within classes', f'ablation/{scenes}_regions_mllm_shuffled_within'),
            _arm('MLLM, shuffled between classes', f'ablation/{scenes}_regions_mllm_shuffled'),
            _arm('DKD', f'dkd/{scenes}'),
            _arm('MaKD + DKD', f'makd_dkd/{scenes}'),
            _arm('MaKD on regions, people + DKD', f'makd_dkd/{scenes}_regions'),
            _arm('MaKD on regions, MLLM + DKD', f'makd_dkd/{scenes}_regions_mllm'),
        ),
    )


def _table7() -> Iterator[Block]:
    for student in ('resnet18', 'resnet34'):
        base, makd = _base_and_makd(student, 'caltech101')
        teacher = _arm("KD from the MLLM's classes", f'kd/internvl3_8b_{student}_caltech101')
        yield Block('caltech101', STUDENTS[student], (base, teacher, makd))


def _further_students() -> Iterator[Block]:
    for student, name in FURTHER_STUDENTS.items():
        yield Block('stanford_cars', name, _base_and_makd(student, 'stanford_cars'))
    for student, name in (('resnet18', 'ResNet-18'), ('resnet101', 'ResNet-101')):
        yield Block('imagenet', name, _base_and_makd(student, 'imagenet'))


def _distillers() -> Iterator[Block]:
    methods = {'KD': 'kd', 'DKD': 'dkd', 'LSKD': 'lskd', 'DIST': 'dist', 'WTTM': 'wttm'}
    for dataset in ('stanford_cars', 'caltech101', 'emoji'):
        config = f'resnet34_resnet18_{dataset}'
        alone = (_arm(method, f'{folder}/{config}') for method, folder in methods.items())
        combined = (_arm(f'MaKD + {method}', f'makd_{folder}/{config}') for method, folder in methods.items())
        yield Block(dataset, 'ResNet-34 teaches ResNet-18', (*_base_and_makd('resnet18', dataset), *alone, *combined))
    arms = (
        _arm(method, f'{folder}/resnet34_resnet18_imagenet') for method, folder in methods.items() if folder != 'lskd'
    )
    yield Block('imagenet', 'ResNet-34 teaches ResNet-18', (*_base_and_makd('resnet18', 'imagenet'), *arms))


def _unlabelled() -> Iterator[Block]:
    base, _ = _base_and_makd('resnet18', 'emoji')
    arms = (
        _arm('MaKD, labelled images', 'makd/resnet18_emoji_mllm'),
        _arm('MaKD, shuffled between classes', 'ablation/resnet18_emoji_mllm_shuffled'),
        _arm('MaKD, unlabelled images, too', 'makd/resnet18_emoji_mllm_unlabelled'),
        _arm('unlabelled, shuffled between classes', 'ablation/resnet18_emoji_mllm_unlabelled_shuffled'),
        _arm('aspect pre-training', 'makd/resnet18_emoji_mllm_pretrained'),
    )
    yield Block('emoji', 'ResNet-18, 849 labels', (base, *arms))


def _figure2() -> Iterator[Block]:
    for dataset in (*list(DATASET_TITLES)[:8], 'emoji'):
        base, makd = _base_and_makd('resnet18', dataset)
        cfg = Config.fromfile(makd.config)
        counts = dict.fromkeys((*QUESTION_COUNTS, cfg.num_aspects))
        arms = (Arm(f'MaKD, {k} questions', makd.config, question_options(cfg, k), k) for k in counts)
        yield Block(dataset, STUDENTS['resnet18'], (Arm(base.method, base.config, x=0), *arms))


def _figure3() -> Iterator[Block]:
    paper = [(dataset, student) for dataset in ('stanford_cars', 'caltech101') for student in STUDENTS]
    for dataset, student in (*paper, ('emoji', 'resnet18')):
        base, makd = _base_and_makd(student, dataset)
        of_config = Config.fromfile(makd.config).model.head.aspect_loss.loss_weight
        arms = (
            Arm(
                f'MaKD, alpha {alpha:g}',
                makd.config,
                () if alpha == of_config else (f'model.head.aspect_loss.loss_weight={alpha}',),
                alpha,
            )
            for alpha in ALPHAS
        )
        yield Block(dataset, STUDENTS[student], (Arm(base.method, base.config, x=0), *arms))


def _questions() -> Iterator[Block]:
    base, _ = _base_and_makd('resnet18', 'emoji_3styles')
    all_questions = _arm('MaKD', 'makd/resnet18_emoji_mllm_3styles')
    cfg = Config.fromfile(all_questions.config)
    ids = QuestionSet.load('data/emoji/aspects/questions.json').ids

    def of_weight(questions: int | Sequence[str]) -> tuple[str, ...]:
        """Give each question its weight among all: the loss is a mean, so alpha scales with their number."""
        count = questions if isinstance(questions, int) else len(questions)
        alpha = cfg.model.head.aspect_loss.loss_weight * count / cfg.num_aspects
        return (*question_options(cfg, questions), f'model.head.aspect_loss.loss_weight={alpha:.3f}')

    def by_evidence(count: int, seed: int) -> tuple[str, ...]:
        if not Path(EVIDENCE).is_file():
            raise DataError(
                f'{EVIDENCE} does not exist: `python tools/select_questions.py {all_questions.config} --top 20 --out '
                f'{EVIDENCE}` chooses the questions.'
            )
        return of_weight(QuestionSet.load(EVIDENCE).top(count).ids)

    def at_random(count: int, seed: int) -> tuple[str, ...]:
        return of_weight([ids[index] for index in np.random.default_rng(seed).permutation(len(ids))[:count]])

    for count in (10, 20):
        given = Arm('given order', all_questions.config, of_weight(count))
        evidence = Arm('by evidence', all_questions.config, overrides_of_seed=partial(by_evidence, count))
        random = Arm('at random', all_questions.config, overrides_of_seed=partial(at_random, count))
        yield Block('emoji', f'ResNet-18, {count} questions', (base, given, evidence, random))
    yield Block('emoji', 'ResNet-18, 66 questions', (base, all_questions))


TABLES = {
    'table1': Table('Students on eight datasets', _table1),
    'table2': Table('Ablation: the loss, and the content of the answers', _table2),
    'table3': Table('Another LLM, another MLLM', _table3),
    'table4': Table('With KD and DKD', _table4),
    'table5': Table('Less training data', _table5),
    'table6': Table('Detectors', _table6),
    'table7': Table("The MLLM's class probabilities as a teacher", _table7),
    'figure2': Table('Number of questions', _figure2, axis='number of questions'),
    'figure3': Table('Weight of the aspect loss', _figure3, axis='alpha'),
    'questions': Table('Which questions: those of an MLLM, three training images per class', _questions),
    'unlabelled': Table('Answers about images that nobody has labelled', _unlabelled),
    'distillers': Table('Five distillers, alone and with MaKD', _distillers),
    'students': Table('Students that are not in the paper', _further_students),
}
