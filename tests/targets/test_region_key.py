import pytest

from makd.targets.region_key import IMAGES, REGIONS, image_of, named_by, region_key, split_region_key


@pytest.mark.parametrize(
    ('image', 'box', 'key'),
    [
        ('train/1.jpg', (12, 7.5, 40.0, 30), 'train/1.jpg#12,7.5,40,30'),
        ('ü ß/雪 #2.png', (0.125, -3.004, 1e3, 20.999), 'ü ß/雪 #2.png#0.12,-3,1000,21'),
        ('a#1,2,3,4.png', (-0.001, 0.1 + 0.2, 100000.55, 7), 'a#1,2,3,4.png#0,0.3,100000.55,7'),
        ('line\nbreak.png', (1, 2, 3, 4), 'line\nbreak.png#1,2,3,4'),
    ],
)
def test_a_key_is_the_image_and_the_box(image, box, key):
    assert region_key(image, box) == key
    name, corners = split_region_key(key)
    assert name == image == image_of(key)
    assert corners == pytest.approx(box, abs=0.006)
    assert region_key(name, corners) == key
    assert named_by(key) == REGIONS


@pytest.mark.parametrize('key', ['a.png', 'a#1.png', 'a.png#1,2,3', 'a.png#1,2,3,4,x', '#1,2,3,4', 'a#1,2,3,4.png'])
def test_the_key_of_an_image_is_none_of_a_region(key):
    assert named_by(key) == IMAGES
    assert image_of(key) == key
    with pytest.raises(ValueError, match='is not the key of a region'):
        split_region_key(key)
