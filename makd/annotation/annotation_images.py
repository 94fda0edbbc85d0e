"""The images that an annotator is asked about."""

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import mmengine.dataset  # noqa: F401  (registers mmengine's wrappers of data sets)
import numpy as np
from mmengine import fileio
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from makd.config import without_pipelines
from makd.datasets.dataset_wrappers import leaf_datasets
from makd.errors import ConfigError
from makd.registry import DATASETS
from makd.targets.exchange import list_images
from makd.targets.image_key import image_key
from makd.targets.key_index import KeyIndex, build_words, encode_keys


@DATASETS.register_module()
class AnnotationImages(Dataset):
    """The images of a folder, or of any mmpretrain or mmdet data sets; each image once, sorted by its key.

    Of the data sets only the paths are taken, those of all images: pipelines are not run, and nothing is filtered out
    (a detector's training set leaves out images without objects). An image's key is its POSIX path relative to
    ``data_root``, which is how ``makd.LoadAspectTargets`` finds its answers.

    An item is a dict of ``index``, ``key`` and either ``inputs``, what ``prepare`` makes of the image, or ``error``,
    the reason why there are none. The image is turned by its EXIF orientation, its transparent parts are laid on the
    background, and it comes as RGB, whatever mode the file has. Nothing that is wrong with a file raises an exception.

    Args:
        data_root: The folder that the keys are relative to.
        datasets: Config or configs of data sets, for example those of training, validation and test, each named with
            its library (``mmpretrain.ImageNet``) unless that is the default scope. Defaults to None: all image files
            below ``data_root``.
        background: Red, green and blue in [0, 255] under transparent parts. Defaults to white, as on a web page.
        limit: Take only about this many images, evenly spaced, for a trial. Defaults to None: all.

    Attributes:
        keys (Sequence[str]): The N keys.
        prepare: From an RGB image to ``inputs``; set it before the data set is iterated.

    Raises:
        ConfigError: An image lies outside ``data_root``, or a data set has no paths.
        TargetsError: There are no images, or a path cannot be a key (control characters, no Unicode).
    """

    def __init__(
        self,
        data_root: str,
        datasets: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        background: Sequence[int] = (255, 255, 255),
        limit: int | None = None,
    ) -> None:
        self.data_root = os.path.join(data_root, '')
        if datasets is None:
            keys = list_images(data_root)
        else:
            configs = [datasets] if isinstance(datasets, Mapping) else datasets
            keys = sorted({image_key(path, self.data_root) for config in configs for path in _image_paths(config)})
        if limit is not None and limit < len(keys):
            keys = [keys[index] for index in np.linspace(0, len(keys) - 1, max(limit, 1)).astype(int)]
        # In two blocks of memory, not in N strings, which each loader worker would come to copy.
        text = encode_keys(keys, Path(data_root))
        self.keys: Sequence[str] = KeyIndex(text, build_words(text, Path(data_root)))
        self.background = tuple(background)
        self.prepare: Callable[[Image.Image], Any] = _identity

    @property
    def identity(self) -> dict[str, Any]:
        """What, beside the files, decides how an image looks to the annotator, as JSON values."""
        return {'background': list(self.background)}

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> dict[str, Any]:
        item: dict[str, Any] = dict(index=index, key=self.keys[index], inputs=None, error=None)
        try:
            content = fileio.get(self.data_root + item['key'])
            item['inputs'] = self.prepare(decode(content, self.background))
        except Exception as error:  # a decoder may raise anything at a damaged file
            item['error'] = _reason(error)
        return item


def decode(content: bytes, background: tuple[int, ...]) -> Image.Image:
    """Decode an image file.

    Args:
        content: The file: any format, size and mode that Pillow knows, 16 bits a channel among them.
        background: Red, green and blue under transparent parts.

    Returns:
        An RGB image, upright.

    Raises:
        ValueError: The file is empty, or its pixels are floating-point numbers, whose range is anyone's guess.
        Exception: Whatever Pillow raises at a damaged file.
    """
    if not content:
        raise ValueError('the file is empty')
    image: Image.Image = Image.open(io.BytesIO(content))
    image.load()
    with suppress(Exception):  # damaged metadata say nothing about the pixels
        image = ImageOps.exif_transpose(image)
    if image.mode == 'F':
        raise ValueError('pixels are floating-point numbers; convert the file to 8 or 16 bits')
    if image.mode.startswith('I'):  # Pillow cuts off what is above 255, whereas the upper 8 of 16 bits are the picture
        image = Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    if image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in image.info:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, (*background, 255)), image)
    return image.convert('RGB')


def _identity(image: Image.Image) -> Image.Image:
    return image


def _reason(error: Exception) -> str:
    """Return one line without path or address: the same for each image and each run that this happens to."""
    if isinstance(error, UnidentifiedImageError):
        return 'not an image, or of a format that Pillow does not know'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = re.sub(r' at 0x[0-9a-f]+', '', str(error)).split('\n', 1)[0]
    return message if type(error) in (OSError, ValueError) and message else f'{type(error).__name__}: {message}'


def _image_paths(config: Mapping[str, Any]) -> Iterable[str]:
    """Yield the path of every image of a data set."""
    try:
        outermost = DATASETS.build(without_pipelines(config))
    except KeyError as error:  # mmengine's "X is not in the dataset registry"
        raise ConfigError(
            f'{error.args[0]} makd.AnnotationImages takes data sets of every library: write mmpretrain.NAME or '
            'mmdet.NAME, for inner ones, too.'
        ) from None
    for dataset in leaf_datasets(outermost):
        for index in range(len(dataset)):
            path = dataset.get_data_info(index).get('img_path') if hasattr(dataset, 'get_data_info') else None
            if not isinstance(path, str):
                raise ConfigError(
                    f'{type(dataset).__name__} (data_root={getattr(dataset, "data_root", None)!r}) has no `img_path` '
                    f'for its item {index}: makd.AnnotationImages needs data sets of one image file an item.'
                )
            yield path
