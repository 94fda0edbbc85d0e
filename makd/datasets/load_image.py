"""Load images as the annotator sees them, damaged ones with a message, transparent ones on a background."""

from collections.abc import Sequence
from typing import Any

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from makd.errors import DataError
from makd.images import decode, opencv_agrees, require_file
from makd.registry import TRANSFORMS

_JPEG = b'\xff\xd8'
_PNG_ORIENTATION = b'eXIf'


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image as mmcv's ``LoadImageFromFile`` does, and as the annotator sees it where OpenCV shows another.

    OpenCV does not turn WebP by its orientation, and shows Lab colours of TIFF wrongly: files of both formats are
    decoded as in annotation (:func:`makd.images.decode`). Transparency is dropped.

    Required key: ``img_path``. Added: ``img``, uint8 (H, W, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``. With a ``color_type`` other than 'color', OpenCV reads all.

    Raises:
        DataError: While loading, the file is empty or damaged, or its pixels are numbers of unknown range.
    """

    def transform(self, results: dict) -> dict | None:
        """Load ``results['img_path']``."""
        path = results['img_path']
        try:
            require_file(path)
            img = self._read(fileio.get(path, backend_args=self.backend_args or self.file_client_args))
        except FileNotFoundError:
            if self.ignore_empty:
                return None
            raise
        except Exception as error:  # a decoder may raise anything for a damaged file
            if self.ignore_empty:
                return None
            raise DataError(
                f'{path} is empty or damaged, or of a kind that is not read ({str(error) or type(error).__name__}). '
                'Replace the file, or remove the image from the annotations'
            ) from None
        if self.to_float32:
            img = img.astype(np.float32)
        results['img'] = img
        results['img_shape'] = results['ori_shape'] = img.shape[:2]
        return results

    def _read(self, content: bytes) -> np.ndarray:
        if self.color_type == 'color' and not opencv_agrees(content):
            return to_bgr(decode(content, None).convert('RGB'))
        return self._read_with_opencv(content, self.color_type)

    def _read_with_opencv(self, content: bytes, color_type: str) -> np.ndarray:
        img = mmcv.imfrombytes(content, flag=color_type, backend=self.imdecode_backend)
        if img is None:
            raise ValueError('OpenCV reads no image from it')
        return img


@TRANSFORMS.register_module()
class LoadImageOnBackground(LoadImage):
    """Load an image and lay its transparent parts on a plain background.

    mmcv's loader drops the alpha channel, so the arbitrary colours of transparent pixels appear.

    Required key: ``img_path``. Added: ``img``, uint8 (H, W, 3) in BGR, ``img_shape``, ``ori_shape``.

    Args:
        background: Red, green and blue in [0, 255]; the default is the mean of ImageNet.
        **kwargs: Arguments of mmcv's ``LoadImageFromFile``.
    """

    def __init__(self, background: Sequence[int] = (124, 117, 104), **kwargs: Any) -> None:
        super().__init__(color_type='unchanged', imdecode_backend='cv2', **kwargs)
        self.background = np.array(background[::-1], np.float32)

    def _read(self, content: bytes) -> np.ndarray:
        img = self._read_unchanged(content)
        if img.dtype == np.uint16:
            img = (img >> 8).astype(np.uint8)
        if img.dtype != np.uint8:
            raise ValueError(f'pixels are {img.dtype}; convert the file to 8 or 16 bits')
        if img.ndim == 2:
            img = np.repeat(img[..., None], 3, axis=2)
        if img.shape[2] == 4:
            alpha = img[..., 3:].astype(np.float32) / 255
            img = np.rint(alpha * img[..., :3] + (1 - alpha) * self.background).astype(np.uint8)
        return img

    def _read_unchanged(self, content: bytes) -> np.ndarray:
        """Return the upright image in BGR, with its alpha channel if it has one."""
        if content.startswith(_JPEG):  # without alpha; OpenCV turns an image only if it may change it
            return self._read_with_opencv(content, 'color')
        if opencv_agrees(content) and _PNG_ORIENTATION not in content:
            return self._read_with_opencv(content, 'unchanged')
        return to_bgr(decode(content, None))


def to_bgr(image: Any) -> np.ndarray:
    """Return an RGB or RGBA image of Pillow as uint8 (H, W, 3) in BGR or (H, W, 4) in BGRA."""
    return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR if image.mode == 'RGB' else cv2.COLOR_RGBA2BGRA)
