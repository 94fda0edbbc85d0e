"""Data sets in data sets: mmengine's, mmpretrain's and mmdet's wrappers keep what they wrap under two names."""

from collections.abc import Iterator
from typing import Any


def inner_datasets(dataset: Any) -> list[Any]:
    """Return the data sets that this one wraps (concatenated, repeated, a subset, ...); none if it is no wrapper."""
    wrapped = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    return [inner for inner in wrapped if inner is not None]


def walk_datasets(dataset: Any) -> Iterator[Any]:
    """Yield this data set and, below it, all that it wraps."""
    yield dataset
    for inner in inner_datasets(dataset):
        yield from walk_datasets(inner)
