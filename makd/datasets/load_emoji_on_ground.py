"""Emoji as scenes of emoji show them, for a classifier whose backbone a detector of such scenes begins with."""

import random

import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from makd.datasets.preparation.emoji_scenes import background, turn
from makd.errors import DataError
from makd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadEmojiOnGround(BaseTransform):
    """Load an emoji and lay it, mirrored, scaled and turned by chance, near the middle of a ground drawn by chance.

    Required key: ``img_path``. Added: ``img``, uint8 (size, size, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        size (int): Height and width of the ground in pixels.

    Raises:
        DataError: While loading, if the file is absent or damaged.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def transform(self, results: dict) -> dict:
        """Load ``results['img_path']``."""
        rng = np.random.default_rng(random.getrandbits(64))  # mmengine seeds each worker of a loader
        ground = background(self.size, self.size, rng)
        try:
            with Image.open(results['img_path']) as image:
                emoji = turn(image.convert('RGBA'), rng)
        except OSError as error:
            raise DataError(f'{results["img_path"]} cannot be read: {error}') from None
        off = rng.uniform(-self.size / 8, self.size / 8, 2)
        corner = tuple(round((self.size - side) / 2 + shift) for side, shift in zip(emoji.size, off))
        ground.paste(emoji, corner, emoji)
        results['img'] = np.ascontiguousarray(np.asarray(ground)[..., ::-1])
        results['img_shape'] = results['ori_shape'] = (self.size, self.size)
        return results
