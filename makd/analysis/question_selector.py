"""Selection of questions by the information that their answers give about the class of an image."""

from collections.abc import Callable, Sequence

import numpy as np

from makd.errors import TargetsError


class QuestionSelector:
    r"""The mutual information of answers and class, estimated on images that the estimate has not seen.

    With :math:`A_q` the answer to question q and C the class, I(C; A_S) of a set S of questions is at least

    .. math::
        H(C) + \frac{1}{N} \sum_n \log_2 \hat p_{-n}(c_n \mid a_{nS}), \qquad
        \hat p_{-n}(c \mid a_{nS}) \propto \pi_c \prod_{q \in S} \theta_{cq}^{p_{nq}} (1 - \theta_{cq})^{1 - p_{nq}}

    for any :math:`\hat p` that does not know image n (Barber and Agakov, 2003). Here it is naive Bayes on soft answers:
    :math:`\theta_{cq}` is the mean of P(yes) over the images of class c without image n, with one more image that is
    answered like the average image. Leaving n out corrects the bias: estimated on the same images, a question whose
    answers are noise would seem to tell classes of few images apart. The gain of a question beyond others is the
    difference of two such sums, an estimate of the conditional mutual information I(C; A_q | A_S).

    Args:
        probability: P(yes), (N, Q) in [0, 1]; NaN where there is no answer, which gives no information.
        labels: Class of each image, N.

    Raises:
        TargetsError: No class has two images, so that there is no other image to estimate a class's answers from.
    """

    def __init__(self, probability: np.ndarray, labels: Sequence[int]) -> None:
        _, self._class, size = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
        if size.max() < 2:
            raise TargetsError(
                f'each of the {len(size)} classes has one annotated image, and a second one is needed to estimate the '
                'information of its answers: annotate at least two images of some classes'
            )
        self._answered = ~np.isnan(probability)
        self._yes = np.where(self._answered, probability, 0.0).astype(np.float32)
        self._no = np.where(self._answered, 1 - self._yes, 0.0).astype(np.float32)
        self._prior = np.log(size / len(labels)).astype(np.float32)
        self.entropy = float(-(size / len(labels)) @ self._prior / np.log(2))

    def rank(self, top: int | None = None, progress: Callable[[int, float], None] | None = None) -> list[int]:
        """Return columns of ``probability``, each with the largest gain beyond the columns before it.

        Args:
            top: Number of questions; all if None.
            progress: Called with each chosen question and the information so far, in bits.
        """
        left = list(range(self._yes.shape[1]))
        chosen: list[int] = []
        log_posterior = self._log_prior()
        while left and len(chosen) < (top or len(left) + len(chosen)):
            best = max(left, key=lambda q: self._information(log_posterior + self._log_likelihood(q)))
            log_posterior += self._log_likelihood(best)
            left.remove(best)
            chosen.append(best)
            if progress is not None:
                progress(best, self._information(log_posterior))
        return chosen

    def information(self, questions: Sequence[int]) -> list[float]:
        """Return the information about the class, in bits, of the first, the first two, ... of these questions."""
        log_posterior = self._log_prior()
        bits = []
        for question in questions:
            log_posterior += self._log_likelihood(question)
            bits.append(self._information(log_posterior))
        return bits

    def _log_prior(self) -> np.ndarray:
        """Return log p(class) for each image, (N, C)."""
        return np.tile(self._prior, (len(self._class), 1))

    def _log_likelihood(self, question: int) -> np.ndarray:
        """Return log p(answer | class) up to a constant, (N, C); for an image's own class, from its other images."""
        yes, no, classes = self._yes[:, question], self._no[:, question], len(self._prior)
        yes_of_class = np.bincount(self._class, yes, classes)
        count_of_class = np.bincount(self._class, self._answered[:, question], classes)
        # Never 0 or 1, whose logarithm is infinite.
        average = (yes.sum() + 0.5) / (self._answered[:, question].sum() + 1)

        def log_theta(yes_sum: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            theta = ((yes_sum + average) / (count + 1)).astype(np.float32)
            return np.log(theta), np.log1p(-theta)

        log_yes, log_no = log_theta(yes_of_class, count_of_class)
        result = np.multiply.outer(yes, log_yes) + np.multiply.outer(no, log_no)
        own_yes, own_no = log_theta(
            yes_of_class[self._class] - yes, count_of_class[self._class] - self._answered[:, question]
        )
        result[np.arange(len(yes)), self._class] = yes * own_yes + no * own_no
        return result

    def _information(self, log_posterior: np.ndarray) -> float:
        shifted = log_posterior - log_posterior.max(axis=1, keepdims=True)
        own = shifted[np.arange(len(self._class)), self._class]
        return self.entropy + float((own - np.log(np.exp(shifted).sum(axis=1))).mean() / np.log(2))
