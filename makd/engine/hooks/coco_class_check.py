"""Find out before the first step that config and annotations do not mean the same classes."""

import json
import re
from pathlib import Path
from typing import Any

from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.dataset_wrappers import leaf_datasets, walk_datasets
from makd.errors import ConfigError, DataError
from makd.files import read_text
from makd.registry import HOOKS

TRIED = 100  # images that are compared
_FIELD = re.compile(r'"categories"\s*:\s*(?=\[)')


@HOOKS.register_module()
class CocoClassCheckHook(Hook):
    """Compare the classes of a config with the categories of its annotations, before training and testing.

    mmdet silently drops the objects of categories that ``metainfo.classes`` does not name, and numbers the others in
    the order of the file. So if the config names a class that the file lacks, or has another order, boxes get the names
    of other classes. And mmdet's ``CocoMetric`` matches images by number: with the annotations of another split it
    gives low figures, and no error. So its objects are compared with those of the dataset, too.

    Args:
        unnamed: 'error' to refuse a category of the file that the config does not name, 'ignore' to drop its objects.

    Raises:
        ConfigError: ``unnamed`` has another value, or a ``CocoMetric`` has other annotations than its dataset.
        DataError: Config and file differ; the message names all classes in which they do.
    """

    def __init__(self, unnamed: str = 'error') -> None:
        if unnamed not in ('error', 'ignore'):
            raise ConfigError(f"makd.CocoClassCheckHook: unnamed={unnamed!r} must be 'error' or 'ignore'.")
        self.unnamed = unnamed

    def before_train(self, runner: Runner) -> None:
        """Check training and validation."""
        self._check(runner.train_dataloader.dataset)
        if runner.val_loop is not None:
            self._check(runner.val_dataloader.dataset)
            _check_metrics(runner.val_evaluator, runner.val_dataloader.dataset, 'val')

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner.test_dataloader.dataset)
        _check_metrics(runner.test_evaluator, runner.test_dataloader.dataset, 'test')

    def _check(self, dataset: Any) -> None:
        for inner in walk_datasets(dataset):
            if getattr(inner, 'cat_ids', None) is None:  # not in COCO's format
                continue
            classes = list(inner.metainfo['classes'])
            found = read_categories(inner.ann_file)
            unnamed = [name for name in found if name not in classes]
            absent = [name for name in classes if name not in found]
            lines = []
            if unnamed and self.unnamed == 'error':
                lines.append(
                    f'{unnamed} are in the file and not in metainfo.classes: name them, or leave their objects out '
                    "with makd.CocoClassCheckHook's unnamed='ignore'"
                )
            if absent:
                lines.append(f'{absent} are in metainfo.classes and not in the file: remove them')
            named = [name for name in found if name in classes]
            if not absent and named != classes:
                lines.append(f'the file has another order: set metainfo.classes={tuple(named)}')
            if lines:
                raise DataError(f'The classes of the config and of {inner.ann_file} differ:\n  ' + '\n  '.join(lines))


def _check_metrics(evaluator: Evaluator, dataset: Any, split: str) -> None:
    """Check on some images that the objects of a dataset are those with which metrics compare the detections."""
    for metric in evaluator.metrics:
        annotations = getattr(metric, '_coco_api', None)
        if annotations is None:  # another metric, or one that takes the objects from the dataset
            continue
        for leaf in leaf_datasets(dataset):
            if getattr(leaf, 'cat_ids', None) is None:  # not in COCO's format
                continue
            for index in range(min(len(leaf), TRIED)):
                info = leaf.get_data_info(index)
                known = {_corners(*annotation['bbox']) for annotation in annotations.imgToAnns.get(info['img_id'], ())}
                if any(tuple(map(round, instance['bbox'])) not in known for instance in info['instances']):
                    raise ConfigError(
                        f'{type(metric).__name__} in {split}_evaluator has other objects in the image '
                        f'{info["img_id"]} than {leaf.ann_file}, the annotations of {split}_dataloader.dataset: set '
                        'its ann_file to this file.'
                    )


def _corners(x: float, y: float, width: float, height: float) -> tuple[int, ...]:
    """Return a box of an annotation as mmdet's datasets have it, in whole pixels."""
    return tuple(map(round, (x, y, x + width, y + height)))


def read_categories(path: str | Path) -> list[str]:
    """Return the names of the categories in a file of annotations in COCO's format, in its order.

    COCO's own file has half a gigabyte, so only its categories are parsed.

    Raises:
        DataError: The file cannot be read, or has no categories.
    """
    text = read_text(path, DataError)
    for match in _FIELD.finditer(text):
        try:
            categories: Any = json.JSONDecoder().raw_decode(text, match.end())[0]
        except json.JSONDecodeError:
            continue
        if all(isinstance(category, dict) and 'name' in category for category in categories):
            return [category['name'] for category in categories]
    raise DataError(f'{path} has no "categories" with names: it is not a file of annotations in COCO\'s format')
