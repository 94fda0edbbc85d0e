import numpy as np
import pytest
import torch
from PIL import Image

from projects.tiny_mllm.assemble import make_processor, train_tokenizer
from projects.tiny_mllm.views import BACKGROUND, plain_view, random_view, to_pixel_values

PICTURE = 'data/emoji/images/noto/animal-mammal/1f42a.png'


@pytest.fixture(scope='module')
def camel():
    return Image.open(PICTURE).convert('RGBA')


def test_the_plain_view_is_what_the_processor_makes_of_the_picture_on_its_background(camel):
    flat = Image.new('RGB', camel.size, BACKGROUND)
    flat.paste(camel, mask=camel.getchannel('A'))
    processor = make_processor(train_tokenizer(['Is it a bird?']))
    expected = processor(images=[flat], text=['<user><image>'], return_tensors='pt')['pixel_values']
    found = to_pixel_values([plain_view(camel)])
    assert found.shape == (1, 3, 160, 160)
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


def test_a_random_view_depends_on_the_seed_alone(camel):
    first, again, other = (np.asarray(random_view(camel, np.random.default_rng(seed))) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == (160, 160, 3)


def test_random_views_keep_the_thing_in_the_picture(camel):
    shape = Image.new('RGBA', (64, 64))
    shape.paste((255, 0, 0, 255), (16, 16, 48, 48))
    for seed in range(20):
        view = np.asarray(random_view(shape, np.random.default_rng(seed))).astype(int)
        assert 0.05 < (np.abs(view - view[0, 0]).sum(-1) > 40).mean() < 0.6
