"""Caltech-101 without its background images."""

from pathlib import Path
from typing import Any

from mmpretrain import datasets
from mmpretrain.datasets.categories import CALTECH101_CATEGORIES

from makd.errors import ConfigError, DataError
from makd.registry import DATASETS


@DATASETS.register_module()
class Caltech101(datasets.Caltech101):
    """The 101 categories of Caltech-101 (Fei-Fei et al., 2004), as the paper's authors learn them.

    mmpretrain's dataset has 102 classes: it counts the background images, in which there is nothing to recognise.

    Args:
        data_root: Folder of the dataset.
        split: 'train' or 'test'.
        **kwargs: Arguments of mmpretrain's ``BaseDataset``, such as ``pipeline``.

    Raises:
        ConfigError: The split does not exist.
        DataError: A list was written for other classes.
    """

    METAINFO = {'classes': tuple(name for name in CALTECH101_CATEGORIES if name != 'BACKGROUND_Google')}

    def __init__(self, data_root: str = 'data/caltech101', split: str = 'train', **kwargs: Any) -> None:
        if split not in ('train', 'test'):
            raise ConfigError(f"makd.Caltech101: split={split!r} must be 'train' or 'test'.")
        super().__init__(data_root=data_root, split=split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return ``img_path`` and ``gt_label`` of each image."""
        samples = super().load_data_list()
        for sample in samples:
            category, label = Path(sample['img_path']).parent.name, sample['gt_label']
            if label >= len(self.CLASSES) or self.CLASSES[label] != category:
                raise DataError(
                    f'{self.ann_file}: label {label} of {sample["img_path"]} is not that of the category {category}. '
                    'The list was written for other classes: python tools/prepare_dataset.py caltech101'
                )
        return samples
