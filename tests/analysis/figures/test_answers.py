from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from makd.analysis.figures.answers import (
    ClassAnswers,
    QuestionPanel,
    Subject,
    draw_aspect_histogram,
    draw_aspect_panel,
    draw_aspect_tsne,
)
from makd.analysis.figures.output import ANNOTATOR, STUDENT
from makd.errors import DataError

CLASSES = ['fox', 'house', 'rose', 'unseen', 'tram']
MEANS = np.array([0.9, 0.1, 0.5, np.nan, 0.0])
PLACES = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])


def test_bars_stand_beside_their_classes():
    shown = [0, 4]
    band = np.array([[0.8, 0.0], [1.0, 0.1]])
    student = np.array([0.6, 0.2, 0.4, np.nan, 0.3])
    answers = [ClassAnswers(ANNOTATOR, MEANS, band), ClassAnswers(STUDENT, student, band)]
    figure = draw_aspect_histogram([QuestionPanel('Is it an animal?', shown, 1, answers)], CLASSES)
    bars, histogram = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ['fox', 'tram']
    assert [bar.get_width() for bar in bars.patches] == [0.9, 0.0, 0.6, 0.3]
    rows = [round(bar.get_y() + bar.get_height() / 2) for bar in bars.patches]
    assert rows == [0, 2, 0, 2]  # a row is left for the dots
    assert [text.get_text() for text in bars.texts] == ['⋮ 2 more']
    assert bars.get_title() == 'Is it an animal?'
    assert f'{np.corrcoef(MEANS[[0, 1, 2, 4]], student[[0, 1, 2, 4]])[0, 1]:.2f}' in histogram.get_title()
    assert len(figure.legends[0].get_texts()) == 2


def test_the_annotator_alone_and_all_classes():
    panel = QuestionPanel('Is it?', [2, 1], None, [ClassAnswers(ANNOTATOR, MEANS, np.zeros((2, 2)))])
    figure = draw_aspect_histogram([panel, panel], CLASSES)
    assert len(figure.axes) == 4
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.5, 0.1]
    assert not figure.axes[0].texts
    assert not figure.axes[2].get_title()


def points(axes):
    return axes.collections[0]


def test_both_spaces_have_the_colors_of_the_annotator():
    columns = [('Is it red?', np.array([0.9, 0.1, 0.5]), 'AUC 0.70'), ('Is it round?', np.zeros(3), 'AUC 0.60')]
    figure = draw_aspect_tsne([(ANNOTATOR, PLACES), (STUDENT, PLACES + 5)], columns, 'title')
    first, second, below, _, bar = figure.axes
    assert [axes.get_title() for axes in (first, second, below)] == ['Is it red?', 'Is it round?', 'AUC 0.70']
    assert first.get_ylabel() == ANNOTATOR
    assert points(first).get_array().tolist() == points(below).get_array().tolist() == [0.1, 0.5, 0.9]
    assert points(below).get_offsets().tolist() == [[6, 6], [7, 5], [5, 5]]  # drawn in this order: yes above no
    assert bar.get_ylabel() == f"{ANNOTATOR}'s P(yes)"


@pytest.mark.parametrize('number', [2, 15])
def test_classes_have_colors_of_their_own(number):
    classes = [f'class {label}' for label in range(number)]
    figure = draw_aspect_tsne([(ANNOTATOR, PLACES)], [('', np.array([1, 0, 1]), '')], '', classes)
    axes, bar = figure.axes
    assert [label.get_text() for label in bar.get_yticklabels()] == classes
    points(axes).update_scalarmappable()
    one, other, again = points(axes).get_facecolors().tolist()
    assert one == again != other
    assert len({to_rgba(color) for color in points(axes).cmap.colors}) == number


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
    assert first.images[0].get_array()[0, :2].tolist() == [[255, 255, 255], [255, 0, 0]]
    assert [axes.get_title() for axes in (first, second)] == ['fox', 'tram']
    assert [axes.texts[0].get_text() for axes in (first, second)] == ['✓ fox (90%)', '✗ house (40%)']
    values = {line.get_label(): list(line.get_xdata()) for line in others.lines}
    assert values[ANNOTATOR] == [0.0, 1.0]
    assert values[STUDENT] == [0.2, 0.7]
    assert [label.get_text() for label in dots.get_yticklabels()] == ['Is it an animal?', 'Is it a vehicle?']


def test_a_file_that_is_not_an_image(picture):
    Path(picture).write_bytes(b'not an image')
    with pytest.raises(DataError, match=r'picture.png holds no image'):
        draw_aspect_panel([Subject(picture, 'a', 'a', 1.0, np.zeros(1), np.zeros(1))], ['Is it?'])
