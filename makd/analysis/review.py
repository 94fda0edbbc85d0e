"""Which answers are worth a second look: statistics of the questions, and answers that disagree with their class."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from makd.targets.aspect_targets import AspectTargets
from makd.targets.logprobs import sigmoid_of_pair

SUSPICIOUS = 0.5


@dataclass(frozen=True)
class Review:
    """Statistics over all images that have a group, and the answers about some of them.

    A group is a class, or the folder that stands in for it. The answer about an image is compared with the mean of the
    *other* images of its group: in a small group a wrong answer would shift the mean of all towards itself.

    Attributes:
        mean_yes: Mean P(yes) of each question, (Q,) in [0, 1]; NaN if it has no answer, as in the next two.
        mass: Mean label mass, p(yes) + p(no) of the annotator's full softmax, of each question, (Q,);
            NaN also if the targets do not have it, see :class:`~makd.targets.AspectTargets`.
        discrimination: How far the groups differ, see :func:`discrimination`, (Q,) in [0, 1].
        num_suspicious: Number of answers to each question with a suspicion of at least ``SUSPICIOUS``, (Q,).
        num_missing: Number of missing answers.
        yes: P(yes) of the chosen images, (n, Q) float32 in [0, 1]; NaN for a missing answer, as in the next three.
        mass_of: Their label mass, (n, Q); NaN also if the targets do not have it.
        expected: Mean P(yes) of the other images of the group, (n, Q); NaN also if the others have no answer.
        suspicion: The larger of 1 - label mass and abs(P(yes) - expected), of those that are known, (n, Q) in [0, 1].
    """

    mean_yes: np.ndarray
    mass: np.ndarray
    discrimination: np.ndarray
    num_suspicious: np.ndarray
    num_missing: int
    yes: np.ndarray
    mass_of: np.ndarray
    expected: np.ndarray
    suspicion: np.ndarray


def review(targets: AspectTargets, groups: np.ndarray, rows: np.ndarray) -> Review:
    """Review answers, in two passes over blocks of a few megabytes.

    Args:
        targets: The answers about N images.
        groups: Group of each image, (N,) integers; images of group -1 are left out of the statistics.
        rows: The n chosen images, ascending; each has a group.
    """
    num_questions, num_groups = len(targets.questions), int(groups.max(initial=-1)) + 1
    count, total, squares = np.zeros((3, num_groups, num_questions))
    mass_sum = np.zeros(num_questions)
    num_images = 0
    for _, group, yes, mass in _answers(targets, groups):
        answered = ~np.isnan(yes)
        filled = np.where(answered, yes, 0.0)
        np.add.at(count, group, answered)
        np.add.at(total, group, filled)
        np.add.at(squares, group, filled**2)
        mass_sum += np.where(answered, mass, 0.0).sum(axis=0)
        num_images += len(group)

    num_suspicious = np.zeros(num_questions, np.int64)
    shown = np.full((4, len(rows), num_questions), np.nan, np.float32)
    for row, group, yes, mass in _answers(targets, groups):
        others = count[group] - 1
        expected = np.divide(total[group] - yes, others, out=np.full_like(yes, np.nan), where=others > 0)
        expected = expected.clip(0, 1)  # a difference of sums has rounding errors
        # fmax passes over what is not known: ``expected``, or the mass.
        doubt = np.fmax(np.fmax(1 - mass, abs(yes - expected)), 0)
        suspicion = np.where(np.isnan(yes), np.nan, doubt.clip(0, 1))
        num_suspicious += (suspicion >= SUSPICIOUS).sum(axis=0)
        first, last = np.searchsorted(rows, [row[0], row[-1] + 1]) if len(row) else (0, 0)
        shown[:, first:last] = np.stack([yes, mass, expected, suspicion])[:, np.searchsorted(row, rows[first:last])]

    answers = count.sum(axis=0)
    with np.errstate(invalid='ignore'):  # 0 / 0 is NaN
        mean_yes, mean_mass = total.sum(axis=0) / answers, mass_sum / answers
    return Review(
        mean_yes=mean_yes,
        mass=mean_mass,
        discrimination=discrimination(count, total, squares),
        num_suspicious=num_suspicious,
        num_missing=int(num_images * num_questions - answers.sum()),
        yes=shown[0],
        mass_of=shown[1],
        expected=shown[2],
        suspicion=shown[3],
    )


def discrimination(count: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    r"""Return the share of the variance of P(yes) between the groups, corrected for chance.

    The correlation ratio :math:`\eta^2 = 1 - SS_{within} / SS_{total}` of N answers in C groups is (C - 1) / (N - 1) on
    average if the groups do not differ at all, which is large for small groups. Kelley's (1935)

    .. math:: \epsilon^2 = 1 - \frac{SS_{within} / (N - C)}{SS_{total} / (N - 1)}

    is 0 in that case. Values that fall below 0 by chance are set to 0.

    Args:
        count: Number of answers in each group, (C, Q).
        total: Their sum, (C, Q).
        squares: Sum of their squares, (C, Q).

    Returns:
        (Q,) in [0, 1]: 1 if the answers within each group agree and the groups differ, 0 if all answers agree, NaN if
        fewer than two groups have answers, or no group has two.
    """
    num_groups, num_answers = (count > 0).sum(axis=0), count.sum(axis=0)
    group_part = np.divide(total**2, count, out=np.zeros_like(total), where=count > 0).sum(axis=0)
    within = squares.sum(axis=0) - group_part
    overall = squares.sum(axis=0) - np.divide(
        total.sum(axis=0) ** 2, num_answers, out=np.zeros_like(within), where=num_answers > 0
    )
    result = np.full(len(within), np.nan)
    known = (num_groups >= 2) & (num_answers > num_groups)
    alike = overall <= 1e-12 * num_answers  # rounding errors of sums of squares
    result[known & alike] = 0.0
    use = known & ~alike
    ratio = (within[use] / (num_answers - num_groups)[use]) / (overall[use] / (num_answers[use] - 1))
    result[use] = (1 - ratio).clip(0, 1)
    return result


def _answers(
    targets: AspectTargets, groups: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield rows (n,), groups (n,), P(yes) (n, Q) and label mass (n, Q) of the images with a group, block by block."""
    for start, block in targets.blocks():
        inside = np.flatnonzero(groups[start : start + len(block)] >= 0)
        row = start + inside
        yes = sigmoid_of_pair(block[inside])
        yield row, groups[row], yes, targets.mass_of(block[inside])
