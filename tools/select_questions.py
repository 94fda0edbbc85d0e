"""Choose the questions that say most about the class, from the answers about a small part of the images."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from makd.cli.arguments import add_options
from makd.cli.main import run
from makd.config import check_data_roots, load_config, read_config, walk_dicts
from makd.errors import ConfigError, QuestionsError

if TYPE_CHECKING:
    from mmengine.config import Config

    from makd.datasets.targets_join import TargetsJoin

RANDOM = 5  # draws
EXAMPLES = """examples:
  python tools/write_questions.py configs/questions/stanford_cars_gpt4o.py \\
      --cfg-options question_writer.num_selected=100
  python tools/annotate.py configs/annotate/internvl2_8b_stanford_cars.py --limit 1000 --cfg-options model.top=100
  python tools/select_questions.py configs/makd/resnet18_stanford_cars.py --top 20 \\
      --targets data/stanford_cars/aspects/internvl2_8b.trial-1000 --out data/stanford_cars/aspects/top20.json
  python tools/annotate.py configs/annotate/internvl2_8b_stanford_cars.py --cfg-options \\
      model.questions=data/stanford_cars/aspects/top20.json model.top=20

CONFIG is that of a MaKD student: its training set gives the classes, and its answers are read unless --targets names
others; images without answers are left out. Of a detector with makd.LoadRegionAspects, the boxes take the place of the
images, and their objects have the classes. Questions are chosen one by one, each for the bits that it tells about the
class beyond the questions chosen before, measured on images that are left out of the counts
(makd.analysis.QuestionSelector). The MLLM then answers only these questions about all images. The curves are drawn in a
PNG beside OUT."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('config', help='config file of a MaKD student')
    p.add_argument('--top', type=int, required=True, metavar='K', help='how many questions to choose')
    p.add_argument(
        '--out', type=Path, required=True, metavar='FILE', help='JSON file of the chosen questions, to be written'
    )
    p.add_argument('--targets', metavar='DIR', help="targets folder of the small part; default: the config's")
    p.add_argument(
        '--by',
        choices=['evidence', 'mass'],
        default='evidence',
        help='bits about the class; or label mass, p(yes) + p(no), which is low if the MLLM wanted to say something '
        'else (default: evidence)',
    )
    p.add_argument('--force', action='store_true', help='replace OUT')
    add_options(p)
    return p.parse_args()


def main() -> None:
    """Rank, show, and write."""
    args = parse_args()
    if args.out.exists() and not args.force:
        raise QuestionsError(f'{args.out} exists: give --force to replace it, or another file.')

    # Imported here, so that --help is answered at once.
    from experiments.plots import draw_evidence
    from experiments.question_options import LOADS, learns_about, question_options
    from makd.analysis import QuestionSelector

    cfg = load_config(args.config, args.cfg_options)
    about = learns_about(cfg)
    if args.targets:
        use_targets(cfg, args.targets, LOADS[about])
    check_data_roots(cfg, ('train_dataloader',))
    images = read_answers(cfg, about)
    answers = images.annotated()
    questions, mass = answers.questions, _mean(answers.mass)
    if args.by == 'mass' and np.isnan(mass).all():
        raise ConfigError(
            '--by mass: the targets do not say what the label mass is. Annotators of decision models and imported JSON '
            'give P(yes) only; choose --by evidence.'
        )
    if not 1 <= args.top <= len(questions):
        raise ConfigError(f'--top {args.top}: there are {len(questions)} questions to choose from.')
    print(
        f'{len(answers.labels)} of {len(images.labels)} training {about} have answers to {len(questions)} questions; '
        f'they are of {len(set(answers.labels.tolist()))} classes.'
    )

    evidence = QuestionSelector(answers.probability, answers.labels)
    yes = np.nanmean(answers.probability, axis=0)
    seen: list[float] = []

    def show(question: int, bits: float) -> None:
        gain = bits - (seen[-1] if seen else 0.0)
        seen.append(bits)
        label_mass = '' if np.isnan(mass[question]) else f'label mass {mass[question]:.2f}, '
        print(
            f'{len(seen):3}. {gain:+.3f} = {bits:.3f} bits, {label_mass}yes {yes[question]:4.0%}, '
            f'{questions[question].id}: {questions[question].text}',
            flush=True,
        )

    if args.by == 'evidence':
        chosen = evidence.rank(args.top, show)
    else:
        chosen = [int(question) for question in np.argsort(-mass, kind='stable')[: args.top]]
        for question, bits in zip(chosen, evidence.information(chosen)):
            show(question, bits)
    in_order = evidence.information(range(args.top))
    rng = np.random.default_rng(0)
    random = np.mean([evidence.information(rng.permutation(len(questions))[: args.top]) for _ in range(RANDOM)], axis=0)
    print(
        f'The class has {evidence.entropy:.3f} bits. The first {args.top} questions in the given order tell '
        f'{in_order[-1]:.3f}, as many at random {random[-1]:.3f} (mean of {RANDOM}).'
    )

    selected = questions.select([questions[question].id for question in chosen])
    selected.metadata['selected'] = dict(by=args.by, images=len(answers.labels), bits=[round(b, 4) for b in seen])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    selected.save(args.out)
    figure = args.out.with_suffix('.png')
    curves = {f'by {args.by}': seen, 'in the given order': in_order, f'at random, mean of {RANDOM}': list(random)}
    draw_evidence(curves, args.top).savefig(figure, dpi=150)
    print(f'{args.top} questions are in {args.out}, the curves in {figure}.')
    # For the config as it is, not with --targets.
    options = question_options(read_config(args.config), selected.ids)
    print(f'To train on them, once all images have answers: --cfg-options {shlex.join(options)}')


def _mean(mass: np.ndarray) -> np.ndarray:
    """Return the mean label mass of each question, (Q,); NaN where it is not known of any image."""
    known = ~np.isnan(mass)
    return np.divide(np.nansum(mass, axis=0), known.sum(axis=0), out=np.full(mass.shape[1], np.nan), where=known.any(0))


def use_targets(cfg: Config, targets: str, transform: str) -> None:
    """Let every such transform of the training set read another targets folder."""
    for _, node in walk_dicts(cfg.train_dataloader):
        if node.get('type') == transform:
            node['targets'] = targets


def read_answers(cfg: Config, about: str) -> TargetsJoin:
    """Read answers and classes of the training images or regions of a config."""
    from mmengine.registry import DATASETS, init_default_scope

    from makd.datasets.load_region_aspects import LoadRegionAspects
    from makd.datasets.load_targets import LoadAspectTargets
    from makd.datasets.targets_join import join_training_set
    from makd.targets.region_key import REGIONS

    init_default_scope(cfg.default_scope)
    kind = LoadRegionAspects if about == REGIONS else LoadAspectTargets
    return join_training_set(DATASETS.build(cfg.train_dataloader.dataset), kind)


if __name__ == '__main__':
    run(main)
