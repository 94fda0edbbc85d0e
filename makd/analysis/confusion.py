"""Soft confusion of classes: the probability that a classifier gives to one class on images of the other."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """Confusions of several runs of one config on the same images.

    Attributes:
        mass: For each run, the sum over the images of class a of the probability of class b, (R, C, C).
        counts: For each run, the number of images of class a that are taken for class b, (R, C, C).
        images: Number of images of each class, (C,).
    """

    mass: np.ndarray
    counts: np.ndarray
    images: np.ndarray

    @classmethod
    def of_runs(cls, probabilities: Iterable[np.ndarray], labels: np.ndarray) -> 'Confusion':
        """Sum up the class probabilities of each run, (N, C) in [0, 1], on images of these classes, (N,)."""
        mass, counts = [], []
        for probability in probabilities:
            classes = probability.shape[1]
            of_run, taken = np.zeros((classes, classes)), np.zeros((classes, classes), int)
            np.add.at(of_run, labels, probability)
            np.add.at(taken, (labels, probability.argmax(axis=1)), 1)
            mass.append(of_run)
            counts.append(taken)
        return cls(np.stack(mass), np.stack(counts), np.bincount(labels, minlength=classes))

    @property
    def runs(self) -> int:
        """R, the number of runs."""
        return len(self.mass)

    def soft(self, runs: list[int] | None = None) -> np.ndarray:
        """Return for each pair of classes the mean probability of one on images of the other, (C, C), symmetric.

        The mean is over the images of both classes, and over the runs (all, if None). It is 0 on the diagonal and for
        pairs without images.
        """
        return self._of_pairs(self.mass[slice(None) if runs is None else runs].mean(axis=0))

    def hard(self) -> np.ndarray:
        """Return for each pair of classes the share of their images taken for the other, mean over runs, (C, C)."""
        return self._of_pairs(self.counts.mean(axis=0))

    def _of_pairs(self, matrix: np.ndarray) -> np.ndarray:
        images = self.images[:, None] + self.images
        pairs = (matrix + matrix.T) / np.maximum(images, 1)
        np.fill_diagonal(pairs, 0.0)
        return pairs

    @property
    def wrong_mass(self) -> float:
        """The probability of all wrong classes together, in [0, 1], mean over images and runs."""
        mass = self.mass.mean(axis=0)
        return float((mass.sum() - np.trace(mass)) / self.images.sum())

    @property
    def wrong(self) -> float:
        """The share of images whose class is wrong, in [0, 1], mean over the runs."""
        counts = self.counts.mean(axis=0)
        return float((counts.sum() - np.trace(counts)) / self.images.sum())

    def distance_of_wrong(self, distance: np.ndarray) -> float:
        """Return the mean distance of wrong classes from the right one, weighted by their probability.

        Args:
            distance: Distance of two classes, (C, C); pairs of distance NaN are left out.
        """
        weight = self.mass.mean(axis=0) * ~np.isnan(distance)
        np.fill_diagonal(weight, 0.0)
        return float((weight * np.nan_to_num(distance)).sum() / weight.sum())


def strongest_pairs(matrix: np.ndarray, top: int) -> list[tuple[int, int]]:
    """Return the pairs (a, b), a < b, with the largest positive entries of a symmetric matrix, the largest first."""
    first, second = np.triu_indices(len(matrix), 1)
    values = matrix[first, second]
    order = np.argsort(-values, kind='stable')[:top]
    return [(int(first[i]), int(second[i])) for i in order if values[i] > 0]


def held_out(baseline: Confusion, other: Confusion, top: int) -> tuple[float, float] | None:
    """Estimate how much of the difference of the selected pairs is due to their selection.

    Pairs are selected by the largest difference baseline - other on all runs but one of each, and measured in the runs
    left out; each run is left out once.

    Returns:
        The mean difference of the selected pairs in the runs that they were selected on, and in the runs left out; None
        if one of the two has a single run, or no pair has a difference.
    """
    folds = min(baseline.runs, other.runs)
    if folds < 2:
        return None
    chosen_on, left_out = [], []
    for fold in range(folds):
        seen = _without(baseline, fold) - _without(other, fold)
        unseen = baseline.soft([fold]) - other.soft([fold])
        for pair in strongest_pairs(seen, top):
            chosen_on.append(seen[pair])
            left_out.append(unseen[pair])
    return (float(np.mean(chosen_on)), float(np.mean(left_out))) if chosen_on else None


def _without(confusion: Confusion, fold: int) -> np.ndarray:
    return confusion.soft([run for run in range(confusion.runs) if run != fold])


def answer_distance(means: np.ndarray) -> np.ndarray:
    """Return the mean absolute difference of the answers about each pair of classes, (C, C) in [0, 1].

    Args:
        means: Mean P(yes) of each class, (C, Q); NaN where there is no answer, which is left out.

    Returns:
        (C, C); NaN for two classes without an answer to a common question.
    """
    answered = (~np.isnan(means)).astype(float)
    filled = np.nan_to_num(means)
    distance = np.zeros((len(means), len(means)))
    for question in range(means.shape[1]):  # (C, C, Q) at once would not fit for a thousand classes
        both = np.outer(answered[:, question], answered[:, question])
        distance += both * abs(filled[:, question, None] - filled[:, question])
    common = answered @ answered.T
    with np.errstate(invalid='ignore'):  # 0 / 0 is NaN
        return distance / common


def telling_questions(means: np.ndarray, pair: tuple[int, int], top: int) -> list[int]:
    """Return at most ``top`` questions whose answers about two classes differ, those that differ most first.

    Args:
        means: Mean P(yes) of each class, (C, Q); NaN where there is no answer.
        pair: The two classes.
        top: The largest number of questions.
    """
    difference = np.nan_to_num(abs(means[pair[0]] - means[pair[1]]))
    return [int(q) for q in np.argsort(-difference, kind='stable')[:top] if difference[q] > 0]
