"""Single emoji as they look in scenes, to pre-train the backbone of a detector of emoji."""

import random

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageDraw

from makd.errors import DataError
from makd.images import require_file
from makd.ranges import Count
from makd.registry import TRANSFORMS

SCALES = (0.55, 1.5)  # of a sprite of 64 pixels


@TRANSFORMS.register_module()
class LoadEmojiOnGround(BaseTransform):
    """Load an emoji, mirror, scale and rotate it at random, and paste it near the middle of a random background.

    Required key: ``img_path``. Added: ``img``, uint8 (size, size, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        size: Height and width of the background in pixels.

    Raises:
        DataError: While loading, the file is absent or damaged.
    """

    def __init__(self, size: Count) -> None:
        self.size = size

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        rng = np.random.default_rng(random.getrandbits(64))  # mmengine seeds each worker of a loader
        ground = background(self.size, self.size, rng)
        try:
            require_file(results['img_path'])
            with Image.open(results['img_path']) as image:
                emoji = turn(image.convert('RGBA'), rng)
        except (OSError, ValueError) as error:
            raise DataError(f'{results["img_path"]} cannot be read: {error}') from None
        off = rng.uniform(-self.size / 8, self.size / 8, 2)
        corner = tuple(round((self.size - side) / 2 + shift) for side, shift in zip(emoji.size, off))
        ground.paste(emoji, corner, emoji)
        results['img'] = np.ascontiguousarray(np.asarray(ground)[..., ::-1])
        results['img_shape'] = results['ori_shape'] = (self.size, self.size)
        return results


def turn(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Mirror, scale and rotate a sprite at random, and crop it to its opaque part."""
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = round(image.width * float(np.exp(rng.uniform(*np.log(SCALES)))))
    image = image.resize((side, side), Image.Resampling.BICUBIC)
    image = image.rotate(float(rng.uniform(-30, 30)), Image.Resampling.BICUBIC, expand=True)
    return image.crop(image.getchannel('A').point(lambda alpha: 255 * (alpha > 127)).getbbox())


def background(width: int, height: int, rng: np.random.Generator) -> Image.Image:
    """Draw a plain colour, a gradient, clouds or stripes, half of the time with some lines and discs on top."""
    colours = rng.integers(0, 256, (2, 3))
    kind = rng.integers(4)
    if kind == 0:
        share: np.ndarray = np.zeros((height, width))
    elif kind == 1:
        angle = rng.uniform(0, 2 * np.pi)
        share = np.linspace(-1, 1, width) * np.cos(angle) + np.linspace(-1, 1, height)[:, None] * np.sin(angle)
        share = (share - share.min()) / (share.max() - share.min())
    elif kind == 2:
        small = Image.fromarray(rng.integers(0, 256, (4, 5), dtype=np.uint8))
        share = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float64) / 255
    else:
        period, angle = rng.uniform(12, 60), rng.uniform(0, np.pi)
        along = np.arange(width) * np.cos(angle) + np.arange(height)[:, None] * np.sin(angle)
        share = (along / period % 1 > 0.5).astype(np.float64)
    pixels = colours[0] + share[..., None] * (colours[1] - colours[0])
    image = Image.fromarray(np.rint(pixels).astype(np.uint8))
    if rng.random() < 0.5:
        draw = ImageDraw.Draw(image)
        for _ in range(rng.integers(1, 7)):
            x, y, size = (float(v) for v in rng.uniform((0, 0, 3), (width, height, 16)))
            colour = tuple(int(v) for v in rng.integers(0, 256, 3))
            if rng.random() < 0.5:
                draw.ellipse((x - size, y - size, x + size, y + size), fill=colour)
            else:
                dx, dy = (float(v) for v in rng.uniform(-60, 60, 2))
                draw.line((x, y, x + dx, y + dy), fill=colour, width=int(rng.integers(1, 5)))
    return image
