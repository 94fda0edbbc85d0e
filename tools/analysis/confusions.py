"""Find the class pairs that MaKD separates and the baseline confuses, and the questions that tell them apart."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from makd.cli.analysis import analysis_parser, load_split, read_images
from makd.cli.main import run
from makd.config import require_checkpoint
from makd.errors import ConfigError
from makd.files import write_text

if TYPE_CHECKING:
    import numpy as np

    from makd.analysis.confusion import Confusion
    from makd.analysis.figures.classes import Pair
    from makd.datasets.targets_join import TargetsJoin

EXAMPLES = """examples:
  python tools/analysis/confusions.py --baseline configs/baseline/resnet18_emoji.py plain.pth \\
      --makd configs/makd/resnet18_emoji.py makd.pth
  python tools/analysis/confusions.py \\
      --baseline configs/baseline/resnet18_emoji.py work_dirs/compare/baseline/resnet18_emoji/*/seed_*/epoch_40.pth \\
      --makd configs/makd/resnet18_emoji.py work_dirs/compare/makd/resnet18_emoji/FINGERPRINT/seed_*/epoch_40.pth

The confusion of two classes is the mean probability that the model gives to one on images of the other; 'taken' counts
the images of both, over all runs, that are taken for the other. The questions shown are those whose mean answers about
the two classes, on the training images of the MaKD config, differ most; 'apart' is the sum of the differences over all
questions. Pairs are selected by their difference, which overstates it. So the tool also reports the pairs that MaKD
confuses more, the sums over all pairs and, with several checkpoints, how much of the difference remains in runs that
were left out of the selection. The table is printed, and written beside the figure."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = analysis_parser(__doc__, EXAMPLES)
    metavar = ('CONFIG', 'CHECKPOINT')
    p.add_argument(
        '--baseline', nargs='+', required=True, metavar=metavar, help='config and its checkpoints, one per seed'
    )
    p.add_argument(
        '--makd', nargs='+', required=True, metavar=metavar, help='config of a MaKD student, and checkpoints'
    )
    p.add_argument('--top', type=int, default=10, metavar='K', help='pairs in each direction (default: 10)')
    p.add_argument('--num-questions', type=int, default=2, metavar='K', help='questions per pair (default: 2)')
    return p.parse_args()


def main() -> None:
    """Run all students, compare their confusions, and report."""
    args = parse_args()
    for option in ('baseline', 'makd'):
        if len(getattr(args, option)) < 2:
            raise ConfigError(f'--{option}: give a config and at least one checkpoint.')
        for checkpoint in getattr(args, option)[1:]:
            require_checkpoint(checkpoint, f'--{option}')
    if args.top < 1 or args.num_questions < 1:
        raise ConfigError(f'--top {args.top} --num-questions {args.num_questions}: at least one of each.')

    # Imported here, so that --help is answered at once.
    from makd.analysis.class_means import class_means
    from makd.analysis.figures.classes import draw_confusion_pairs
    from makd.analysis.figures.output import figure_paths, save_figure

    paths = figure_paths(args.out, f'confusions_{Path(args.makd[0]).stem}')
    train = read_images(load_split(args.makd[0], args.cfg_options, 'train'), args.makd[0], 'train')
    means = class_means(train.probability, train.labels, len(train.classes))
    baseline = read_confusion(args, args.baseline)
    makd = read_confusion(args, args.makd)
    if baseline.images.tolist() != makd.images.tolist():
        raise ConfigError(
            f'{args.baseline[0]} and {args.makd[0]} do not test on the same images: name a common --split.'
        )

    blocks = report_blocks(args, baseline, makd, train, means)
    totals = report_totals(baseline, makd, means)
    tables = '\n\n'.join(f'## {heading}\n\n{note}\n\n{table}' for heading, note, _, table in blocks)
    report = f'# Confusions of {args.makd[0]} and {args.baseline[0]}\n\n{totals}\n\n{tables}\n'
    print(f'\n{report}')
    title = f'all wrong classes together: baseline {baseline.wrong_mass:.3f}, MaKD {makd.wrong_mass:.3f}'
    save_figure(draw_confusion_pairs([(heading, note, pairs) for heading, note, pairs, _ in blocks], title), paths)
    table = paths[0].with_suffix('.md')
    write_text(table, report)
    print(f'Table: {table}')


def read_confusion(args: argparse.Namespace, run: list[str]) -> Confusion:
    """Return the confusions of a config's checkpoints."""
    from mmengine.registry import DATASETS

    from makd.analysis.confusion import Confusion
    from makd.analysis.student_outputs import run_student
    from makd.datasets.targets_join import join_dataset

    config, *checkpoints = run
    cfg = load_split(config, args.cfg_options, args.split)
    images = join_dataset(DATASETS.build(cfg.split_dataloader['dataset']))
    runs = (run_student(cfg, config, path, cfg.split_dataloader) for path in checkpoints)
    return Confusion.of_runs((outputs.class_probability for outputs in runs), images.labels)


def report_totals(baseline: Confusion, makd: Confusion, means: np.ndarray) -> str:
    """Return the lines of the report that do not depend on a selection of pairs."""
    from makd.analysis.confusion import answer_distance

    distance = answer_distance(means) * means.shape[1]
    images = int(baseline.images.sum())
    lines = [
        f'{images} images of {(baseline.images > 0).sum()} classes; {baseline.runs} runs of the baseline, {makd.runs} '
        f'of MaKD. Mean over images and runs:',
        '',
        f'- probability of all wrong classes together: baseline {baseline.wrong_mass:.4f}, MaKD {makd.wrong_mass:.4f}, '
        f'difference {makd.wrong_mass - baseline.wrong_mass:+.4f}',
        f'- images whose class is wrong: baseline {baseline.wrong:.2%}, MaKD {makd.wrong:.2%}, '
        f'difference {100 * (makd.wrong - baseline.wrong):+.2f} points',
        f'- questions of {means.shape[1]} by which a wrong class differs from the right one, weighted by its '
        f'probability: baseline {baseline.distance_of_wrong(distance):.2f}, '
        f'MaKD {makd.distance_of_wrong(distance):.2f}',
    ]
    return '\n'.join(lines)


def report_blocks(
    args: argparse.Namespace, baseline: Confusion, makd: Confusion, train: TargetsJoin, means: np.ndarray
) -> list[tuple[str, str, list[Pair], str]]:
    """Return heading, note, pairs and Markdown table of both directions; the note is about runs left out."""
    from makd.analysis.confusion import answer_distance, held_out, strongest_pairs, telling_questions
    from makd.analysis.figures.classes import Pair
    from makd.cli.markdown_table import markdown_table

    of_baseline, of_makd = baseline.soft(), makd.soft()
    distance = answer_distance(means) * means.shape[1]
    header = ['pair', 'baseline', 'MaKD', 'MaKD - baseline', 'taken, baseline', 'taken, MaKD', 'apart', 'questions']
    blocks = []
    for heading, more, less in (
        ('Pairs that MaKD separates most', baseline, makd),
        ('Pairs that MaKD confuses more', makd, baseline),
    ):
        difference = more.soft() - less.soft()
        remaining = held_out(more, less, args.top)
        note = 'several checkpoints of each would show what remains in runs left out of the choice'
        if remaining:
            note = f'of {remaining[0]:.3f}, {remaining[1]:.3f} remain in runs left out of the choice'
        body, pairs = [], []
        for a, b in strongest_pairs(difference, args.top):
            questions = [
                f'{train.questions[q].text} {means[a, q]:.2f}/{means[b, q]:.2f}'
                for q in telling_questions(means, (a, b), args.num_questions)
            ]
            pairs.append(Pair((train.classes[a], train.classes[b]), of_baseline[a, b], of_makd[a, b], questions))
            body.append([
                ' / '.join(pairs[-1].names),
                *(f'{of_baseline[a, b]:.3f}', f'{of_makd[a, b]:.3f}', f'{of_makd[a, b] - of_baseline[a, b]:+.3f}'),
                *(taken(confusion, a, b) for confusion in (baseline, makd)),
                f'{distance[a, b]:.1f}',
                '; '.join(questions) or 'the answers are the same',
            ])  # fmt: skip
        blocks.append((heading, note, pairs, markdown_table(header, body)))
    return blocks


def taken(confusion: Confusion, a: int, b: int) -> str:
    """Return 'n of m': the images of two classes that are taken for the other, of all their images."""
    counts = confusion.counts.sum(axis=0)
    return f'{counts[a, b] + counts[b, a]} of {(confusion.images[a] + confusion.images[b]) * confusion.runs}'


if __name__ == '__main__':
    run(main)
