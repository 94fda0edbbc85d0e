"""How similar the aspect logits of annotator and student are as spaces of images (paper section 5.3, Figure 5)."""

import numpy as np
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.manifold import TSNE

from makd.evaluation.aspect_metric import auc

LIMIT = 7.0  # a logit of 7 is P(yes) = 0.999


def clip_logits(logits: np.ndarray) -> np.ndarray:
    """Clip logits to P(yes) from 0.001 to 0.999.

    A certain answer has an infinite logit, which has no place in a space, and very large logits should not outweigh the
    others.
    """
    return np.clip(logits, -LIMIT, LIMIT)


def embed(logits: np.ndarray, seed: int) -> np.ndarray:
    """Embed N >= 4 rows of finite aspect logits, (N, Q), in the plane by t-SNE, (N, 2)."""
    perplexity = min(30.0, (len(logits) - 1) / 3)
    return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(logits)


def distance_agreement(annotator: np.ndarray, student: np.ndarray) -> float:
    """Return Spearman's correlation, in [-1, 1], of the distances of all pairs of images in both spaces.

    It is 1 if the student orders all pairs of images by similarity as the annotator does.

    Args:
        annotator: Aspect logits, (N, Q), finite.
        student: Logits of the same images, (N, Q).
    """
    return float(spearmanr(pdist(annotator), pdist(student)).statistic)


def question_auc(student: np.ndarray, annotator: np.ndarray) -> np.ndarray:
    """Return the AUC of each question as in ``makd.AspectMetric``, (Q,), from P(yes), (N, Q); NaN where undefined."""
    pairs = torch.from_numpy(np.stack([student.T, annotator.T], axis=1))
    return np.array([auc(*pair[:, ~pair[1].isnan()]) for pair in pairs])
