"""The answers to questions, summed up for each class (paper section 5.2, Figure 4)."""

from collections.abc import Sequence

import numpy as np

from makd.questions import QuestionSet

BAND = (0.1, 0.9)


def class_means(values: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Return the mean over the images of each class.

    Args:
        values: (N, Q), such as P(yes); NaN where there is no answer, which is left out.
        labels: (N,), class of each image.
        num_classes: C.

    Returns:
        (C, Q) float64; NaN where no image of the class has an answer.
    """
    answered = ~np.isnan(values)
    total, count = np.zeros((2, num_classes, values.shape[1]))
    np.add.at(total, labels, np.where(answered, values, 0.0))
    np.add.at(count, labels, answered)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def class_band(values: np.ndarray, labels: np.ndarray, classes: Sequence[int]) -> np.ndarray:
    """Return the first and the ninth decile of the images of some classes.

    Args:
        values: (N,), answers to one question; NaN where there is none.
        labels: (N,), class of each image.
        classes: K of the classes.

    Returns:
        (2, K) float64; NaN where no image of the class has an answer.
    """
    band = np.full((2, len(classes)), np.nan)
    for column, label in enumerate(classes):
        of_class = values[(labels == label) & ~np.isnan(values)]
        if len(of_class):
            band[:, column] = np.quantile(of_class, BAND)
    return band


def mean_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Return Pearson's correlation of two sets of means, (C,), over the classes that have both; NaN if one is flat."""
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < 2 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return float('nan')
    return float(np.corrcoef(one[both], other[both])[0, 1])


def spread(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each column, (Q,), of values (M, Q); NaN is left out, a column of it has 0."""
    answered = ~np.isnan(values)
    count = np.maximum(answered.sum(axis=0), 1)
    mean = np.where(answered, values, 0.0).sum(axis=0) / count
    return np.sqrt((np.where(answered, values - mean, 0.0) ** 2).sum(axis=0) / count)


def choose_questions(
    questions: QuestionSet, ids: Sequence[str] | None, spreads: Sequence[np.ndarray], number: int
) -> list[int]:
    """Return the columns of the questions of these ids; without ids, of those with the largest spread.

    Args:
        questions: The Q questions.
        ids: What was asked for.
        spreads: Of each question, (Q,); a later one decides where the earlier are equal, and then their order.
        number: How many, without ids.

    Raises:
        QuestionsError: An id is unknown or occurs twice, or ``number`` is out of range.
    """
    if ids is not None:
        return [questions.ids.index(id_) for id_ in questions.select(ids).ids]
    order = np.lexsort([-np.round(one, 9) for one in reversed(spreads)])
    return order[: len(questions.top(number))].tolist()
