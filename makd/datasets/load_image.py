"""Loading pictures: damaged ones, and ones that have transparent parts."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import LoadImageFromFile

from makd.errors import DataError
from makd.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """mmcv's ``LoadImageFromFile``, and a message that names the file where it holds no image.

    Required key: ``img_path``. Added: ``img``, uint8 (H, W, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``.

    Raises:
        DataError: While loading, if the file is empty or damaged.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        try:
            return super().transform(results)
        except (cv2.error, AssertionError):
            raise DataError(
                f'{results["img_path"]} is empty or damaged: OpenCV reads no image from it. Put a whole file in its '
                'place, or take the image out of the annotations'
            ) from None


@TRANSFORMS.register_module()
class LoadImageOnBackground(LoadImage):
    """Load an image and lay its transparent parts on a plain background.

    mmcv's loader drops the alpha channel, which uncovers whatever colours the file has under its transparent pixels.
    Unlike mmcv's, this one does not turn photographs by their EXIF orientation.

    Required key: ``img_path``. Added: ``img``, uint8 (H, W, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        background (Sequence[int]): Red, green and blue in [0, 255]. Defaults to (124, 117, 104), the mean of ImageNet.
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
