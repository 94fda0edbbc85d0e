"""The images that an annotator answers about."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import mmengine.dataset  # noqa: F401  (registers mmengine's dataset wrappers)
import numpy as np
from mmengine import fileio
from PIL import Image, UnidentifiedImageError
from torch.utils.data import Dataset

from makd.config import without_pipelines
from makd.datasets.dataset_wrappers import leaf_datasets
from makd.errors import ConfigError
from makd.images import decode, require_file
from makd.ranges import Count
from makd.registry import DATASETS
from makd.targets.exchange import list_images
from makd.targets.fingerprints import UNKNOWN, fingerprint, modification_time
from makd.targets.image_key import image_key
from makd.targets.key_index import KeyIndex, build_words, encode_keys
from makd.targets.region_key import IMAGES


@DATASETS.register_module()
class AnnotationImages(Dataset):
    """The images of a folder, or of any mmpretrain or mmdet datasets; each image once, sorted by its key.

    Only the paths are taken from the datasets, of all images: pipelines do not run, and nothing is filtered out (as a
    detector's training set filters out images without objects). An image's key is its POSIX path relative to
    ``data_root``; ``makd.LoadAspectTargets`` finds its answers by it.

    An item is a dict of ``index``, ``key``, ``fingerprint`` (see :mod:`makd.targets.fingerprints`) and either
    ``inputs``, the result of ``prepare``, or ``error``, the reason why there is none. The image is turned by its EXIF
    orientation, laid on the background and converted to RGB. A damaged file raises no exception.

    Args:
        data_root: The folder that the keys are relative to.
        datasets: Config or configs of datasets, for example of training, validation and test, each named with its
            library (``mmpretrain.ImageNet``) unless that is the default scope. Defaults to None: all image files below
            ``data_root``.
        background: Red, green and blue in [0, 255] under transparent parts. Defaults to white, as on a web page.
        limit: Take only about this many images, evenly spaced, for a trial. Defaults to None: all.

    Attributes:
        keys: The N keys.
        prepare: Turns an RGB image into ``inputs``; set it before iterating.

    Raises:
        ConfigError: An image lies outside ``data_root``, or a dataset has no paths.
        TargetsError: There are no images, or a path cannot be a key (control characters, not Unicode).
    """

    about = IMAGES  # what a key names

    def __init__(
        self,
        data_root: str,
        datasets: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        background: Sequence[int] = (255, 255, 255),
        limit: Count | None = None,
    ) -> None:
        self.data_root = os.path.join(data_root, '')
        keys = list_images(data_root) if datasets is None else sorted(self._keys_of(datasets))
        if limit is not None and limit < len(keys):
            keys = [keys[index] for index in np.linspace(0, len(keys) - 1, max(limit, 1)).astype(int)]
        # Two blocks of memory instead of N strings, which each loader worker would gradually copy.
        text = encode_keys(keys, Path(data_root))
        self.keys: Sequence[str] = KeyIndex(text, build_words(text, Path(data_root)))
        self.background = tuple(background)
        self.prepare: Callable[[Image.Image], Any] = Image.Image.copy

    def _keys_of(self, datasets: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> set[str]:
        """Return the keys of the images of datasets."""
        return {image_key(info['img_path'], self.data_root) for info in annotations(datasets)}

    def file_of(self, key: str) -> str:
        """Return the path of the file that shows what a key names."""
        return self.data_root + key

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the files that decides how an image looks to the annotator, as JSON values."""
        return {'background': list(self.background)}

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = dict(index=index, key=self.keys[index], fingerprint=UNKNOWN, inputs=None, error=None)
        path = self.file_of(item['key'])
        try:
            mtime_ns = modification_time(path)  # before reading: who replaces the file in between is noticed later
            require_file(path)
            content = self._read(path)
            item['fingerprint'] = fingerprint(content, mtime_ns)
            item['inputs'] = self.prepare(self._show(content, item['key']))
        except Exception as error:  # a decoder may raise anything for a damaged file
            item['error'] = _reason(error)
        return item

    def image(self, index: int) -> Image.Image:
        """Return what an annotator sees, upright and RGB; raise whatever Pillow raises for a damaged file."""
        key = self.keys[index]
        return self._show(self._read(self.file_of(key)), key)

    def _read(self, path: str) -> bytes:
        return fileio.get(path)

    def _show(self, content: bytes, key: str) -> Image.Image:
        """Return what an annotator sees of a file."""
        return decode(content, self.background)


def _reason(error: Exception) -> str:
    """Return one line without path or address, equal for every image and run with this error."""
    if isinstance(error, UnidentifiedImageError):
        return 'not an image, or of a format that Pillow does not know'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = re.sub(r' at 0x[0-9a-f]+', '', str(error)).split('\n', 1)[0]
    return message if type(error) in (OSError, ValueError) and message else f'{type(error).__name__}: {message}'


def annotations(datasets: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield what datasets know about each of their images, from their configs: ``img_path`` and more.

    Pipelines are not built, and no image is left out.

    Raises:
        ConfigError: A dataset does not exist, or has no paths.
    """
    for config in [datasets] if isinstance(datasets, Mapping) else datasets:
        try:
            outermost = DATASETS.build(without_pipelines(config))
        except KeyError as error:  # mmengine's "X is not in the dataset registry"
            raise ConfigError(
                f'{error.args[0]} Annotation takes datasets of every library: write mmpretrain.NAME or mmdet.NAME, '
                'also inside wrappers.'
            ) from None
        for dataset in leaf_datasets(outermost):
            for index in range(len(dataset)):
                info = dataset.get_data_info(index) if hasattr(dataset, 'get_data_info') else {}
                if not isinstance(info.get('img_path'), str):
                    raise ConfigError(
                        f'{type(dataset).__name__} (data_root={getattr(dataset, "data_root", None)!r}) has no '
                        f'`img_path` for its item {index}: annotation needs datasets with one image file per item.'
                    )
                yield info
