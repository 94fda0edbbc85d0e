"""What the transforms that bring stored answers to the images have in common."""

import os
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, TypeVar

from mmcv.transforms import BaseTransform
from torch import Tensor

from makd.datasets.dataset_wrappers import walk_datasets
from makd.errors import ConfigError
from makd.targets.image_key import image_key


class LoadTargets(BaseTransform):
    """Set a field of a packed data sample to what a targets folder has about its image.

    It stands after ``PackInputs`` or ``PackDetInputs`` and reads nothing but the sample's ``img_path``, so one
    transform serves classification and detection. An image's key is its path relative to ``data_root``. A subclass
    names the field and looks its value up.

    Args:
        targets: ``AspectTargets``; ``AblateAspectTargetsHook`` puts a control in their place.
        data_root: The folder that the targets' keys are relative to.
    """

    field: str
    content: str  # what the field holds, for messages

    def __init__(self, targets: Any, data_root: str) -> None:
        self.targets = targets
        self.data_root = os.path.join(data_root, '')

    def key(self, img_path: str) -> str:
        """Return the targets' key of an image: its POSIX path relative to ``data_root``."""
        return image_key(img_path, self.data_root)

    def transform(self, results: dict) -> dict:
        """Set the field on ``results['data_samples']``."""
        data_sample = results['data_samples']
        data_sample.set_field(self.look_up(self.key(data_sample.img_path)), self.field)
        return results

    @abstractmethod
    def look_up(self, key: str) -> Tensor:
        """Return the value of the field for the image of this key."""

    def __repr__(self) -> str:
        return f'{type(self).__name__}(targets={str(self.targets.path)!r}, data_root={self.data_root!r})'


_Transform = TypeVar('_Transform', bound=LoadTargets)


def target_transforms(dataset: Any, kind: type[_Transform]) -> Iterator[tuple[Any, _Transform]]:
    """Yield each dataset that has a transform of this kind, with the transform: the dataset itself or inner ones."""
    for inner in walk_datasets(dataset):
        pipeline = getattr(inner, 'pipeline', None)
        for transform in getattr(pipeline, 'transforms', None) or ():
            if isinstance(transform, kind):
                yield inner, transform


def training_transforms(dataset: Any, kind: type[_Transform]) -> list[tuple[Any, _Transform]]:
    """Return ``target_transforms`` of the training set; raise a ConfigError if there are none."""
    pairs = list(target_transforms(dataset, kind))
    if not pairs:
        raise ConfigError(
            f'No pipeline of train_dataloader.dataset has {kind.content}. End it with '
            f"dict(type='makd.{kind.__name__}', targets=..., data_root=...)."
        )
    return pairs
