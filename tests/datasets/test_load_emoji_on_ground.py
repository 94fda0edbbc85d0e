import random

import numpy as np
import pytest
from PIL import Image

from makd.datasets.load_emoji_on_ground import SCALES, LoadEmojiOnGround
from makd.errors import DataError


def test_the_emoji_lies_near_the_middle_of_a_drawn_ground(tmp_path, monkeypatch):
    grey = Image.new('RGB', (80, 80), (100, 100, 100))
    monkeypatch.setattr('makd.datasets.load_emoji_on_ground.background', lambda *_: grey.copy())
    Image.new('RGBA', (64, 64), (255, 0, 0, 255)).save(tmp_path / 'a.png')
    random.seed(0)
    seen = []
    for _ in range(50):
        results = LoadEmojiOnGround(80)({'img_path': str(tmp_path / 'a.png')})
        img = results['img']
        assert (img.shape, img.dtype, results['img_shape']) == ((80, 80, 3), np.uint8, (80, 80))
        assert img.flags['C_CONTIGUOUS']
        assert (img[40, 40] == [0, 0, 255]).all()  # BGR
        red = img[..., 2] > img[..., 0]
        seen.append(red.sum())
    low, high = (64 * scale for scale in SCALES)
    assert 0.9 * low**2 < min(seen) < 45**2  # turned, a square keeps its area
    assert 70**2 < max(seen) <= min(high, 80) ** 2


def test_chance_is_the_loaders(tmp_path):
    Image.new('RGBA', (64, 64), (255, 0, 0, 255)).save(tmp_path / 'a.png')
    first, second, again = [], [], []
    for pictures, seed in ((first, 0), (second, 1), (again, 0)):
        random.seed(seed)
        pictures += [LoadEmojiOnGround(64)({'img_path': str(tmp_path / 'a.png')})['img'] for _ in range(2)]
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], first[1])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'no picture')
    for name in ('a.png', 'absent.png'):
        with pytest.raises(DataError, match=f'{name} cannot be read'):
            LoadEmojiOnGround(64)({'img_path': str(tmp_path / name)})
