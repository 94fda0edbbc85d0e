"""Load images that may be damaged or have transparent parts."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile

from makd.errors import DataError
from makd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image as mmcv's ``LoadImageFromFile`` does; if the file is damaged, name it in the message.

    Required key: ``img_path``. Added: ``img``, uint8 (H, W, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``.

    Raises:
        DataError: While loading, the file is empty or damaged.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        try:
            return super().transform(results)
        except (cv2.error, AssertionError):
            raise DataError(
                f'{results["img_path"]} is empty or damaged: OpenCV reads no image from it. Replace the file, or '
                'remove the image from the annotations'
            ) from None


@TRANSFORMS.register_module()
class LoadImageOnBackground(LoadImage):
    """Load an image and lay its transparent parts on a plain background.

    mmcv's loader drops the alpha channel, so the arbitrary colours of transparent pixels appear. Unlike mmcv's loader,
    this one does not apply the EXIF orientation.

    Required key: ``img_path``. Added: ``img``, uint8 (H, W, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        background: Red, green and blue in [0, 255]; the default is the mean of ImageNet.
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``.
    """

    def __init__(self, background: Sequence[int] = (124, 117, 104), **kwargs: Any) -> None:
        super().__init__(color_type='unchanged', imdecode_backend='cv2', **kwargs)
        self.background = np.array(background[::-1], np.float32)

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        loaded = super().transform(results)
        if loaded is None:  # an unreadable file, with ignore_empty
            return None
        img = loaded['img']
        if img.dtype == np.uint16:
            img = (img >> 8).astype(np.uint8)
        if img.ndim == 2:
            img = np.repeat(img[..., None], 3, axis=2)
        if img.shape[2] == 4:
            alpha = img[..., 3:].astype(np.float32) / 255
            img = np.rint(alpha * img[..., :3] + (1 - alpha) * self.background).astype(np.uint8)
        loaded['img'] = img
        return loaded
