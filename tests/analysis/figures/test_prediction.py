import numpy as np
import pytest

from makd.analysis.figures.prediction import draw_prediction

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
