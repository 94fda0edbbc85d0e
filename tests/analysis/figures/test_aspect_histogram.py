import numpy as np

from makd.analysis.figures.aspect_histogram import Answers, Panel, draw_aspect_histogram

CLASSES = ['fox', 'house', 'rose', 'unseen', 'tram']
TEACHER = np.array([0.9, 0.1, 0.5, np.nan, 0.0])


def test_bars_stand_beside_their_classes():
    shown = [0, 4]
    band = np.array([[0.8, 0.0], [1.0, 0.1]])
    student = np.array([0.6, 0.2, 0.4, np.nan, 0.3])
    answers = [Answers('teacher', TEACHER, band), Answers('student', student, band)]
    figure = draw_aspect_histogram([Panel('Is it an animal?', shown, 1, answers)], CLASSES)
    bars, histogram = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ['fox', 'tram']
    assert [bar.get_width() for bar in bars.patches] == [0.9, 0.0, 0.6, 0.3]
    rows = [round(bar.get_y() + bar.get_height() / 2) for bar in bars.patches]
    assert rows == [0, 2, 0, 2]  # a row is left for the dots
    assert [text.get_text() for text in bars.texts] == ['⋮ 2 more']
    assert bars.get_title() == 'Is it an animal?'
    assert f'{np.corrcoef(TEACHER[[0, 1, 2, 4]], student[[0, 1, 2, 4]])[0, 1]:.2f}' in histogram.get_title()
    assert len(figure.legends[0].get_texts()) == 2


def test_the_annotator_alone_and_all_classes():
    panel = Panel('Is it?', [2, 1], None, [Answers('teacher', TEACHER, np.zeros((2, 2)))])
    figure = draw_aspect_histogram([panel, panel], CLASSES)
    assert len(figure.axes) == 4
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.5, 0.1]
    assert not figure.axes[0].texts
    assert not figure.axes[2].get_title()
