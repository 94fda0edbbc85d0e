"""How much the answers about an image speak for a class."""

import numpy as np


class WeightOfEvidence:
    """What the annotator's answers about the training images say about the answers to expect of a class.

    The student's class scores do not depend on its answers: both are read off the same features. So its answers explain
    a class only as they would to somebody who knows how the annotator answers about it. The answer to question q, yes
    with probability p_q, speaks for class c by the weight of evidence, in bits,

    ::

        e_q(c)   = p_q log2(theta_cq / theta_q) + (1 - p_q) log2((1 - theta_cq) / (1 - theta_q))
        theta_q  = (1/2 + sum of y_nq over all images n) / (1 + N_q)
        theta_cq = (theta_q + sum of y_nq over the images n of class c) / (1 + N_cq)

    where y_nq is the annotator's P(yes) about training image n, and N_q and N_cq count the images, all and of class c,
    that have an answer: theta_cq is the class's mean answer, with one more image that answers as the average image
    does, as in :class:`~makd.analysis.QuestionSelector`. So certain answers stay finite, a class without answers gets 0
    from every question, and so does a question that all classes answer alike. Evidence below 0 speaks against the
    class.

    Args:
        probability (np.ndarray): The annotator's P(yes), (N, Q) in [0, 1]; NaN where there is no answer.
        labels (np.ndarray): Class of each image, (N,) in [0, C).
        num_classes (int): C.

    Attributes:
        overall (np.ndarray): theta_q, (Q,) in (0, 1).
        of_class (np.ndarray): theta_cq, (C, Q) in (0, 1).
    """

    def __init__(self, probability: np.ndarray, labels: np.ndarray, num_classes: int) -> None:
        answered = ~np.isnan(probability)
        yes, count = np.zeros((2, num_classes, probability.shape[1]))
        np.add.at(yes, labels, np.where(answered, probability, 0.0))
        np.add.at(count, labels, answered)
        self.overall = (yes.sum(axis=0) + 0.5) / (count.sum(axis=0) + 1)
        self.of_class = (yes + self.overall) / (count + 1)

    def bits(self, probability: np.ndarray, label: int) -> np.ndarray:
        """Return how much each answer about an image speaks for a class.

        Args:
            probability (np.ndarray): P(yes) about the image, (Q,) in [0, 1].
            label (int): The class.

        Returns:
            np.ndarray: Bits, (Q,); negative where the answer speaks against the class.
        """
        theta = self.of_class[label]
        yes, no = np.log2(theta / self.overall), np.log2((1 - theta) / (1 - self.overall))
        return probability * yes + (1 - probability) * no
