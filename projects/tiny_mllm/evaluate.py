"""Compare an annotator's answers about the emoji with people's, for emoji and styles seen in training and for new ones.

An emoji is new if `makd.EmojiDataset` keeps it for testing (split='test'), and a style is new if it is twemoji or
openmoji: the tiny MLLM saw neither in training. The baseline always gives the more frequent answer to each question.
"""

import argparse
import csv
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from scipy.stats import rankdata

from makd.cli.main import run
from makd.errors import TargetsError
from makd.targets import AspectTargets
from makd.targets.logprobs import sigmoid_of_pair

EXAMPLES = """examples (from the root of the repository):
  python projects/tiny_mllm/evaluate.py work_dirs/targets/emoji_tiny_mllm
  python projects/tiny_mllm/evaluate.py work_dirs/targets/emoji_tiny_mllm --out work_dirs/tiny_mllm/evaluation"""


@dataclass(frozen=True)
class Score:
    """The agreement of the answers to a question with the reference, for one group of images.

    Attributes:
        group: Name of the group.
        question: Id of the question, or 'mean'.
        images: Number of images with an answer.
        yes: Share of yes in the reference.
        majority: Accuracy of always giving the more frequent answer.
        accuracy: Share of answers on the right side of P(yes) = 0.5.
        auc: Probability that an image with yes has a higher P(yes) than one with no; NaN if either is missing.
        mass: Mean of p(yes) + p(no), of the softmax over the whole vocabulary.
    """

    group: str
    question: str
    images: int
    yes: float
    majority: float
    accuracy: float
    auc: float
    mass: float


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('targets', type=Path, help='folder that tools/annotate.py wrote for the emoji')
    p.add_argument('--reference', type=Path, default=Path('data/emoji/aspects/cldr'), help='default: %(default)s')
    p.add_argument('--data', type=Path, default=Path('data/emoji'), help='the emoji (default: %(default)s)')
    p.add_argument('--out', type=Path, help='folder for evaluation.md and evaluation.csv')
    return p.parse_args()


def main() -> None:
    """Print the means and the questions of each group."""
    args = parse_args()

    # Imported here, so that --help is fast.
    from projects.tiny_mllm.pictures import STYLES, held_out_emoji

    targets, reference = AspectTargets.open(args.targets), AspectTargets.open(args.reference)
    scores = evaluate(targets, reference, STYLES, held_out_emoji(args.data))
    report = to_markdown(scores)
    print(report)
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / 'evaluation.md').write_text(report + '\n', 'utf-8')
        with (args.out / 'evaluation.csv').open('w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([[field.name for field in fields(Score)], *map(astuple, scores)])


def evaluate(
    targets: AspectTargets, reference: AspectTargets, styles: tuple[str, ...], held_out: frozenset[str]
) -> list[Score]:
    """Score the questions and images that both have, in each of the four groups, with the mean over the questions.

    Args:
        targets: The annotator's answers.
        reference: People's answers.
        styles: The styles that the annotator was trained on.
        held_out: Ids of the emoji that were not used in training.

    Raises:
        TargetsError: They have no question, or no image, in common.
    """
    ids = [id_ for id_ in targets.questions.ids if id_ in reference.questions.ids]
    keys = [key for key in targets.keys if key in reference]
    if not ids or not keys:
        raise TargetsError(f'{targets.path} and {reference.path} have no {"image" if ids else "question"} in common')
    targets, reference = targets.select(ids), reference.select(ids)
    truth = np.stack([reference.probability(key) for key in keys]) > 0.5
    logprobs = targets.logprobs_at(np.array([targets.row(key) for key in keys]))
    known_style = np.array([key.split('/')[0] in styles for key in keys])
    known_emoji = np.array([Path(key).stem not in held_out for key in keys])
    groups = {
        'seen emoji, training styles': known_emoji & known_style,
        'seen emoji, new styles': known_emoji & ~known_style,
        'new emoji, training styles': ~known_emoji & known_style,
        'new emoji, new styles': ~known_emoji & ~known_style,
    }
    scores = []
    for group, rows in groups.items():
        of_questions = [
            score(group, id_, logprobs[rows, column], truth[rows, column])
            for column, id_ in enumerate(ids)
            if np.isfinite(logprobs[rows, column]).any()
        ]
        if of_questions:
            means = np.nanmean([astuple(row)[2:] for row in of_questions], axis=0)
            scores += [Score(group, 'mean', int(rows.sum()), *(float(mean) for mean in means[1:])), *of_questions]
    return scores


def score(group: str, question: str, logprobs: np.ndarray, truth: np.ndarray) -> Score:
    """Score one question.

    Args:
        group: Name of the group.
        question: Id of the question.
        logprobs: (N, 2), [log p(yes), log p(no)]; NaN for a missing answer, which is ignored.
        truth: (N,) bool.
    """
    answered = ~np.isnan(logprobs).any(axis=1)
    truth, probability = truth[answered], sigmoid_of_pair(logprobs[answered])
    share = float(truth.mean())
    return Score(
        group,
        question,
        len(truth),
        share,
        max(share, 1 - share),
        float(((probability > 0.5) == truth).mean()),
        auc(probability, truth),
        float(np.exp(logprobs[answered].astype(np.float64)).sum(axis=1).mean()),
    )


def auc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Return the area under the ROC curve, computed from the ranks of the scores; ties count one half."""
    yes = int(truth.sum())
    no = len(truth) - yes
    if not yes or not no:
        return float('nan')
    return float((rankdata(scores)[truth].sum() - yes * (yes + 1) / 2) / (yes * no))


def to_markdown(scores: list[Score]) -> str:
    """Return a table of the means, and for each group a table of its questions, with the lowest AUC first."""
    lines = _table('group', [(row.group, row) for row in scores if row.question == 'mean'])
    for group in dict.fromkeys(row.group for row in scores):
        of_group = [row for row in scores if row.group == group and row.question != 'mean']
        of_group.sort(key=lambda row: (np.isnan(row.auc), row.auc))
        lines += ['', f'## {group[0].upper()}{group[1:]}', '']
        lines += _table('question', [(row.question, row) for row in of_group])
    return '\n'.join(lines)


def _table(first: str, rows: list[tuple[str, Score]]) -> list[str]:
    return [
        f'| {first} | images | yes | majority | accuracy | AUC | label mass |',
        '|---|---|---|---|---|---|---|',
        *(
            f'| {name} | {row.images} | {row.yes:.3f} | {row.majority:.3f} | {row.accuracy:.3f} '
            f'| {row.auc:.3f} | {row.mass:.4f} |'
            for name, row in rows
        ),
    ]


if __name__ == '__main__':
    run(main)
