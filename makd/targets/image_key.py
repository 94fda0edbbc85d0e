"""The key of an image in a targets folder."""

import os
import re

from makd.errors import ConfigError

_NOT_NORMAL = re.compile(r'(?:\A|/)\.{0,2}(?:/|\Z)')  # an empty, '.' or '..' part


def image_key(img_path: str, data_root: str) -> str:
    """Return the key of an image: its POSIX path relative to the data root.

    Args:
        img_path: Path or URL of the image.
        data_root: The root, with a separator at its end.

    Raises:
        ConfigError: The image lies outside the root.
    """
    if img_path.startswith(data_root):
        key = img_path[len(data_root) :].replace(os.sep, '/')
        if not _NOT_NORMAL.search(key):
            return key
    key = os.path.relpath(img_path, data_root).replace(os.sep, '/')
    if key.startswith('../'):
        raise ConfigError(
            f'The image {img_path} lies outside data_root={data_root!r}. Set data_root to the folder to which the keys '
            'of the targets are relative.'
        )
    return key
