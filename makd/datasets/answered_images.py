"""Where the images of a targets folder are, and of which class they are."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from makd.datasets.dataset_wrappers import inner_datasets, walk_datasets
from makd.errors import ConfigError, DataError
from makd.targets import AspectTargets
from makd.targets.image_key import image_key


@dataclass(frozen=True)
class AnsweredImages:
    """What is known about the N images of a targets folder.

    Attributes:
        paths: Path or URL of each image, N; '' where the image is in no data set.
        labels: Class of each image, (N,) int64; -1 where the image is in no data set.
        classes: Names of the C classes; '' is the name of having none.
        by_folder: Whether the classes are the folders that the keys are in, for lack of others.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    by_folder: bool


def images_of_folder(targets: AspectTargets, root: str) -> AnsweredImages:
    """Look for the images below ``root``, which their keys are relative to; their classes are their folders."""
    return _by_folder(targets, [os.path.join(root, key) for key in targets.keys])


def images_of_datasets(targets: AspectTargets, datasets: Iterable[Any], roots: Sequence[str]) -> AnsweredImages:
    """Look for the images in data sets, which know their classes; where none of them does, classes are folders.

    Args:
        targets: The answers.
        datasets: Data sets of mmpretrain or mmdet, or wrappers of some. No image is loaded.
        roots: The folders that keys may be relative to.

    Raises:
        DataError: None of their images has a key in ``targets``.
    """
    paths = [''] * len(targets)
    known: dict[int, tuple[int, str]] = {}
    num_images = 0
    for outermost in datasets:
        for dataset in walk_datasets(outermost):
            if inner_datasets(dataset):
                continue
            names = dataset.metainfo.get('classes')
            num_images += len(dataset)
            for info in map(dataset.get_data_info, range(len(dataset))):
                if (row := _row(targets, info['img_path'], roots)) is not None:
                    paths[row] = info['img_path']
                    label = info.get('gt_label')
                    if isinstance(label, int | np.integer):
                        known[row] = int(label), names[label] if names else str(label)
    if not any(paths):
        raise DataError(
            f'none of the {num_images} images of the data sets has answers in {targets.path}, whose keys look like '
            f'{targets.keys[0]!r} (looked for relative to {", ".join(map(repr, roots))}). Name a config that loads '
            'these answers or made them, or the folder that the keys are relative to.'
        )
    if not known:
        return _by_folder(targets, paths)
    return _grouped([known.get(row, (-1, '')) if path else None for row, path in enumerate(paths)], paths, False)


def _row(targets: AspectTargets, path: str, roots: Sequence[str]) -> int | None:
    for root in roots:
        try:
            key = image_key(path, os.path.join(root, ''))
        except ConfigError:  # outside of this root
            continue
        if key in targets:
            return targets.row(key)
    return None


def _by_folder(targets: AspectTargets, paths: Sequence[str]) -> AnsweredImages:
    folders = [(0, key.rpartition('/')[0]) if path else None for key, path in zip(targets.keys, paths)]
    return _grouped(folders, paths, True)


def _grouped(class_of: Sequence[tuple[int, str] | None], paths: Sequence[str], by_folder: bool) -> AnsweredImages:
    """Number the classes, which may share a name, by their label and name."""
    classes = sorted({class_ for class_ in class_of if class_ is not None})
    index = {class_: number for number, class_ in enumerate(classes)}
    labels = np.array([-1 if class_ is None else index[class_] for class_ in class_of], np.int64)
    return AnsweredImages(tuple(paths), labels, tuple(name for _, name in classes), by_folder)
