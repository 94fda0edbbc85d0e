"""The answers about the images of a data set, in its order."""

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset
from mmpretrain.registry import DATASETS

from makd.datasets.labelled_images import read_labelled_images
from makd.errors import DataError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

KEYS = ['a/0.png', 'a/1.png', 'b/0.png']
LOGPROBS = np.array([[[-0.2, -2.2], [0.0, -np.inf]], [[-3.0, -1.0], [-np.inf, 0.0]]], np.float32)


@pytest.fixture
def build(tmp_path):
    for key in KEYS:
        (tmp_path / 'images' / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'images' / key).touch()

    def make(*names, folder='answers'):
        if not names:
            return DATASETS.build(dict(type='CustomDataset', data_root=str(tmp_path / 'images')))
        questions = QuestionSet(Question(name, f'Is it {name}?') for name in names)
        AspectTargets.write(
            tmp_path / folder, questions=questions, keys=[KEYS[2], KEYS[0]], logprobs=LOGPROBS[:, : len(names)]
        )
        load = dict(type='makd.LoadAspectTargets', targets=str(tmp_path / folder), data_root=str(tmp_path / 'images'))
        pipeline = [dict(type='PackInputs'), load]
        return DATASETS.build(dict(type='CustomDataset', data_root=str(tmp_path / 'images'), pipeline=pipeline))

    return make


def test_answers_stand_in_the_order_of_the_images(build):
    images = read_labelled_images(build('red', 'round'))
    assert [path[-7:] for path in images.paths] == KEYS
    assert images.labels.tolist() == [0, 0, 1]
    assert images.classes == ('a', 'b')
    assert images.questions.ids == ('red', 'round')
    nan, inf = np.nan, np.inf
    np.testing.assert_allclose(images.logits, [[-2.0, -inf], [nan, nan], [2.0, inf]], rtol=1e-6)
    np.testing.assert_allclose(images.probability[[0, 2], 1], [0.0, 1.0])
    assert images.answered.tolist() == [True, False, True]


def test_data_sets_that_are_wrapped(build):
    twice = ConcatDataset([build('red', 'round'), build('red', 'round', folder='copy')])
    images = read_labelled_images(twice)
    assert images.logits.shape == (6, 2)
    assert images.questions.ids == ('red', 'round')
    other = ConcatDataset([build('red', folder='one'), build('round', 'red', folder='two')])
    with pytest.raises(DataError, match='2 different sets of questions'):
        read_labelled_images(other)


def test_a_data_set_without_answers(build):
    images = read_labelled_images(build())
    assert images.questions is None
    assert images.logits.shape == (3, 0)


def test_an_image_without_one_class(build):
    dataset = build('red')
    dataset.get_data_info = lambda index: dict(img_path='x.png', gt_label=[0, 1])
    with pytest.raises(DataError, match=r'x.png has gt_label=\[0, 1\]'):
        read_labelled_images(dataset)
