"""The path of the image that a packed data sample is about."""

from typing import Any

from makd.errors import ConfigError


def packed_path(data_sample: Any, reader: str) -> str:
    """Return ``data_sample.img_path``.

    Args:
        data_sample: What ``PackInputs`` or ``PackDetInputs`` has packed; None if neither has.
        reader: Who needs the path, for messages.

    Raises:
        ConfigError: The pipeline does not pack it.
    """
    path = getattr(data_sample, 'img_path', None)
    if path is None:
        raise ConfigError(
            f'{reader} needs the path of each image, and the pipeline packs none before it. Let PackInputs or '
            "PackDetInputs stand before it, with 'img_path' in its meta_keys (it is there by default)."
        )
    return str(path)
