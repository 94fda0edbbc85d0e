"""Draw the mean P(yes) of each class for some questions, the annotator's and the student's (paper Figure 4)."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from makd.cli.analysis import add_questions, analysis_parser, close_matches, load_split, read_images
from makd.cli.main import run
from makd.config import require_checkpoint
from makd.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

EXAMPLES = """examples:
  python tools/analysis/aspect_histogram.py configs/makd/resnet18_emoji.py
  python tools/analysis/aspect_histogram.py configs/makd/resnet18_emoji.py work_dirs/makd/resnet18_emoji/epoch_40.pth \\
      --questions animal round --top 10
  python tools/analysis/aspect_histogram.py CONFIG CHECKPOINT --split train --classes 'hot dog' sunflower --out fig4.svg

Without a checkpoint only the annotator's answers are shown. The lower part shows the means of all classes."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = analysis_parser(__doc__, EXAMPLES)
    p.add_argument('config', help='config file of a MaKD student')
    p.add_argument('checkpoint', nargs='?', help="the student's checkpoint")
    add_questions(p, 2, 'those whose class means differ most')
    p.add_argument(
        '--top',
        type=int,
        default=8,
        metavar='K',
        help='classes with the highest and the lowest means (default: 8 each)',
    )
    p.add_argument('--classes', nargs='+', metavar='NAME', help='show these classes instead')
    return p.parse_args()


def main() -> None:
    """Compute the means and draw them."""
    args = parse_args()
    if args.top < 1:
        raise ConfigError(f'--top {args.top}: at least one class at each end.')

    # Imported here, so that --help is answered at once.
    from makd.analysis.class_means import choose_questions, class_band, class_means, spread
    from makd.analysis.figures.answers import ClassAnswers, QuestionPanel, draw_aspect_histogram
    from makd.analysis.figures.output import ANNOTATOR, STUDENT, figure_paths, save_figure

    paths = figure_paths(args.out, f'aspect_histogram_{Path(args.config).stem}')
    checkpoint = args.checkpoint and require_checkpoint(args.checkpoint, 'checkpoint')
    cfg = load_split(args.config, args.cfg_options, args.split)
    images = read_images(cfg, args.config, args.split)
    classes = images.classes
    means = class_means(images.probability, images.labels, len(classes))
    columns = choose_questions(images.questions, args.questions, [spread(means)], args.num_questions)
    named = args.classes and class_labels(args.classes, classes)

    probabilities = {ANNOTATOR: images.probability}
    if checkpoint:
        from makd.analysis.student_outputs import run_student

        outputs = run_student(cfg, args.config, checkpoint, cfg.split_dataloader)
        probabilities[STUDENT] = outputs.aspect_probability

    panels = []
    for q in columns:
        shown, gap = (named, None) if named else ends(means[:, q], args.top)
        answers = [
            ClassAnswers(
                who,
                class_means(probability[:, [q]], images.labels, len(classes))[:, 0],
                class_band(probability[:, q], images.labels, shown),
            )
            for who, probability in probabilities.items()
        ]
        panels.append(QuestionPanel(images.questions[q].text, shown, gap, answers))
    save_figure(draw_aspect_histogram(panels, classes), paths)


def ends(means: np.ndarray, top: int) -> tuple[list[int], int | None]:
    """Return the classes with the highest and the lowest means, from the top down, and the place of the others."""
    import numpy as np

    order = [int(label) for label in np.argsort(-means, kind='stable') if not np.isnan(means[label])]
    return (order, None) if len(order) <= 2 * top else (order[:top] + order[-top:], top)


def class_labels(names: list[str], classes: tuple[str, ...]) -> list[int]:
    """Return the labels of these classes; raise a ConfigError for an unknown name."""
    for name in names:
        if name not in classes:
            raise ConfigError(
                f'--classes {name!r}: there is no such class; close to it: {close_matches(name, classes)}.'
            )
    return [classes.index(name) for name in names]


if __name__ == '__main__':
    run(main)
