import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile

from makd.datasets.load_image import LoadImage, LoadImageOnBackground
from makd.errors import DataError


def load(path, **kwargs):
    return LoadImageOnBackground(**kwargs)(dict(img_path=str(path)))['img']


def test_transparent_parts_show_the_background(tmp_path):
    # Opaque, transparent over a hidden colour, and half of each: 0.4 * 255 = 102.
    bgra = np.array([[[1, 2, 3, 255], [200, 200, 200, 0], [100, 0, 250, 102]]], np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), bgra)
    img = load(tmp_path / 'a.png', background=(10, 20, 30))
    expected = [[1, 2, 3], [30, 20, 10], [0.4 * 100 + 0.6 * 30, 0.6 * 20, 0.4 * 250 + 0.6 * 10]]
    assert img.dtype == np.uint8
    np.testing.assert_array_equal(img[0], expected)


@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_opaque_images_are_loaded_as_ever(tmp_path, shape):
    cv2.imwrite(str(tmp_path / 'a.png'), np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))
    expected = LoadImageFromFile()(dict(img_path=str(tmp_path / 'a.png')))['img']
    np.testing.assert_array_equal(load(tmp_path / 'a.png'), expected)


@pytest.mark.parametrize('content', [b'', b'\xff\xd8\xff no image'], ids=['empty', 'damaged'])
@pytest.mark.parametrize('loader', [LoadImage, LoadImageOnBackground])
def test_an_image_that_cannot_be_read_is_named(tmp_path, loader, content):
    path = tmp_path / 'bad.jpg'
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf'{path} is empty or damaged'):
        loader()(dict(img_path=str(path)))
    with pytest.raises(FileNotFoundError, match='absent'):
        loader()(dict(img_path=str(tmp_path / 'absent.jpg')))
