"""The initial patch embedding: the directions of the features that best predict what people say about an image."""

import numpy as np

RIDGE = 3.0


def reduced_rank_embedding(
    features: np.ndarray, targets: np.ndarray, rank: int, ridge: float = RIDGE
) -> tuple[np.ndarray, np.ndarray]:
    """Return the linear map to ``rank`` dimensions from which ``targets`` are predicted best.

    This is a ridge regression of the targets on the standardised features, whose predictions are reduced to their first
    ``rank`` principal components (reduced-rank regression; Izenman 1975). Each component is scaled to the square root
    of its standard deviation, so that strong components do not drown the others, and all to a mean square of 1.

    Args:
        features: (N, D).
        targets: (N, T), scaled by how much each should count; NaN where unknown.
        rank: At most min(D, T).
        ridge: Weight of the penalty, for features of variance 1.

    Returns:
        Weight (rank, D) and bias (rank,).
    """
    features = features.astype(np.float64)
    mean, deviation = features.mean(0), features.std(0) + 1e-3
    x = (features - mean) / deviation
    maps = np.empty((x.shape[1], targets.shape[1]))
    known = ~np.isnan(targets)
    for pattern in np.unique(known, axis=1).T:  # the targets that are known for the same rows are solved together
        columns = (known == pattern[:, None]).all(0)
        rows, y = x[pattern], targets[pattern][:, columns]
        rows, y = rows - rows.mean(0), y - y.mean(0)
        gram = rows.T @ rows / len(rows) + ridge * np.eye(rows.shape[1])
        maps[:, columns] = np.linalg.solve(gram, rows.T @ y / len(rows))
    _, scales, components = np.linalg.svd(x @ maps / np.sqrt(len(x)), full_matrices=False)
    scales, components = scales[:rank], components[:rank]
    weight = components @ maps.T / np.sqrt(scales)[:, None] / np.sqrt(scales.mean()) / deviation
    return weight.astype(np.float32), (-weight @ mean).astype(np.float32)
