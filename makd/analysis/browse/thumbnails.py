"""Thumbnails of image files."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from mmengine import fileio
from PIL import Image
from tqdm import tqdm

from makd.images import decode, require_file

QUALITY = 80


def make_thumbnails(paths: Sequence[str], pixels: int, background: tuple[int, ...]) -> list[bytes | None]:
    """Make a thumbnail of each image, with a progress bar.

    Args:
        paths: Files or URLs.
        pixels: Largest length of the longer side; smaller images keep their size.
        background: Red, green and blue in [0, 255] under transparent parts.

    Returns:
        WebP files; None for an absent or damaged image.
    """
    # Threads suffice: Pillow releases the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(partial(_thumbnail, pixels=pixels, background=background), paths)
        return list(tqdm(made, 'thumbnails', len(paths), unit=' images'))


def _thumbnail(path: str, pixels: int, background: tuple[int, ...]) -> bytes | None:
    try:
        require_file(path)
        image = decode(fileio.get(path), background)
        image.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, 'WEBP', quality=QUALITY, method=2)
    except Exception:  # a decoder may raise anything at a damaged file
        return None
    return file.getvalue()
