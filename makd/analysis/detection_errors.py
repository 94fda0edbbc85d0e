"""Which kinds of error cost a detector how much: TIDE (Bolya et al., ECCV 2020, arXiv 2008.08115)."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pycocotools import mask

from makd.errors import DataError

FOREGROUND, BACKGROUND = 0.5, 0.1  # IoU from which on a box is an object's, and up to which it is nobody's
MAX_DETECTIONS = 100  # of a class in an image, as COCO counts
KINDS = ('classification', 'localisation', 'both', 'duplicate', 'background', 'missed')
WHOLE = ('false positives', 'false negatives')
FIXABLE = ('classification', 'localisation')  # a detection with this error is one of the object, if that has no other

_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class DetectionErrors:
    """The errors of a detector on a dataset.

    Attributes:
        ap50: COCO's AP at an IoU of 0.5, in percent.
        gains: Kind of ``KINDS`` and ``WHOLE`` -> by how much AP50 would be higher without errors of this kind, in
            percent. The kinds do not add up: each is corrected alone.
        counts: Kind of ``KINDS`` -> number of detections, or of objects that were missed.
    """

    ap50: float
    gains: dict[str, float]
    counts: dict[str, int]


@dataclass
class _Object:
    label: int
    found: bool = False
    best: '_Detection | None' = None  # the best one that would find it without an error of a kind in FIXABLE


@dataclass
class _Detection:
    label: int
    score: float
    kind: str = ''  # '' if it is right
    of: _Object | None = field(default=None, repr=False)  # whose it would be without its error


def detection_errors(annotations: Mapping[str, Any], detections: Sequence[Mapping[str, Any]]) -> DetectionErrors:
    """Tell the kinds of error apart, and compute AP50 without each.

    A false detection is, by its largest IoU with objects: 'localisation', with one of its class from 0.1 to 0.5;
    'classification', with one of another class from 0.5 on; 'duplicate', with one of its class from 0.5 on that a
    better detection has found; 'background', with none above 0.1; else 'both'. 'missed' is an object that no detection
    finds, not even without errors of classification or localisation. Corrected, a detection of the first two kinds
    finds the object, if it is the best that would; all other false ones disappear, and so do missed objects. Without
    crowds, these are the figures of the authors' tidecv; detections of a crowd, which COCO excuses, have no kind here.

    Args:
        annotations: The content of a file in COCO's format.
        detections: COCO's results: ``image_id``, ``category_id``, ``bbox`` (x, y, width, height) and ``score`` each.

    Raises:
        DataError: A detection is of an image or a category that the annotations do not have, or there are no objects.
    """
    categories = {category['id'] for category in annotations['categories']}
    objects_in: dict[Any, list[Mapping]] = {image['id']: [] for image in annotations['images']}
    for annotation in annotations['annotations']:
        objects_in[annotation['image_id']].append(annotation)
    found_in: dict[Any, list[Mapping]] = defaultdict(list)
    for detection in detections:
        if detection['image_id'] not in objects_in or detection['category_id'] not in categories:
            raise DataError(
                f'a detection is of image {detection["image_id"]!r} and category {detection["category_id"]!r}, which '
                'the annotations do not have: are they those of the same test?'
            )
        found_in[detection['image_id']].append(detection)

    objects: list[_Object] = []
    results: list[_Detection] = []
    for image, annotated in objects_in.items():
        of_image, found = _compare(annotated, found_in[image])
        objects += of_image
        results += found
    if not objects:
        raise DataError('the annotations have no objects')
    missed = [o for o in objects if not o.found and o.best is None]
    number = Counter(o.label for o in objects)

    def ap50(change: Callable[[_Detection], _Detection | None], without: Sequence[_Object] = ()) -> float:
        kept = [changed for result in results if (changed := change(result)) is not None]
        return _mean_ap(kept, number, number - Counter(o.label for o in without))

    def without(kind: str) -> Callable[[_Detection], _Detection | None]:
        return lambda result: result if result.kind != kind else _corrected(result)

    ap = ap50(lambda result: result)
    gains = {kind: ap50(without(kind)) - ap for kind in KINDS[:-1]}
    gains['missed'] = ap50(lambda result: result, missed) - ap
    gains['false positives'] = ap50(lambda result: None if result.kind else result) - ap
    gains['false negatives'] = ap50(lambda result: result, [o for o in objects if not o.found]) - ap
    counted = Counter(result.kind for result in results)
    return DetectionErrors(ap, gains, {**{kind: counted[kind] for kind in KINDS[:-1]}, 'missed': len(missed)})


def _compare(annotated: Sequence[Mapping], found: Sequence[Mapping]) -> tuple[list[_Object], list[_Detection]]:
    """Return the objects and the detections of an image, with their errors; detections of crowds are left out."""
    crowd = np.array([bool(a.get('iscrowd')) for a in annotated], bool)
    objects = [_Object(a['category_id']) for a in annotated]
    labels = np.array([o.label for o in objects])
    counts: Counter[int] = Counter()
    results = []
    for detection in sorted(found, key=lambda d: -d['score']):
        counts[detection['category_id']] += 1
        if counts[detection['category_id']] <= MAX_DETECTIONS:
            results.append((detection, _Detection(detection['category_id'], detection['score'])))
    if not objects:
        for _, result in results:
            result.kind = 'background'
        return [], [result for _, result in results]

    boxes = [a['bbox'] for a in annotated]
    overlaps = [mask.iou([d['bbox']], boxes, crowd.astype(np.uint8))[0] for d, _ in results]
    kept = []
    for overlap, (_, result) in zip(overlaps, results):
        same = np.where((labels == result.label) & ~crowd, overlap, 0)
        free = np.where([o.found for o in objects], 0, same)
        if free.max() >= FOREGROUND:
            objects[int(free.argmax())].found = True
        elif np.where((labels == result.label) & crowd, overlap, 0).max() >= FOREGROUND:
            continue
        else:
            result.kind = 'unknown'
        kept.append((overlap, result))
    for overlap, result in kept:
        if result.kind:
            _explain(result, overlap, labels, crowd, objects)
    return [o for o, is_crowd in zip(objects, crowd) if not is_crowd], [result for _, result in kept]


def _explain(
    result: _Detection, overlap: np.ndarray, labels: np.ndarray, crowd: np.ndarray, objects: Sequence[_Object]
) -> None:
    """Set the kind of a false detection, given its IoU with each object of the image."""
    overlap = np.where(crowd, 0, overlap)
    same, other = (np.where(mask_, overlap, 0) for mask_ in (labels == result.label, labels != result.label))
    if BACKGROUND <= same.max() <= FOREGROUND:
        result.kind, result.of = 'localisation', objects[int(same.argmax())]
    elif other.max() >= FOREGROUND:
        result.kind, result.of = 'classification', objects[int(other.argmax())]
    elif same.max() >= FOREGROUND:
        result.kind = 'duplicate'
    elif overlap.max() <= BACKGROUND:
        result.kind = 'background'
    else:
        result.kind = 'both'
    if (
        result.of is not None
        and not result.of.found
        and (result.of.best is None or result.of.best.score < result.score)
    ):
        result.of.best = result


def _corrected(result: _Detection) -> _Detection | None:
    """Return a detection without its error; None if it disappears with it."""
    if result.of is None or result.of.best is not result:
        return None
    return _Detection(result.of.label, result.score)


def _mean_ap(results: Sequence[_Detection], classes: Mapping[int, int], number: Mapping[int, int]) -> float:
    """Return the mean AP of the classes in percent, given the number of objects of each."""
    of_class: dict[int, list[_Detection]] = defaultdict(list)
    for result in results:
        of_class[result.label].append(result)
    return 100 * float(np.mean([_ap(of_class[label], number.get(label, 0)) for label in classes]))


def _ap(results: Sequence[_Detection], number: int) -> float:
    """Return COCO's AP of a class: the mean over 101 recalls of the best precision at this recall or a higher one."""
    if number <= 0:
        return 0.0
    right = np.array([not result.kind for result in sorted(results, key=lambda r: -r.score)], bool)
    hits = right.cumsum()
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    place = np.searchsorted(hits / number, _RECALLS, side='left')
    return float(np.append(precision, 0)[np.minimum(place, len(precision))].mean())
