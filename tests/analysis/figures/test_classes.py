import numpy as np
import pytest

from makd.analysis.figures.classes import Pair, draw_confusion_pairs, draw_prediction

IMAGE = np.zeros((8, 8, 3), np.uint8)
CLASSES = [('red apple', 0.8), ('tomato', 0.1)]


def aspect(question, probability, average=None, evidence=None):
    return dict(id='x', question=question, probability=probability, average=average, evidence=evidence)


def lengths(axes):
    return [bar.get_width() for bar in axes.patches]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_evidence_gives_the_bars():
    aspects = [aspect('Is it red?', 0.88, 0.04, 3.0), aspect('Is it alive?', 0.1, 0.3, -0.5)]
    picture, classes, bars = draw_prediction(IMAGE, CLASSES, aspects).axes
    assert picture.get_title() == 'red apple'
    assert lengths(classes) == pytest.approx([0.8, 0.1])
    assert lengths(bars) == pytest.approx([3.0, -0.5])
    assert texts(bars) == ['88%, average 4%', '10%, average 30%']
    assert [label.get_text() for label in bars.get_yticklabels()] == ['Is it red?', 'Is it alive?']
    assert 'bits' in bars.get_title(loc='left')


def test_without_evidence_the_probabilities_do():
    _, _, bars = draw_prediction(IMAGE, CLASSES, [aspect('Is it red?', 0.88)]).axes
    assert lengths(bars) == pytest.approx([0.88])
    assert 'bits' not in bars.get_title(loc='left')


def test_pairs_stand_under_their_heading():
    one = Pair(('fox', 'wolf'), 0.2, 0.05, ['Is it red? 0.90/0.10', 'Is it large? 0.10/0.20'])
    other = Pair(('tram', 'bus'), 0.0, 0.1, [])
    figure = draw_confusion_pairs([('Separated', 'all of it', [one]), ('Confused', 'half', [other])], 'title')
    (axes,) = figure.axes
    ticks = dict(zip((label.get_text() for label in axes.get_yticklabels()), axes.get_yticks()))
    texts = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert ticks == {'fox  |  wolf': 1, 'tram  |  bus': 3}
    assert texts['Separated'] == 0
    assert texts['Confused'] == texts['half'] == 2
    assert texts['Is it red? 0.90/0.10'] == 1
    assert texts['the answers are the same'] == 3
    points = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines if len(line.get_xdata()) == 1]
    assert points == [(0.2, 1), (0.05, 1), (0.0, 3), (0.1, 3)]


def test_no_pairs():
    (axes,) = draw_confusion_pairs([('Separated', '', [])], 'title').axes
    assert axes.texts[0].get_text() == 'Separated'
