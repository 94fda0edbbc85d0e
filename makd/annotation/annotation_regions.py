"""The regions of images, the objects of a detector's dataset, that an annotator answers about."""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from mmengine.logging import print_log
from PIL import Image, ImageDraw

from makd.annotation.annotation_images import AnnotationImages, annotations
from makd.datasets.regions import regions
from makd.errors import ConfigError
from makd.ranges import Count
from makd.registry import DATASETS
from makd.targets.image_key import image_key
from makd.targets.region_key import REGIONS, split_region_key

_OUTLINE = (255, 0, 0)


@DATASETS.register_module()
class AnnotationRegions(AnnotationImages):
    """The boxes of detectors' datasets as images, for any annotator; each box once, sorted by its key.

    A key is that of the image, '#', and the box (see :func:`makd.targets.region_key.region_key`);
    ``makd.LoadRegionAspects`` finds the answers by it. Crowds and boxes without area are left out, and counted in the
    log. An item is as in :class:`~makd.annotation.annotation_images.AnnotationImages`; an image is decoded once for
    all of its regions in a batch.

    Args:
        data_root: The folder that the keys are relative to.
        datasets: Config or configs of datasets: those of mmdet, or ``makd.CocoBoxes`` where mmdet is not installed.
        context: The region is this many times as wide and as high as its box, within the image. None shows the whole
            image.
        outline: Whether to draw a red frame around the box. The annotator's prompt then has to say so, such as
            ``prompt='About the thing in the red box: {question}'``.
        background: Red, green and blue in [0, 255] under transparent parts.
        limit: Take only about this many regions, evenly spaced, for a trial. Defaults to None: all.

    Raises:
        ConfigError: ``context`` is not positive, nothing would tell the regions of an image apart, the frame would be
            cut off, an image lies outside ``data_root``, or a dataset has no boxes.
        TargetsError: There are no regions, or a path cannot be a key.
    """

    about = REGIONS

    def __init__(
        self,
        data_root: str,
        datasets: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        context: float | None = 1.0,
        outline: bool = False,
        background: Sequence[int] = (255, 255, 255),
        limit: Count | None = None,
    ) -> None:
        if context is not None and not context > 0:
            raise ConfigError(f'makd.AnnotationRegions: context={context} must be positive, or None for the image.')
        if context is None and not outline:
            raise ConfigError(
                'makd.AnnotationRegions: with context=None and outline=False, all regions of an image look the same. '
                'Set context=1.0 for the box alone, or outline=True for the image with the box drawn on it.'
            )
        if outline and context is not None and context <= 1:
            raise ConfigError(
                f'makd.AnnotationRegions: the frame of outline=True is around the box, and context={context} cuts it '
                'off. Set context to more than 1, such as 1.5, or to None for the whole image.'
            )
        self.context = context
        self.outline = outline
        super().__init__(data_root, datasets, background, limit)
        self._decoded = lru_cache(maxsize=1)(self._decode)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the files that decides how a region looks to the annotator, as JSON values."""
        return {**super().identity, 'regions': {'context': self.context, 'outline': self.outline}}

    def _keys_of(self, datasets: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> set[str]:
        keys: set[str] = set()
        images = boxes = 0
        for info in annotations(datasets):
            if 'instances' not in info:
                raise ConfigError(
                    f'makd.AnnotationRegions: {info["img_path"]} has no `instances`: datasets={datasets} must be of a '
                    'detector. makd.AnnotationImages asks about whole images.'
                )
            images += 1
            boxes += len(info['instances'])
            keys.update(image_key(region.path, self.data_root) for _, region in regions(info))
        print_log(
            f'{len(keys)} regions of {images} images; {boxes - len(keys)} of {boxes} boxes are left out: crowds, boxes '
            'without area, or the same box again.',
            'current',
        )
        return keys

    def file_of(self, key: str) -> str:
        """Return the path of the image that a region lies in."""
        return self.data_root + split_region_key(key)[0]

    def __getstate__(self) -> dict[str, Any]:
        """Leave the decoded image with this process."""
        return {name: value for name, value in vars(self).items() if name != '_decoded'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._decoded = lru_cache(maxsize=1)(self._decode)

    def _show(self, content: bytes, key: str) -> Image.Image:
        return show_region(self._decoded(content), split_region_key(key)[1], self.context, self.outline)

    def _decode(self, content: bytes) -> Image.Image:
        return super()._show(content, '')


def show_region(image: Image.Image, box: Sequence[float], context: float | None, outline: bool) -> Image.Image:
    """Return what an annotator sees of a region: at least one pixel, and nothing beyond the image's edge.

    Args:
        image: The image, RGB.
        box: x1, y1, x2, y2 in its pixels.
        context: See :class:`AnnotationRegions`.
        outline: Likewise.
    """
    if outline:
        image = image.copy()
        width = max(1, round(max(image.size) / 100))
        # Around the pixels of the box, so that the frame hides nothing of the object.
        left, top, right, bottom = (*map(math.floor, box[:2]), *map(math.ceil, box[2:]))
        frame = (left - width, top - width, right + width - 1, bottom + width - 1)
        ImageDraw.Draw(image).rectangle(frame, outline=_OUTLINE, width=width)
    if context is None:
        return image
    ranges = [_clip(box[axis], box[axis + 2], context, image.size[axis]) for axis in (0, 1)]
    (left, right), (top, bottom) = ranges
    return image.crop((left, top, right, bottom))


def _clip(low: float, high: float, context: float, size: int) -> tuple[int, int]:
    """Return the whole pixels that one side of a box covers, widened about its middle; at least one."""
    middle, half = (low + high) / 2, (high - low) / 2 * context
    first = min(max(math.floor(middle - half), 0), size - 1)
    return first, max(min(math.ceil(middle + half), size), first + 1)
