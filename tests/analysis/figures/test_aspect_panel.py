from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from makd.analysis.figures.aspect_panel import Subject, draw_aspect_panel
from makd.errors import DataError


@pytest.fixture
def picture(tmp_path):
    image = Image.new('RGBA', (4, 4), (255, 0, 0, 255))
    image.putpixel((0, 0), (9, 9, 9, 0))
    image.save(tmp_path / 'picture.png')
    return str(tmp_path / 'picture.png')


def test_each_image_stands_above_its_answers(picture):
    subjects = [
        Subject(picture, 'fox', 'fox', 0.9, np.array([0.8, 0.1]), np.array([0.6, 0.3])),
        Subject(picture, 'tram', 'house', 0.4, np.array([0.0, 1.0]), np.array([0.2, 0.7])),
    ]
    figure = draw_aspect_panel(subjects, ['Is it an animal?', 'Is it a vehicle?'])
    first, second, dots, others = figure.axes
    assert first.images[0].get_array()[0, :2].tolist() == [[255, 255, 255, 255], [255, 0, 0, 255]]
    assert [axes.get_title() for axes in (first, second)] == ['fox', 'tram']
    assert [axes.texts[0].get_text() for axes in (first, second)] == ['✓ fox (90%)', '✗ house (40%)']
    values = {line.get_label(): list(line.get_xdata()) for line in others.lines}
    assert values['teacher'] == [0.0, 1.0]
    assert values['student'] == [0.2, 0.7]
    assert [label.get_text() for label in dots.get_yticklabels()] == ['Is it an animal?', 'Is it a vehicle?']


def test_a_file_that_is_no_picture(picture):
    Path(picture).write_bytes(b'no picture')
    with pytest.raises(DataError, match=r'picture.png holds no image'):
        draw_aspect_panel([Subject(picture, 'a', 'a', 1.0, np.zeros(1), np.zeros(1))], ['Is it?'])
