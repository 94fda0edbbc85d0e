"""The key of a region of an image in a targets folder: the image's key and the box."""

import re
from collections.abc import Sequence

# What the keys of a folder may name.
IMAGES, REGIONS = 'images', 'regions'

_KEY = re.compile(r'(.+)#((?:-?\d+(?:\.\d\d?)?,){3}-?\d+(?:\.\d\d?)?)', re.DOTALL)


def region_key(image: str, box: Sequence[float]) -> str:
    """Return ``IMAGE#X1,Y1,X2,Y2``, with the corners in pixels of the original image, to a hundredth.

    The box itself is the name of the region. The datasets of mmdet do not keep the ids of annotations, and a file that
    was made from another one numbers them anew; and answers about a box that has been corrected since must not be found
    for the new one.

    Args:
        image: Key or path of the image.
        box: x1, y1, x2, y2.
    """
    return f'{image}#{",".join(map(_hundredths, box))}'


def split_region_key(key: str) -> tuple[str, tuple[float, ...]]:
    """Return the image and the box of a region's key.

    Raises:
        ValueError: It is not the key of a region.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(f'{key!r} is not the key of a region, like "train/1.jpg#12,7.5,40,30"')
    return match[1], tuple(map(float, match[2].split(',')))


def named_by(key: str) -> str:
    """Return what a key names, ``IMAGES`` or ``REGIONS``."""
    return REGIONS if _KEY.fullmatch(key) else IMAGES


def image_of(key: str) -> str:
    """Return the image that a key names: of a region, the one that it lies in."""
    match = _KEY.fullmatch(key)
    return key if match is None else match[1]


def _hundredths(value: float) -> str:
    return f'{round(float(value), 2) + 0.0:.2f}'.rstrip('0').rstrip('.')
