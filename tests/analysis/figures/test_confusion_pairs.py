from makd.analysis.figures.confusion_pairs import Pair, draw_confusion_pairs


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
