"""The images of a dataset, in its order, with the answers about them."""

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmpretrain.registry import DATASETS

from makd.datasets import targets_join
from makd.datasets.load_targets import LoadAspectTargets, target_transforms
from makd.datasets.targets_join import join_dataset, join_training_set
from makd.errors import ConfigError, DataError
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
    images = join_dataset(build('red', 'round'))
    assert [path[-7:] for path in images.paths] == KEYS
    assert images.labels.tolist() == [0, 0, 1]
    assert images.classes == ('a', 'b')
    assert images.questions.ids == ('red', 'round')
    nan, inf = np.nan, np.inf
    np.testing.assert_allclose(images.logits, [[-2.0, -inf], [nan, nan], [2.0, inf]], rtol=1e-6)
    np.testing.assert_allclose(images.probability[[0, 2], 1], [0.0, 1.0])
    assert images.answered.tolist() == [True, False, True]


def test_datasets_that_are_wrapped(build):
    twice = ConcatDataset([build('red', 'round'), build('red', 'round', folder='copy')])
    images = join_dataset(twice)
    assert images.logits.shape == (6, 2)
    assert images.questions.ids == ('red', 'round')
    other = ConcatDataset([build('red', folder='one'), build('round', 'red', folder='two')])
    with pytest.raises(ConfigError, match=r"one are not those of .*two: only .*two has 'round'"):
        join_dataset(other)


def test_a_data_set_without_answers(build):
    images = join_dataset(build())
    assert images.questions is None
    assert images.logits.shape == (3, 0)


def test_an_image_without_one_class(build):
    dataset = build('red')
    dataset.get_data_info = lambda index: dict(img_path='x.png', gt_label=[0, 1])
    with pytest.raises(DataError, match=r'x.png has gt_label=\[0, 1\]'):
        join_dataset(dataset)


def test_an_image_that_a_wrapper_repeats_is_one_training_image(build):
    repeated = RepeatDataset(build('red', 'round'), 2)
    assert len(join_dataset(repeated).paths) == 6
    images = join_training_set(repeated)
    assert images.rows.tolist() == [1, -1, 0]
    annotated = images.annotated()
    assert annotated.labels.tolist() == [0, 1]
    assert annotated.classes == ('a', 'b')
    np.testing.assert_allclose(annotated.probability, images.probability[[0, 2]])
    yes_no = LOGPROBS[::-1].astype(np.float64)
    np.testing.assert_allclose(annotated.mass, np.exp(yes_no).sum(-1), rtol=1e-6)
    np.testing.assert_allclose(annotated.probability, 1 / (1 + np.exp(yes_no[..., 1] - yes_no[..., 0])), rtol=1e-6)
    with pytest.raises(ConfigError, match=r"has aspect targets.*type='makd.LoadAspectTargets'"):
        join_training_set(build())


def test_selected_questions_are_read_in_their_order_a_few_images_at_a_time(build, monkeypatch):
    monkeypatch.setattr(targets_join, 'BLOCK_BYTES', 16)  # one image of two questions
    dataset = build('red', 'round')
    whole = join_dataset(dataset).logits
    (load,) = [transform for _, transform in target_transforms(dataset, LoadAspectTargets)]
    load.targets = load.targets.select(['round', 'red'])
    np.testing.assert_array_equal(join_dataset(dataset).logits, whole[:, ::-1])
