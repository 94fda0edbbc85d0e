"""Embed the aspect logits of annotator and student by t-SNE, side by side (paper Figure 5)."""

import argparse
from pathlib import Path

from makd.cli.analysis import add_questions, analysis_parser, load_split, read_images
from makd.cli.main import run
from makd.config import require_checkpoint
from makd.errors import ConfigError

MOST_CLASSES = 20  # more colours cannot be told apart
EXAMPLES = """examples:
  python tools/analysis/aspect_tsne.py configs/makd/resnet18_emoji_mllm.py \\
      work_dirs/makd/resnet18_emoji_mllm/epoch_40.pth
  python tools/analysis/aspect_tsne.py CONFIG CHECKPOINT --questions animal vehicle --max-images 5000 --out fig5.png
  python tools/analysis/aspect_tsne.py CONFIG CHECKPOINT --by class

Logits are log p(yes) - log p(no), clipped to P(yes) from 0.001 to 0.999: a certain answer would be infinitely far away.
Distances between groups in a t-SNE mean nothing, and it finds groups in noise, too. So the figure has two measures that
do not depend on it: the AUC of the student's answers to a question, and Spearman's correlation of the distances between
all pairs of images in the two spaces. Images without all answers are left out."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = analysis_parser(__doc__, EXAMPLES)
    p.add_argument('config', help='config file of a MaKD student')
    p.add_argument('checkpoint', help="the student's checkpoint")
    add_questions(p, 3, 'those whose class means differ most')
    p.add_argument(
        '--by',
        choices=['question', 'class'],
        default='question',
        help="colour the images by the annotator's P(yes) of a question, or by their class (default: question)",
    )
    p.add_argument(
        '--max-images',
        type=int,
        default=2000,
        metavar='N',
        help='embed at most N images, chosen at random (default: 2000)',
    )
    p.add_argument('--seed', type=int, default=0, help='of that choice, and of the t-SNE (default: 0)')
    return p.parse_args()


def main() -> None:
    """Embed, measure and draw."""
    args = parse_args()
    checkpoint = require_checkpoint(args.checkpoint, 'checkpoint')

    # Imported here, so that --help is answered at once.
    import numpy as np

    from makd.analysis.aspect_space import clip_logits, distance_agreement, embed, question_auc
    from makd.analysis.class_means import choose_questions, class_means, spread
    from makd.analysis.figures.answers import draw_aspect_tsne
    from makd.analysis.figures.output import ANNOTATOR, STUDENT, figure_paths, save_figure
    from makd.analysis.student_outputs import run_student

    paths = figure_paths(args.out, f'aspect_tsne_{Path(args.config).stem}')
    cfg = load_split(args.config, args.cfg_options, args.split)
    images = read_images(cfg, args.config, args.split)
    answered = np.flatnonzero(images.answered)
    if args.max_images < 4 or len(answered) < 4:
        raise ConfigError(
            f'--max-images {args.max_images}: a t-SNE needs four images at least; {len(answered)} have all answers.'
        )
    if args.by == 'class' and len(images.classes) > MOST_CLASSES:
        raise ConfigError(
            f'--by class: {args.config} has {len(images.classes)} classes, and more than {MOST_CLASSES} colours cannot '
            'be told apart. Colour by questions.'
        )
    means = class_means(images.probability, images.labels, len(images.classes))
    columns = choose_questions(images.questions, args.questions, [spread(means)], args.num_questions)
    outputs = run_student(cfg, args.config, checkpoint, cfg.split_dataloader)

    chosen = answered
    if len(answered) > args.max_images:
        chosen = np.sort(np.random.default_rng(args.seed).choice(answered, args.max_images, replace=False))
    annotator, student = clip_logits(images.logits[chosen]), clip_logits(outputs.aspect_logits[chosen])
    auc = question_auc(outputs.aspect_probability[answered], images.probability[answered])
    agreement = distance_agreement(annotator, student)
    print(
        f'{len(chosen)} images; correlation of distances {agreement:.3f}, mean AUC {np.nanmean(auc):.3f}.', flush=True
    )

    if args.by == 'class':
        colored = [('', images.labels[chosen], '')]
    else:
        colored = [
            (images.questions[q].text, images.probability[chosen, q], f"student's AUC {auc[q]:.2f}") for q in columns
        ]
    embeddings = [(ANNOTATOR, embed(annotator, args.seed)), (STUDENT, embed(student, args.seed))]
    title = (
        f't-SNE of {len(images.questions)} aspect logits of {len(chosen)} images\n'
        f'rank correlation of all distances {agreement:.2f}, mean AUC {np.nanmean(auc):.2f}'
    )
    classes = images.classes if args.by == 'class' else None
    save_figure(draw_aspect_tsne(embeddings, colored, title, classes), paths)


if __name__ == '__main__':
    run(main)
