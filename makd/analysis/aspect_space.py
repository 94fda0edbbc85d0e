"""How alike the spaces are that annotator and student span by their aspect logits (paper section 5.3, Figure 5)."""

import numpy as np
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.manifold import TSNE

from makd.evaluation.aspect_metric import AspectMetric

LIMIT = 7.0  # a logit of 7 is P(yes) = 0.999


def clip_logits(logits: np.ndarray) -> np.ndarray:
    """Clip logits to P(yes) from 0.001 to 0.999.

    A certain answer has an infinite logit, which has no place in a space; and how much more than certain an answer is
    should not outweigh the others.
    """
    return np.clip(logits, -LIMIT, LIMIT)


def embed(logits: np.ndarray, seed: int) -> np.ndarray:
    """Embed N rows of aspect logits (N, Q) in the plane by t-SNE, (N, 2); finite, at least four of them."""
    perplexity = min(30.0, (len(logits) - 1) / 3)
    return TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(logits)


def distance_agreement(annotator: np.ndarray, student: np.ndarray) -> float:
    """Return Spearman's correlation, in [-1, 1], of the distances of all pairs of images in both spaces.

    It needs no embedding: 1 if the student orders all pairs by how alike they are as the annotator does.

    Args:
        annotator: Aspect logits, (N, Q), finite.
        student: The same images', (N, Q).
    """
    return float(spearmanr(pdist(annotator), pdist(student)).statistic)


def question_auc(student: np.ndarray, annotator: np.ndarray) -> np.ndarray:
    """Return the AUC of each question as ``makd.AspectMetric`` has it, (Q,), of P(yes) (N, Q); NaN where undefined."""
    pairs = torch.from_numpy(np.stack([student, annotator], axis=1))
    return np.array([AspectMetric().compute_metrics(list(pairs[..., [q]]))['auc'] for q in range(pairs.shape[-1])])
