"""What the transforms have in common that bring stored answers to the images."""

import os
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, TypeVar

from mmcv.transforms import BaseTransform
from torch import Tensor

from makd.datasets.dataset_wrappers import walk_datasets
from makd.targets.image_key import image_key

SEEN_AT_MOST = 10_000  # images whose answers a worker keeps: a few MB


class LoadTargets(BaseTransform):
    """Set a field of a packed data sample to what a targets folder has about its image.

    It stands after ``PackInputs`` or ``PackDetInputs`` and reads nothing but the sample's ``img_path``, so one
    transform serves classification and detection. An image's key is its path relative to ``data_root``. A subclass
    names the field and says what goes into it.

    Args:
        targets: The targets.
        data_root: The folder that the targets' keys are relative to.
    """

    field: str

    def __init__(self, targets: Any, data_root: str) -> None:
        self.targets = targets
        self.data_root = os.path.join(data_root, '')

    @property
    def targets(self) -> Any:
        """The targets: ``AspectTargets``, or a control that ``AblateAspectTargetsHook`` has put in their place."""
        return self._targets

    @targets.setter
    def targets(self, targets: Any) -> None:
        self._targets = targets
        self._seen: dict[str, Tensor] = {}

    def key(self, img_path: str) -> str:
        """Return the targets' key of an image: its POSIX path relative to ``data_root``."""
        return image_key(img_path, self.data_root)

    def transform(self, results: dict) -> dict:
        """Set the field on ``results['data_samples']``."""
        data_sample = results['data_samples']
        value = self._seen.get(data_sample.img_path)
        if value is None:
            value = self.look_up(self.key(data_sample.img_path))
            # Small pictures are loaded so fast that looking up the answers would be felt; small sets are soon all here.
            if len(self._seen) < SEEN_AT_MOST:
                self._seen[data_sample.img_path] = value
        data_sample.set_field(value, self.field)
        return results

    @abstractmethod
    def look_up(self, key: str) -> Tensor:
        """Return what the field of this image is set to."""

    def __repr__(self) -> str:
        return f'{type(self).__name__}(targets={str(self.targets.path)!r}, data_root={self.data_root!r})'


_Transform = TypeVar('_Transform', bound=LoadTargets)


def target_transforms(dataset: Any, kind: type[_Transform]) -> Iterator[tuple[Any, _Transform]]:
    """Yield each data set that has a transform of this kind, with it: the data set itself, or those that it wraps."""
    for inner in walk_datasets(dataset):
        pipeline = getattr(inner, 'pipeline', None)
        for transform in getattr(pipeline, 'transforms', None) or ():
            if isinstance(transform, kind):
                yield inner, transform
