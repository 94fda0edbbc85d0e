"""How much the answers about an image speak for a class."""

import numpy as np

from makd.analysis.class_means import class_sums


class WeightOfEvidence:
    """The evidence that answers give for a class, learnt from the annotator's answers about the training images.

    The student's class scores do not depend on its answers: both are computed from the same features. So its answers
    explain a class only to somebody who knows how the annotator answers about it. The answer to question q, yes with
    probability p_q, speaks for class c by the weight of evidence, in bits,

    ::

        e_q(c)   = p_q log2(theta_cq / theta_q) + (1 - p_q) log2((1 - theta_cq) / (1 - theta_q))
        theta_q  = (1/2 + sum of y_nq over all images n) / (1 + N_q)
        theta_cq = (theta_q + sum of y_nq over the images n of class c) / (1 + N_cq)

    where y_nq is the annotator's P(yes) about training image n, and N_q and N_cq count the images, all and of class c,
    that have an answer: theta_cq is the class's mean answer, with one more image that is answered like the average
    image, as in :class:`~makd.analysis.QuestionSelector`. So certain answers have finite evidence, and a class without
    answers has evidence 0 from every question, as has every class from a question that is answered alike for all.
    Evidence below 0 speaks against the class.

    Args:
        probability: The annotator's P(yes), (N, Q) in [0, 1]; NaN where there is no answer.
        labels: Class of each image, (N,) in [0, C).
        num_classes: C.

    Attributes:
        overall: theta_q, (Q,) in (0, 1).
        of_class: theta_cq, (C, Q) in (0, 1).
    """

    def __init__(self, probability: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
        yes, count = class_sums(probability, labels, num_classes)
        self.overall = (yes.sum(axis=0) + 0.5) / (count.sum(axis=0) + 1)
        self.of_class = (yes + self.overall) / (count + 1)

    def bits(self, probability: np.ndarray, label: int) -> np.ndarray:
        """Return the bits, (Q,), by which each answer about an image, P(yes) (Q,) in [0, 1], speaks for a class."""
        theta = self.of_class[label]
        yes, no = np.log2(theta / self.overall), np.log2((1 - theta) / (1 - self.overall))
        return probability * yes + (1 - probability) * no
