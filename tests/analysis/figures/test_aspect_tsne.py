import numpy as np
import pytest
from matplotlib.colors import to_rgba

from makd.analysis.figures.aspect_tsne import draw_aspect_tsne

PLACES = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]])


def points(axes):
    return axes.collections[0]


def test_both_spaces_have_the_colors_of_the_annotator():
    columns = [('Is it red?', np.array([0.9, 0.1, 0.5]), 'AUC 0.70'), ('Is it round?', np.zeros(3), 'AUC 0.60')]
    figure = draw_aspect_tsne([('teacher', PLACES), ('student', PLACES + 5)], columns, 'title')
    first, second, below, _, bar = figure.axes
    assert [axes.get_title() for axes in (first, second, below)] == ['Is it red?', 'Is it round?', 'AUC 0.70']
    assert first.get_ylabel() == 'teacher'
    assert points(first).get_array().tolist() == points(below).get_array().tolist() == [0.1, 0.5, 0.9]
    assert points(below).get_offsets().tolist() == [[6, 6], [7, 5], [5, 5]]  # drawn in this order: yes above no
    assert bar.get_ylabel() == "annotator's P(yes)"


@pytest.mark.parametrize('number', [2, 15])
def test_classes_have_colors_of_their_own(number):
    classes = [f'class {label}' for label in range(number)]
    figure = draw_aspect_tsne([('teacher', PLACES)], [('', np.array([1, 0, 1]), '')], '', classes)
    axes, bar = figure.axes
    assert [label.get_text() for label in bar.get_yticklabels()] == classes
    points(axes).update_scalarmappable()
    one, other, again = points(axes).get_facecolors().tolist()
    assert one == again != other
    assert len({to_rgba(color) for color in points(axes).cmap.colors}) == number
