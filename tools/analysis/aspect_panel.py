"""Show images with the answers of annotator and student about them (paper Figure 6)."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from makd.cli.analysis import add_questions, analysis_parser, close_matches, load_split, read_images
from makd.cli.main import run
from makd.config import require_checkpoint
from makd.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np

EXAMPLES = """examples:
  python tools/analysis/aspect_panel.py configs/makd/resnet18_emoji_mllm.py \\
      work_dirs/makd/resnet18_emoji_mllm/epoch_40.pth
  python tools/analysis/aspect_panel.py CONFIG CHECKPOINT --choose right --num-images 5 --seed 1
  python tools/analysis/aspect_panel.py CONFIG CHECKPOINT --images twemoji/animal-mammal/1f418.png --questions animal

Random images show how well the student does; chosen ones are examples, and should be presented as such."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = analysis_parser(__doc__, EXAMPLES)
    p.add_argument('config', help='config file of a MaKD student')
    p.add_argument('checkpoint', help="the student's checkpoint")
    add_questions(p, 8, 'those with the most different answers of the annotator about these images')
    p.add_argument('--images', nargs='+', metavar='PATH', help='images of the split, by their path or its end')
    p.add_argument(
        '--choose',
        choices=['random', 'right', 'wrong', 'disagree'],
        default='random',
        help='without --images: at random among all, or among those whose class the student gets right or wrong; or '
        "those with the student's answers farthest from the annotator's (default: random)",
    )
    p.add_argument('--num-images', type=int, default=4, metavar='N', help='how many of them (default: 4)')
    p.add_argument('--seed', type=int, default=0, help='of the choice (default: 0)')
    return p.parse_args()


def main() -> None:
    """Choose images and questions, and draw them."""
    args = parse_args()
    checkpoint = require_checkpoint(args.checkpoint, 'checkpoint')
    if args.num_images < 1:
        raise ConfigError(f'--num-images {args.num_images}: at least one.')

    # Imported here, so that --help is answered at once.
    from makd.analysis.class_means import choose_questions, spread
    from makd.analysis.figures.answers import Subject, draw_aspect_panel
    from makd.analysis.figures.output import figure_paths, save_figure
    from makd.analysis.student_outputs import run_student

    paths = figure_paths(args.out, f'aspect_panel_{Path(args.config).stem}')
    cfg = load_split(args.config, args.cfg_options, args.split)
    images = read_images(cfg, args.config, args.split)
    named = None if args.images is None else [find_image(path, images.paths) for path in args.images]
    if args.questions is not None:
        images.questions.select(args.questions)  # reports an unknown one before the student runs
    outputs = run_student(cfg, args.config, checkpoint, cfg.split_dataloader)

    annotator, student = images.probability, outputs.aspect_probability
    right = outputs.predicted == images.labels
    disagreement = abs(annotator - student).mean(axis=1)
    print(f'The student gets the class of {right.mean():.1%} of all images right.')
    shown = named or choose_images(args, right, disagreement, images.answered)
    spreads = [spread(annotator[shown]), spread(annotator)]
    columns = choose_questions(images.questions, args.questions, spreads, args.num_questions)

    subjects = []
    for index in shown:
        print(f'{images.paths[index]}: mean |annotator - student| {disagreement[index]:.3f}')
        subjects.append(
            Subject(
                path=images.paths[index],
                label=images.classes[images.labels[index]],
                predicted=images.classes[outputs.predicted[index]],
                confidence=float(outputs.class_probability[index].max()),
                annotator=annotator[index, columns],
                student=student[index, columns],
            )
        )
    save_figure(draw_aspect_panel(subjects, [images.questions[q].text for q in columns]), paths)


def find_image(path: str, paths: Sequence[str]) -> int:
    """Return the index of the image whose path ends in this path; raise a ConfigError unless there is exactly one."""
    found = [index for index, known in enumerate(paths) if known == path or known.endswith(f'/{path}')]
    if not found:
        raise ConfigError(f'--images {path}: the split has no such image; close to it: {close_matches(path, paths)}.')
    if len(found) > 1:
        raise ConfigError(
            f'--images {path}: {len(found)} images end in this path, such as {paths[found[0]]}. Give a longer path.'
        )
    return found[0]


def choose_images(
    args: argparse.Namespace, right: np.ndarray, disagreement: np.ndarray, answered: np.ndarray
) -> list[int]:
    """Return the indices of the images that ``--choose`` selects among those with all answers."""
    import numpy as np

    if args.choose == 'disagree':
        order = np.argsort(-disagreement, kind='stable')
        return order[answered[order]][: args.num_images].tolist()
    among = np.flatnonzero(answered & {'random': True, 'right': right, 'wrong': ~right}[args.choose])
    if len(among) < args.num_images:
        raise ConfigError(f'--choose {args.choose}: there are {len(among)} such images, not {args.num_images}.')
    return np.sort(np.random.default_rng(args.seed).choice(among, args.num_images, replace=False)).tolist()


if __name__ == '__main__':
    run(main)
