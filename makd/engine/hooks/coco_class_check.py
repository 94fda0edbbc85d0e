"""Find out before the first step that config and annotations do not mean the same classes."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.coco_categories import read_categories
from makd.datasets.dataset_wrappers import walk_datasets
from makd.errors import ConfigError, DataError
from makd.registry import HOOKS


@HOOKS.register_module()
class CocoClassCheckHook(Hook):
    """Compare the classes of a config with the categories of its annotations, before training and testing.

    mmdet drops, without a word, the objects of categories that ``metainfo.classes`` does not name, and numbers the
    others in the order of the file: with a class that the file lacks, or in another order, a box gets another class's
    name.

    Args:
        unnamed (str): What a category of the file is that the config does not name: an 'error', or 'ignore' to leave
            its objects out. Defaults to 'error'.

    Raises:
        ConfigError: If ``unnamed`` is neither.
        DataError: If the two differ: one error that names all classes in which they do.
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
            if getattr(inner, 'cat_ids', None) is None:  # not one of COCO's kind
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
                lines.append(f'{absent} are in metainfo.classes and not in the file: take them out')
            named = [name for name in found if name in classes]
            if not absent and named != classes:
                lines.append(f'the order of the file is another: set metainfo.classes={tuple(named)}')
            if lines:
                raise DataError(f'The classes of the config and of {inner.ann_file} differ:\n  ' + '\n  '.join(lines))
