"""TIDE's kinds of error by hand, and AP50 against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from makd.analysis.detection_errors import KINDS, detection_errors
from makd.errors import DataError

SQUARE = [10, 10, 10, 10]


def annotations(*objects, images=1):
    """Objects are (category, box) or (category, box, image) or (category, box, image, crowd)."""
    rows = []
    for number, (category, box, *rest) in enumerate(objects, 1):
        image, crowd = [*rest, *(1, 0)[len(rest) :]]
        area = box[2] * box[3]
        rows.append(dict(id=number, image_id=image, category_id=category, bbox=box, area=area, iscrowd=crowd))
    return dict(
        images=[dict(id=n + 1, width=100, height=100) for n in range(images)],
        annotations=rows,
        categories=[dict(id=1, name='a'), dict(id=2, name='b')],
    )


def found(*rows):
    return [dict(image_id=1, category_id=category, bbox=box, score=score) for category, box, score in rows]


def moved(x):
    """Return the square moved to the right: an overlap of (10 - x) / (10 + x)."""
    return [10 + x, 10, 10, 10]


@pytest.mark.parametrize(
    ('category', 'box', 'kind'),
    [
        (1, moved(4), 'localisation'),  # 0.43
        (2, moved(2), 'classification'),  # 0.67
        (2, moved(4), 'both'),
        (1, [60, 60, 10, 10], 'background'),
        (1, moved(9), 'background'),  # 0.05
    ],
)
def test_a_false_detection_has_one_kind(category, box, kind):
    errors = detection_errors(annotations((1, SQUARE)), found((category, box, 0.9)))
    assert errors.ap50 == 0
    missed = kind not in ('localisation', 'classification')
    assert errors.counts == {**dict.fromkeys(KINDS, 0), kind: 1, **({'missed': 1} if missed else {})}
    # Only where it would have found the object does its correction gain anything.
    assert errors.gains[kind] == pytest.approx(0 if missed else 100)
    assert errors.gains['missed'] == 0


def test_a_second_detection_is_a_duplicate():
    """By hand: precision 1, 1/2, 2/3 at recalls 1/2, 1/2, 1; without the duplicate it is 1 throughout."""
    two = annotations((1, SQUARE), (1, [50, 50, 10, 10]))
    errors = detection_errors(two, found((1, SQUARE, 0.9), (1, moved(1), 0.8), (1, [50, 50, 10, 10], 0.7)))
    assert errors.counts == {**dict.fromkeys(KINDS, 0), 'duplicate': 1}
    assert errors.ap50 == pytest.approx(100 * (51 + 50 * 2 / 3) / 101)
    assert errors.gains['duplicate'] == errors.gains['false positives'] == pytest.approx(100 - errors.ap50)


def test_only_the_best_correction_finds_an_object():
    """Both detections would find it: the better one does, the other disappears; of one kind, the other stays wrong."""
    errors = detection_errors(annotations((1, SQUARE)), found((1, moved(4), 0.9), (2, moved(1), 0.8)))
    assert errors.counts == {**dict.fromkeys(KINDS, 0), 'localisation': 1, 'classification': 1}
    assert errors.gains['localisation'] == pytest.approx(100)
    assert errors.gains['classification'] == 0


def test_a_missed_object_counts_no_longer():
    errors = detection_errors(annotations((1, SQUARE), (1, [50, 50, 10, 10])), found((1, SQUARE, 0.9)))
    assert errors.counts['missed'] == 1
    assert errors.ap50 == pytest.approx(100 * 51 / 101)
    assert errors.gains['missed'] == errors.gains['false negatives'] == pytest.approx(100 - errors.ap50)


def test_detections_of_crowds_are_neither_right_nor_wrong():
    crowd = annotations((1, SQUARE), (1, [40, 40, 50, 50], 1, 1))
    errors = detection_errors(crowd, found((1, SQUARE, 0.5), (1, [50, 50, 10, 10], 0.9)))
    assert errors.ap50 == pytest.approx(100)
    assert not any(errors.counts.values())


def test_average_precision_is_that_of_coco():
    draw = np.random.default_rng(0)
    objects = [
        (
            int(draw.integers(1, 3)),
            [float(v) for v in (*draw.uniform(0, 70, 2), *draw.uniform(8, 30, 2))],
            image,
            int(draw.random() < 0.1),
        )
        for image in range(1, 21)
        for _ in range(4)
    ]
    truth = annotations(*objects, images=20)
    detections = [
        dict(
            image_id=row['image_id'],
            category_id=int(row['category_id'] if draw.random() < 0.8 else draw.integers(1, 3)),
            bbox=[float(v) for v in np.array(row['bbox']) + draw.normal(0, 3, 4)],
            score=float(draw.random()),
        )
        for row in truth['annotations']
        for _ in range(2)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {**truth, 'info': {}}
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(detections), 'bbox')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    errors = detection_errors(truth, detections)
    assert 20 < errors.ap50 < 90
    assert errors.ap50 == pytest.approx(100 * evaluation.stats[1], abs=1e-9)
    assert all(gain >= -1e-9 for gain in errors.gains.values())


def test_results_of_another_test_are_refused():
    with pytest.raises(DataError, match=r'image 7 and category 1.*same test'):
        detection_errors(annotations((1, SQUARE)), [dict(image_id=7, category_id=1, bbox=SQUARE, score=1.0)])
    with pytest.raises(DataError, match='no objects'):
        detection_errors(annotations(), [])
