"""Datasets in datasets: the wrappers of mmengine, mmpretrain and mmdet keep what they wrap under two names."""

from collections.abc import Iterator
from typing import Any


def inner_datasets(dataset: Any) -> list[Any]:
    """Return the datasets that this one wraps (concatenated, repeated, a subset, ...); none if it is not a wrapper."""
    wrapped = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [inner for inner in wrapped if inner is not None]


def walk_datasets(dataset: Any) -> Iterator[Any]:
    """Yield this dataset and all datasets inside it."""
    yield dataset
    for inner in inner_datasets(dataset):
        yield from walk_datasets(inner)


def leaf_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the datasets inside this one that wrap nothing; the dataset itself if it is not a wrapper."""
    return (inner for inner in walk_datasets(dataset) if not inner_datasets(inner))
