import numpy as np
from matplotlib.patches import Rectangle

from makd.analysis.figures.detections import draw_detections

IMAGE = np.zeros((80, 100, 3), np.uint8)


def detection(name, box, *aspects):
    return {'class': name, 'score': 0.97, 'box': box, 'aspects': aspects}


def aspect(question, probability, average=None, evidence=None):
    return dict(id='x', question=question, probability=probability, average=average, evidence=evidence)


def test_boxes_and_beside_them_what_speaks_for_their_classes():
    car = detection(
        'car', (10, 20, 40, 50), aspect('Has it wheels?', 0.93, 0.11, 2.0), aspect('Costs it $5 or $6?', 0.4, 0.3, 1.0)
    )
    cat = detection('cat', (50, 5, 90, 75), aspect('Has it fur?', 0.8, 0.2, 1.5))
    figure = draw_detections(IMAGE, [car, cat])
    picture, texts = figure.axes
    frames = [patch.get_bbox().extents.tolist() for patch in picture.patches if isinstance(patch, Rectangle)]
    assert frames == [[10, 20, 40, 50], [50, 5, 90, 75]]
    assert [(text.get_text(), text.get_position()) for text in picture.texts] == [
        ('1 car 0.97', (10, 20)),
        ('2 cat 0.97', (50, 5)),
    ]
    heading, *rest = [text.get_text().replace('\xa0', ' ') for text in texts.texts]
    assert heading == 'P(yes), what speaks most for the class first'
    assert rest == [
        '1 car 0.97',
        '93% Has it wheels? (average 11%)\n40% Costs it $5 or $6? (average 30%)',
        '2 cat 0.97',
        '80% Has it fur? (average 20%)',
    ]
    places = [text.get_position()[1] for text in texts.texts]
    assert places == sorted(places)
    assert not any(text.get_parse_math() for text in texts.texts[1:])  # a pair of dollar signs is no formula


def test_no_text_lies_below_the_figure():
    many = [detection('car', (0, 0, 9, 9), *[aspect('Has it ' + 'very ' * 40 + 'big wheels?', 0.9)] * 5)] * 9
    figure = draw_detections(IMAGE, many)
    figure.draw_without_rendering()
    assert min(text.get_window_extent().y0 for text in figure.axes[1].texts) >= 0


def test_without_evidence_and_without_boxes():
    _, texts = draw_detections(IMAGE, [detection('car', (0, 0, 9, 9), aspect('Has it wheels?', 0.93))]).axes
    assert [text.get_text() for text in texts.texts] == [
        'P(yes), the most certain first',
        '1 car 0.97',
        '93% Has it wheels?',
    ]
    _, texts = draw_detections(IMAGE, []).axes
    assert [text.get_text() for text in texts.texts] == ['no box']
