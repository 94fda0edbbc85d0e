"""Statistics of the answers by class (paper section 5.2, Figure 4)."""

import warnings
from collections.abc import Sequence

import numpy as np

from makd.questions import QuestionSet

BAND = (0.1, 0.9)


def class_sums(values: np.ndarray, labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum over the images of each class, and the number of its answers, both (C, Q) float64.

    Args:
        values: (N, Q), such as P(yes); NaN where there is no answer, which is left out.
        labels: (N,), class of each image.
        num_classes: C.
    """
    answered = ~np.isnan(values)
    total, count = np.zeros((2, num_classes, values.shape[1]))
    np.add.at(total, labels, np.where(answered, values, 0.0))
    np.add.at(count, labels, answered)
    return total, count


def class_means(values: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the mean over the images of each class, (C, Q) float64; NaN for a class without an answer.

    The arguments are as in :func:`class_sums`.
    """
    total, count = class_sums(values, labels, num_classes)
    with np.errstate(invalid='ignore'):  # 0 / 0 is NaN
        return total / count


def class_band(values: np.ndarray, labels: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Return the first and the ninth decile of the images of K classes, (2, K) float64; NaN for one without an answer.

    Args:
        values: (N,), answers to one question; NaN where there is none.
        labels: (N,), class of each image.
        classes: The K classes.
    """
    band = np.full((2, len(classes)), np.nan)
    for column, label in enumerate(classes):
        of_class = values[(labels == label) & ~np.isnan(values)]
        if len(of_class):
            band[:, column] = np.quantile(of_class, BAND)
    return band


def mean_correlation(means: np.ndarray, others: np.ndarray) -> float:
    """Return Pearson's correlation of two sets of means, (C,), over the classes that have both; NaN if one is flat."""
    both = ~np.isnan(means) & ~np.isnan(others)
    if both.sum() < 2 or np.ptp(means[both]) == 0 or np.ptp(others[both]) == 0:
        return float('nan')
    return float(np.corrcoef(means[both], others[both])[0, 1])


def spread(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column of values (M, Q), (Q,); NaN is ignored, a column of NaN has 0."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # numpy's about columns of NaN
        return np.nan_to_num(np.nanstd(values, axis=0))


def choose_questions(
    questions: QuestionSet, ids: Sequence[str] | None, spreads: Sequence[np.ndarray], number: int
) -> list[int]:
    """Return the columns of the questions with these ids or, without ids, with the largest spread.

    Args:
        questions: The Q questions.
        ids: The ids, or None.
        spreads: Spreads of the questions, (Q,) each; ties are broken by the next one, then by the order of questions.
        number: Number of questions, without ids.

    Raises:
        QuestionsError: An id is unknown or occurs twice, or ``number`` is out of range.
    """
    if ids is not None:
        return [questions.ids.index(id_) for id_ in questions.select(ids).ids]
    order = np.lexsort([-np.round(of_questions, 9) for of_questions in reversed(spreads)])
    return order[: len(questions.top(number))].tolist()
