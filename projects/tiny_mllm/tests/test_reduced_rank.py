import numpy as np

from projects.tiny_mllm.reduced_rank import RIDGE, reduced_rank_embedding


def ridge_predictions(features, targets):
    x = (features - features.mean(0)) / (features.std(0) + 1e-3)
    x_known = x[: len(targets)] - x[: len(targets)].mean(0)
    y = targets - targets.mean(0)
    solution = np.linalg.inv(x_known.T @ x_known + RIDGE * len(x_known) * np.eye(x.shape[1])) @ x_known.T @ y
    return x @ solution


def test_the_embedding_spans_what_ridge_regression_predicts_of_known_targets():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 8)) * np.arange(1, 9) + 3
    full, half = features @ rng.normal(size=(8, 2)) + rng.normal(size=(60, 2)), rng.normal(size=(60, 1))
    half[40:] = np.nan
    weight, bias = reduced_rank_embedding(features, np.concatenate([full, half], 1), rank=3)
    embedded = features @ weight.T + bias
    assert weight.shape == (3, 8)
    np.testing.assert_allclose(embedded.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose((embedded**2).mean(), 1, rtol=1e-4)
    expected = np.concatenate([ridge_predictions(features, full), ridge_predictions(features, half[:40])], 1)
    fitted = embedded @ np.linalg.lstsq(embedded, expected, rcond=None)[0]
    np.testing.assert_allclose(fitted, expected, atol=1e-5)


def test_a_lower_rank_keeps_the_strongest_direction():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 4))
    targets = np.stack([10 * features[:, 2], features[:, 0]], 1)
    weight, _ = reduced_rank_embedding(features, targets, rank=1)
    assert abs(weight[0, 2]) > 20 * np.abs(weight[0, [0, 1, 3]]).max()
