"""Thumbnails of image files, and of regions in them."""

import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from mmengine import fileio
from PIL import Image
from tqdm import tqdm

from makd.annotation.annotation_regions import show_region
from makd.images import decode, require_file
from makd.targets.region_key import split_region_key

QUALITY = 80


def make_thumbnails(
    paths: Sequence[str], pixels: int, background: tuple[int, ...], regions: Mapping[str, Any] | None = None
) -> list[bytes | None]:
    """Make a thumbnail of each image or region, with a progress bar.

    Args:
        paths: Files or URLs; of regions, each with '#' and the box.
        pixels: Largest length of the longer side; smaller images keep their size.
        background: Red, green and blue in [0, 255] under transparent parts.
        regions: How regions were shown to the MLLM: ``context`` and ``outline`` of ``makd.AnnotationRegions``. None if
            the paths are those of images.

    Returns:
        WebP files; None for an absent or damaged image.
    """
    # Threads suffice: Pillow releases the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        made = pool.map(partial(_thumbnail, pixels=pixels, background=background, regions=regions), paths)
        return list(tqdm(made, 'thumbnails', len(paths), unit=' regions' if regions else ' images'))


def _thumbnail(path: str, pixels: int, background: tuple[int, ...], regions: Mapping[str, Any] | None) -> bytes | None:
    try:
        file_path, box = split_region_key(path) if regions else (path, ())
        require_file(file_path)
        image = decode(fileio.get(file_path), background)
        if regions:
            image = show_region(image, box, **regions)
        image.thumbnail((pixels, pixels), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, 'WEBP', quality=QUALITY, method=2)
    except Exception:  # a decoder may raise anything at a damaged file
        return None
    return file.getvalue()
