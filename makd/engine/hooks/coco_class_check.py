"""Find out before the first step that config and annotations do not mean the same classes."""

import json
import re
from pathlib import Path
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.dataset_wrappers import walk_datasets
from makd.errors import ConfigError, DataError
from makd.files import read_text
from makd.registry import HOOKS

_FIELD = re.compile(r'"categories"\s*:\s*(?=\[)')


@HOOKS.register_module()
class CocoClassCheckHook(Hook):
    """Compare the classes of a config with the categories of its annotations, before training and testing.

    mmdet silently drops the objects of categories that ``metainfo.classes`` does not name, and numbers the others in
    the order of the file. So if the config names a class that the file lacks, or has another order, boxes get the names
    of other classes.

    Args:
        unnamed: 'error' to refuse a category of the file that the config does not name, 'ignore' to drop its objects.

    Raises:
        ConfigError: ``unnamed`` has another value.
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

    def before_test(self, runner: Runner) -> None:
        """Check the test set."""
        self._check(runner.test_dataloader.dataset)

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
