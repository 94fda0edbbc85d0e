"""Where the images of a targets folder are, and which class each has."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from makd.datasets.dataset_wrappers import leaf_datasets
from makd.datasets.targets_join import TargetsJoin
from makd.errors import ConfigError, DataError
from makd.targets import AspectTargets
from makd.targets.image_key import image_key


@dataclass(frozen=True)
class AnsweredImages:
    """Paths and classes of the N images of a targets folder.

    Attributes:
        paths: Path or URL of each image, N; '' for an image that is in no dataset.
        labels: Class of each image, (N,) int64; -1 for an image that is in no dataset.
        classes: Names of the C classes; '' for the images that a dataset lists without a class.
        by_folder: Whether the folders of the keys stand in for classes, because no dataset knows any.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    by_folder: bool


@dataclass(frozen=True, eq=False)
class _TargetsBelowRoots:
    """Targets whose keys are relative to any of several folders."""

    targets: AspectTargets
    roots: Sequence[str]

    def key(self, img_path: str) -> str:
        """Return the key of an image; '', which is never a key, if it has none below any root."""
        for root in self.roots:
            try:
                key = image_key(img_path, os.path.join(root, ''))
            except ConfigError:  # outside this root
                continue
            if key in self.targets:
                return key
        return ''


def images_of_folder(targets: AspectTargets, root: str) -> AnsweredImages:
    """Take ``root`` as the folder that the keys are relative to, and the folders of the keys as classes."""
    return _by_folder(targets, [os.path.join(root, key) for key in targets.keys])


def images_of_datasets(targets: AspectTargets, datasets: Iterable[Any], roots: Sequence[str]) -> AnsweredImages:
    """Look for the images in datasets, which know their classes; if none does, the folders of the keys are classes.

    Args:
        targets: The answers.
        datasets: Datasets of mmpretrain or mmdet, or wrappers. No image is loaded.
        roots: The folders that keys may be relative to.

    Raises:
        DataError: None of the datasets' images has a key in ``targets``.
    """
    source = _TargetsBelowRoots(targets, roots)
    joins = [TargetsJoin.of_dataset(leaf, source) for dataset in datasets for leaf in leaf_datasets(dataset)]
    paths = [''] * len(targets)
    known: dict[int, tuple[int, str]] = {}
    for join in joins:
        for index in np.flatnonzero(join.rows >= 0):
            row, label = int(join.rows[index]), int(join.labels[index])
            paths[row] = join.paths[index]
            if label >= 0:
                known[row] = label, join.classes[label]
    if not any(paths):
        raise DataError(
            f'none of the {sum(len(join.paths) for join in joins)} images of the datasets has answers in '
            f'{targets.path}, whose keys look like {targets.keys[0]!r} (looked for relative to '
            f'{", ".join(map(repr, roots))}). Name a config that loads or made these answers, or the folder that the '
            'keys are relative to.'
        )
    if not known:
        return _by_folder(targets, paths)
    return _grouped([known.get(row, (-1, '')) if path else None for row, path in enumerate(paths)], paths, False)


def _by_folder(targets: AspectTargets, paths: Sequence[str]) -> AnsweredImages:
    folders = [(0, key.rpartition('/')[0]) if path else None for key, path in zip(targets.keys, paths)]
    return _grouped(folders, paths, True)


def _grouped(class_of: Sequence[tuple[int, str] | None], paths: Sequence[str], by_folder: bool) -> AnsweredImages:
    """Number the classes by their label and name: classes of two datasets may share either."""
    classes = sorted({class_ for class_ in class_of if class_ is not None})
    index = {class_: number for number, class_ in enumerate(classes)}
    labels = np.array([-1 if class_ is None else index[class_] for class_ in class_of], np.int64)
    return AnsweredImages(tuple(paths), labels, tuple(name for _, name in classes), by_folder)
