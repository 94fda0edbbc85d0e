"""Image files: which ones they are, and what they show, equally to annotators, students and pages."""

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = ('.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')

# TIFF (also of more than 4 GB) and WebP.
_NOT_FOR_OPENCV = re.compile(rb'II\*\0|MM\0\*|II\+\0|MM\0\+|RIFF....WEBP', re.DOTALL)


def is_image(name: str) -> bool:
    """Say whether a file name has the suffix of an image."""
    return name.lower().endswith(SUFFIXES)


def find_images(folder: str) -> list[str]:
    """Return the images at any depth below a folder, sorted, as POSIX paths relative to it.

    Links are followed, because large datasets often consist of links to folders elsewhere, but not a link to a folder
    that it lies in. Pipes, sockets and devices are left out, links to absent files are not.
    """
    return sorted(_walk(folder, '', ()))


def _walk(folder: str, prefix: str, above: tuple[str, ...]) -> Iterator[str]:
    """Yield ``prefix`` and the path of each image; ``above`` are the true paths of the folders that it lies in."""
    true_path = os.path.realpath(folder)
    if true_path in above:
        return
    with os.scandir(folder) as opened:
        entries = list(opened)
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry.path, f'{prefix}{entry.name}/', (*above, true_path))
        elif is_image(entry.name) and (entry.is_file() or not os.path.exists(entry.path)):
            yield prefix + entry.name


def require_file(path: str) -> None:
    """Raise a ValueError for a pipe, socket or device, from which reading may never end."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # such as a URL; reading it says what is wrong
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError('it is a pipe, socket or device')


def opencv_agrees(content: bytes) -> bool:
    """Say whether OpenCV is sure to see in a file what :func:`decode` returns, where it is faster.

    It does not turn WebP by its orientation, and takes the Lab colours of a TIFF for red, green and blue.
    """
    return not _NOT_FOR_OPENCV.match(content)


def decode(content: bytes, background: tuple[int, ...] | None) -> Image.Image:
    """Decode an image file to an upright image: turned by its EXIF orientation.

    Args:
        content: The file, of any format, size and mode that Pillow knows, including 16 bits per channel.
        background: Red, green and blue under transparent parts; None keeps the transparency.

    Returns:
        An RGB image, or RGBA if it has transparent parts that are kept.

    Raises:
        ValueError: The file is empty, or its pixels are numbers of unknown range.
        Exception: Whatever Pillow raises for a damaged file.
    """
    if not content:
        raise ValueError('the file is empty')
    image: Image.Image = Image.open(io.BytesIO(content))
    image.load()
    unknown_range = image.mode == 'F' or (image.mode == 'I' and image.format == 'TIFF')
    if unknown_range:
        kind = 'floating-point numbers' if image.mode == 'F' else 'integers of 32 bits'
        raise ValueError(f'pixels are {kind}; convert the file to 8 or 16 bits')
    with suppress(Exception):  # damaged metadata say nothing about the pixels
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith('I'):  # Pillow clips at 255, but the image is the upper 8 of 16 bits
        image = Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    if image.mode in ('LA', 'La', 'PA', 'RGBA', 'RGBa') or 'transparency' in image.info:
        image = image.convert('RGBA')
        if background is None:
            return image
        image = Image.alpha_composite(Image.new('RGBA', image.size, (*background, 255)), image)
    return image.convert('RGB')
