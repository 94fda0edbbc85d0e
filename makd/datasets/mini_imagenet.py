"""Mini-ImageNet for ordinary classification."""

import csv
from collections import defaultdict
from pathlib import Path
from typing import Any

from mmpretrain.datasets import BaseDataset

from makd.errors import ConfigError, DataError
from makd.registry import DATASETS

PARTS = ('train.csv', 'val.csv', 'test.csv')  # Ravi and Larochelle's, of 64, 16 and 20 classes
NUM_TRAINING = 500  # of the 600 images of a class


@DATASETS.register_module()
class MiniImageNet(BaseDataset):
    """100 classes of ImageNet with 600 images each (Vinyals et al., 2016; Ravi & Larochelle, 2017).

    The lists split the classes for few-shot learning. Here all 100 are learnt: the first 500 images of each class, in
    the order of its list, are for training and the last 100 for the test. The paper does not say how it split them.

    Classes are WordNet ids, sorted. ``data_root`` holds ``train.csv``, ``val.csv`` and ``test.csv`` with the columns
    ``filename`` and ``label``, and ``images/``.

    Args:
        data_root: Folder of the dataset.
        split: 'train' or 'test'.
        **kwargs: Arguments of mmpretrain's ``BaseDataset``, such as ``pipeline``.

    Raises:
        ConfigError: The split does not exist.
        DataError: A list does not exist or lacks a column.
    """

    def __init__(self, *, data_root: str = 'data/mini_imagenet', split: str = 'train', **kwargs: Any) -> None:
        if split not in ('train', 'test'):
            raise ConfigError(f"makd.MiniImageNet: split={split!r} must be 'train' or 'test'.")
        self.split = split
        super().__init__(ann_file='', data_root=data_root, data_prefix='images', test_mode=split == 'test', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return ``img_path`` and ``gt_label`` of each image, and set the classes."""
        by_class: dict[str, list[str]] = defaultdict(list)
        for part in PARTS:
            path = Path(self.data_root) / part
            try:
                with path.open(encoding='utf-8', newline='') as file:
                    for row in csv.DictReader(file):
                        by_class[row['label']].append(row['filename'])
            except FileNotFoundError:
                raise DataError(
                    f'{path} does not exist: `python tools/prepare_dataset.py mini_imagenet` says how to get it'
                ) from None
            except KeyError as error:
                raise DataError(f'{path} has no column {error}: it is not a list of Mini-ImageNet') from None
        self._metainfo['classes'] = tuple(sorted(by_class))
        part_of_class = slice(NUM_TRAINING) if self.split == 'train' else slice(NUM_TRAINING, None)
        return [
            dict(img_path=str(Path(self.data_root) / 'images' / name), gt_label=label)
            for label, class_ in enumerate(sorted(by_class))
            for name in by_class[class_][part_of_class]
        ]
