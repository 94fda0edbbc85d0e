import numpy as np
import pytest
from mmengine.dataset import ConcatDataset
from mmengine.registry import DATASETS, init_default_scope

from makd.datasets.targets_join import images_of_datasets, images_of_folder
from makd.errors import DataError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

KEYS = ['train/cat/1.png', 'train/dog/1.png', 'val/dog/2.png', 'elsewhere/3.png', '4.png']


@pytest.fixture
def targets(tmp_path):
    for key in [*KEYS, 'train/cat/not_answered.png']:
        (tmp_path / 'images' / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'images' / key).touch()
    return AspectTargets.write(
        tmp_path / 'targets',
        questions=QuestionSet([Question('q', 'Is it?')]),
        keys=KEYS,
        logprobs=np.full((len(KEYS), 1, 2), np.log(0.5)),
    )


@pytest.fixture
def datasets(targets, tmp_path):
    init_default_scope('mmpretrain')
    return [
        DATASETS.build(dict(type='CustomDataset', data_root=str(tmp_path / 'images' / part), pipeline=[]))
        for part in ('train', 'val')
    ]


def test_folders_stand_in_for_classes(targets):
    images = images_of_folder(targets, 'somewhere')
    assert images.by_folder
    assert images.paths[0] == 'somewhere/train/cat/1.png'
    assert images.classes == ('', 'elsewhere', 'train/cat', 'train/dog', 'val/dog')
    assert images.labels.tolist() == [2, 3, 4, 1, 0]


def test_data_sets_know_classes(targets, datasets, tmp_path):
    images = images_of_datasets(targets, [ConcatDataset(datasets[:1])], ['nowhere', str(tmp_path / 'images')])
    assert not images.by_folder
    assert images.classes == ('cat', 'dog')
    assert images.labels.tolist() == [0, 1, -1, -1, -1]
    assert images.paths == (
        str(tmp_path / 'images/train/cat/1.png'),
        str(tmp_path / 'images/train/dog/1.png'),
        '',
        '',
        '',
    )


def test_classes_of_one_name_stay_apart(targets, datasets, tmp_path):
    """In ``val`` the dog is class 0."""
    images = images_of_datasets(targets, datasets, [str(tmp_path / 'images')])
    assert images.classes == ('cat', 'dog', 'dog')
    assert images.labels.tolist() == [0, 2, 1, -1, -1]


@pytest.mark.parametrize('some', [False, True])
def test_images_without_class(targets, datasets, tmp_path, some):
    for dataset in datasets[some:]:
        plain = dataset.get_data_info
        dataset.get_data_info = lambda index, plain=plain: {**plain(index), 'gt_label': [0]}  # as in multi-label data
    images = images_of_datasets(targets, datasets, [str(tmp_path / 'images')])
    assert images.by_folder is not some
    assert images.classes == (('', 'cat', 'dog') if some else ('train/cat', 'train/dog', 'val/dog'))
    assert images.labels.tolist() == ([1, 2, 0, -1, -1] if some else [0, 1, 2, -1, -1])


def test_other_images(targets, datasets):
    with pytest.raises(DataError, match=r"none of the 4 images .* keys look like 'train/cat/1.png'.*relative to '/'"):
        images_of_datasets(targets, datasets, ['/'])
