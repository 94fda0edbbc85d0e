"""Images as they are sent to a server."""

import base64
import io
from dataclasses import dataclass

from PIL import Image

from makd.errors import ConfigError
from makd.ranges import Count

_FORMATS = {'png': {}, 'jpeg': {'quality': 95}}


@dataclass(frozen=True)
class DataUrl:
    """Turns an image into a data URL; picklable, for loader workers.

    Attributes:
        image_format: 'jpeg' (quality 95) or 'png'.
        max_side: Larger images are shrunk to this many pixels on their longer side; None leaves all as they are.

    Raises:
        ConfigError: The format is another one, or ``max_side`` is below 1.
    """

    image_format: str
    max_side: Count | None

    def __post_init__(self) -> None:
        if self.image_format not in _FORMATS:
            raise ConfigError(f'image_format={self.image_format!r} must be {" or ".join(map(repr, _FORMATS))}.')
        if self.max_side is not None and self.max_side < 1:
            raise ConfigError(f'max_side={self.max_side} must be at least 1.')

    def __call__(self, image: Image.Image) -> str:
        """Return the URL."""
        if self.max_side is not None and max(image.size) > self.max_side:
            image = image.copy()
            image.thumbnail((self.max_side, self.max_side), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        image.save(buffer, self.image_format, **_FORMATS[self.image_format])
        return f'data:image/{self.image_format};base64,{base64.b64encode(buffer.getvalue()).decode()}'


def plain_image() -> Image.Image:
    """Return a grey image, which no content filter refuses."""
    return Image.new('RGB', (64, 64), (124, 117, 104))
