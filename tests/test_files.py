import os

import pytest

from makd.files import picture_name


@pytest.mark.parametrize(
    ('image', 'name'),
    [
        ('b.png', 'b.png'),
        ('./set/x/1.png', 'set_x_1.png'),
        ('set/x/1.jpg', 'set_x_1.jpg.png'),
        ('array 1', 'array 1.png'),
        ('été.png', 'été.png'),
    ],
)
def test_a_picture_is_named_after_its_image(image, name):
    assert picture_name(image) == name


def test_different_images_have_different_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images = [
        *('a/b_c.png', 'a_b/c.png', 'a/b/c.png', 'a_b_c.png', '../a/b/c.png', '../../a/b/c.png'),
        *('x.png', 'x.jpg', 'x.jpg.png', 'https://h/x.png', 'http://h/x.png', 'h/x.png'),
        *(f'{folder}/{"n" * 240}{end}.png' for folder in 'ab' for end in 'cd'),
        *('é' * 120 + '.png', 'é' * 121 + '.png', os.fsdecode(b'\xff' * 240), os.fsdecode(b'\xfe' * 240)),
    ]
    names = {picture_name(image) for image in images}
    assert len(names) == len(images)
    assert names == {picture_name(str(tmp_path / image) if '://' not in image else image) for image in images}
    for name in names:
        (tmp_path / name).touch()
        assert os.path.dirname(name) == ''
