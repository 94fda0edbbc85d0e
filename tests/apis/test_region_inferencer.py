import math
import shutil

import cv2
import numpy as np
import pytest
import torch
from apis.small_detector import ANSWERS, CLASSES, QUESTIONS, small_detector
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, DefaultScope

from makd.apis import RegionInferencer
from makd.errors import ConfigError, DataError
from makd.questions import QuestionSet


@pytest.fixture(scope='module')
def files(tmp_path_factory, pytestconfig):
    return small_detector(
        pytestconfig.rootpath, tmp_path_factory.mktemp('detector'), region_questions=QUESTIONS.to_dict()
    )


@pytest.fixture(scope='module')
def folder(files):
    """The folder of the data set."""
    return Config.fromfile(files[0]).test_dataloader.dataset.data_root


@pytest.fixture(scope='module')
def student(files):
    return RegionInferencer(*files, device='cpu', min_score=0.0)


@pytest.fixture
def paths(folder):
    return [f'{folder}/images/{number}.png' for number in range(2)]


def test_the_results_are_those_of_a_test(student, files, paths):
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = DATASETS.build(Config.fromfile(files[0]).test_dataloader.dataset)
    expected = student.model.test_step(pseudo_collate([dataset[0], dataset[1]]))
    for batch_size in (1, 2):
        for detections, sample in zip(student(paths, batch_size), expected, strict=True):
            found = sample.pred_instances
            assert len(detections) == len(found) > 1
            scores = [detection['score'] for detection in detections]
            assert scores == sorted(scores, reverse=True)
            torch.testing.assert_close(torch.tensor(scores), found.scores)
            boxes = torch.tensor([detection['box'] for detection in detections])
            torch.testing.assert_close(boxes, found.bboxes, rtol=0, atol=0.051)
            for detection, label, aspects in zip(detections, found.labels, found.aspects):
                assert (detection['label'], detection['class']) == (label, CLASSES[label])
                by_id = {aspect['id']: aspect['probability'] for aspect in detection['aspects']}
                torch.testing.assert_close(torch.tensor([by_id[id_] for id_ in QUESTIONS.ids]), aspects)


def test_aspects_are_sorted_by_what_they_say_for_the_class(student, paths):
    """Computed by hand: the answers about two regions of each class."""
    detection = student(paths[0])[0][0]
    bits = []
    for aspect in detection['aspects']:
        q = QUESTIONS.ids.index(aspect['id'])
        yes = ANSWERS[:, q]
        overall = (0.5 + yes.sum()) / 5
        of_class = (overall + yes[detection['label'] :: 2].sum()) / 3
        p = aspect['probability']
        bits.append(p * math.log2(of_class / overall) + (1 - p) * math.log2((1 - of_class) / (1 - overall)))
        assert aspect['question'] == QUESTIONS.texts[q]
        assert aspect['average'] == pytest.approx(overall)
        assert aspect['evidence'] == pytest.approx(bits[-1], abs=1e-6)
    assert bits == sorted(bits, reverse=True)
    assert len(bits) == 3


def test_only_boxes_of_some_score(student, files, paths):
    scores = [detection['score'] for detection in student(paths[0])[0]]
    least = (scores[0] + scores[1]) / 2
    strict = RegionInferencer(*files, device='cpu', min_score=least)
    assert [detection['score'] for detection in strict(paths[0])[0]] == scores[:1]


def test_arrays_and_what_is_no_image(student, paths, folder):
    array = cv2.imread(paths[1])
    assert student(array) == student(paths[1])
    with pytest.raises(DataError, match=r'absent\.png'):
        student(f'{folder}/absent.png')
    with pytest.raises(DataError, match=r'float64 \(4, 4, 3\) is no image'):
        student(np.zeros((4, 4, 3)))


def test_a_picture_shows_the_boxes(student, paths, tmp_path):
    image = student.load(paths[0])
    (detections,) = student(image)
    file = student.draw(image, detections, tmp_path / 'new', paths[0], top=1, num_aspects=2)
    assert file.parent == tmp_path / 'new'
    one, all_ = cv2.imread(str(file)), student.draw(image, detections, tmp_path, paths[0])
    assert (one != cv2.imread(str(all_))[: one.shape[0]]).any()
    assert student.summary(detections, 1, 2) == {
        'detections': [{**detections[0], 'aspects': detections[0]['aspects'][:2]}]
    }


def test_without_the_training_set_aspects_are_listed_by_certainty(files, paths):
    cfg = Config.fromfile(files[0])
    cfg.train_dataloader.dataset.data_root = 'not_there'
    with pytest.warns(UserWarning, match="by certainty: .*data_root='not_there' is not there"):
        student = RegionInferencer(cfg, files[1], device='cpu', min_score=0.0)
    aspects = student(paths[0])[0][0]['aspects']
    certainty = [abs(aspect['probability'] - 0.5) for aspect in aspects]
    assert certainty == sorted(certainty, reverse=True)
    assert {aspect['evidence'] for aspect in aspects} == {None}
    assert {aspect['question'] for aspect in aspects} == set(QUESTIONS.texts)


def with_meta(checkpoint, target, **meta):
    """Write a copy of a checkpoint that says something else, and return its path."""
    weights = torch.load(checkpoint, weights_only=False)
    torch.save({**weights, 'meta': {**weights['meta'], **meta}}, target)
    return target


def test_answers_to_other_questions_are_no_evidence(files, tmp_path):
    other = QuestionSet([*QUESTIONS][::-1])
    checkpoint = with_meta(files[1], tmp_path / 'other.pth', region_questions=other.to_dict())
    with pytest.warns(UserWarning, match='The questions of the checkpoint are not those of the training set'):
        student = RegionInferencer(files[0], checkpoint, device='cpu')
    assert student.evidence is None
    assert student.questions == other


def test_questions_about_regions_come_from_the_targets_of_an_older_checkpoint(files, tmp_path):
    checkpoint = with_meta(files[1], tmp_path / 'old.pth', region_questions=None)
    assert RegionInferencer(files[0], checkpoint, device='cpu').questions == QUESTIONS


def test_what_does_not_fit(files, tmp_path):
    few = QuestionSet([*QUESTIONS][:2])
    checkpoint = with_meta(files[1], tmp_path / 'few.pth', region_questions=few.to_dict())
    with pytest.raises(ConfigError, match='names 2 questions about regions, but num_aspects of the head is 3'):
        RegionInferencer(files[0], checkpoint)
    with pytest.raises(ConfigError, match=r'1 names of classes, .* for a student with 2 classes'):
        RegionInferencer(*files, classes=['box'])


@pytest.mark.parametrize('name', ['baseline/faster_rcnn_r18_fpn_emoji_scenes', 'makd/faster_rcnn_r18_fpn_emoji_scenes'])
def test_a_detector_without_answers_about_regions(name, tmp_path, pytestconfig):
    files = small_detector(pytestconfig.rootpath, tmp_path, name)
    shutil.rmtree(tmp_path / 'targets')
    with pytest.raises(ConfigError, match=r'detector without a head that answers .* regions.*tools/test\.py'):
        RegionInferencer(*files)
