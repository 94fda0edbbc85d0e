"""A fraction of a dataset, for experiments with less training data."""

from collections.abc import Iterator
from hashlib import blake2b
from os.path import join
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from makd.errors import ConfigError, DataError
from makd.registry import DATASETS


@DATASETS.register_module()
class SubsetDataset:
    """Keep the same fraction of every class of a classification dataset, or of the images of a detector's dataset.

    **Classification.** Of N images, ``round(fraction * N)`` are kept, in their order. A class of n images keeps
    ``floor(fraction * n)``; the rest of the total goes, one image per class, first to classes that would keep none,
    then to those with the largest remainder (Hamilton's method), ties in a seeded random order. A class keeps the first
    images of a seeded permutation.

    So the subset depends only on the dataset, ``fraction`` and ``seed``. With the same seed, a smaller fraction is
    contained in a larger one, except for at most one image per class, if rounding favoured that class only in the
    smaller fraction (never if all classes have the same size).

    **Detection.** An image is kept if a seeded hash of its path below ``data_root`` lies below ``fraction``. So a
    smaller fraction is contained in a larger one; and training, which leaves out images without objects, and
    annotation, which does not, agree about the images, whether ``mmdet.CocoDataset`` or ``makd.CocoBoxes`` reads them.
    Chance makes the number of images a little smaller or larger than ``fraction * N``: 1,183 +- 34 of the 118,287 of
    COCO at 0.01.

    Args:
        dataset: A classification dataset with one label per image, a detector's dataset, or the config of either. An
            instance is not changed.
        fraction: Share of images to keep, in (0, 1].
        seed: Seed of the choice.
        lazy_init: Whether to load annotations later, in :meth:`full_init`.

    Raises:
        ConfigError: ``fraction`` is outside (0, 1] or so small that no image is left, or ``dataset`` is not an
            :class:`mmengine.dataset.BaseDataset`.
        DataError: An image has no label, or several.
    """

    def __init__(self, dataset: BaseDataset | dict, fraction: float, seed: int = 0, lazy_init: bool = False) -> None:
        if not 0 < fraction <= 1:
            raise ConfigError(f'SubsetDataset: fraction={fraction} is outside (0, 1]; 0.4 keeps 40 % of the images')
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if not isinstance(self.dataset, BaseDataset):
            raise ConfigError(
                f'SubsetDataset: dataset is a {type(self.dataset).__name__}, not a BaseDataset; put the SubsetDataset '
                'inside the other wrappers'
            )
        self.fraction = fraction
        self.seed = seed
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """A copy of the meta information of the dataset."""
        return self.dataset.metainfo

    @property
    def CLASSES(self) -> tuple[str, ...] | None:  # noqa: N802
        """Names of the classes, under the name that mmpretrain's ``ClassNumCheckHook`` reads."""
        return self.metainfo.get('classes')

    def full_init(self) -> None:
        """Load the annotations and choose the subset."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        if len(self.dataset) and 'instances' in self.dataset.get_data_info(0):
            indices = list(self._chosen_by_name())
        else:
            indices = _stratified_indices(self._labels(), self.fraction, self.seed).tolist()
        if not indices:
            raise ConfigError(
                f'SubsetDataset: fraction={self.fraction} of {len(self.dataset)} images keeps none; use a larger one'
            )
        # A copy, not a table of indices: a training set replaces an unreadable image by a random one of its own, which
        # must come from the subset.
        self.dataset = self.dataset.get_subset(indices)
        self._fully_initialized = True

    def _chosen_by_name(self) -> Iterator[int]:
        root = join(getattr(self.dataset, 'data_root', None) or '', '')
        for index in range(len(self.dataset)):
            name = self.dataset.get_data_info(index)['img_path'].removeprefix(root)
            digest = blake2b(f'{self.seed}:{name}'.encode(), digest_size=8).digest()
            if int.from_bytes(digest, 'big') < self.fraction * 2**64:
                yield index

    def _labels(self) -> np.ndarray:
        labels = []
        for index in range(len(self.dataset)):
            info = self.dataset.get_data_info(index)
            label = info.get('gt_label')
            if label is None or np.ndim(label) > 0:
                raise DataError(
                    f'SubsetDataset: gt_label={label} of {info.get("img_path", f"image {index}")} in '
                    f'{type(self.dataset).__name__} is not one class; a stratified subset needs one label per image'
                )
            labels.append(int(label))
        return np.array(labels)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of an image of the subset, such as its ``img_path`` and ``gt_label``."""
        return self.dataset.get_data_info(idx)

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the class of an image of the subset, as a list of one, or the classes of its objects."""
        return self.dataset.get_cat_ids(idx)

    @force_full_init
    def __len__(self) -> int:
        return len(self.dataset)

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        return self.dataset[idx]


def _stratified_indices(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Return the sorted indices of the images that are kept, given the class of each image, (N,)."""
    rng = np.random.default_rng(seed)
    _, classes, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    # In integer billionths: in floating point 0.29 * 100 is below 29, and 0.4 * 6 and 0.4 * 1 differ in remainder.
    kept, remainders = np.divmod(np.round(fraction * sizes * 1e9).astype(np.int64), 10**9)
    by_claim = np.lexsort((rng.random(len(sizes)), -remainders, kept > 0))
    kept[by_claim[: round(fraction * len(labels)) - kept.sum()]] += 1

    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(classes[shuffled], kind='stable')]
    position_in_class = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_class[position_in_class < np.repeat(kept, sizes)])
