import ast
import logging
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from mmengine.runner import IterBasedTrainLoop
from mmpretrain.datasets import CustomDataset
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import nn

from makd.datasets.load_targets import LoadAspectTargets
from makd.engine.hooks import AblateAspectTargetsHook, AspectTargetCheckHook, DistillWarmupHook
from makd.errors import ConfigError, TargetsError
from makd.models.data_preprocessor import AspectDataPreprocessor
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

KEYS = [f'{name}/{i}.png' for name in 'abc' for i in range(2)]


class Dataset:
    def __init__(self, keys, transform):
        self.keys = keys
        self.pipeline = Compose([transform] if transform else [])

    def __len__(self):
        return len(self.keys)

    def get_data_info(self, index):
        return dict(img_path=f'root/{self.keys[index]}', gt_label='abcz'.index(self.keys[index][0]))


class Wrapper:
    def __init__(self, dataset):
        self.dataset = dataset
        self.get_data_info = dataset.get_data_info

    def __len__(self):
        return len(self.dataset)


class Model(nn.Module):
    def __init__(self, num_aspects):
        super().__init__()
        self.data_preprocessor = None
        self.head = nn.Linear(1, 1)
        if num_aspects is not None:
            self.head.num_aspects = num_aspects


@pytest.fixture(params=[100, 2], ids=['one folder', 'partitions'])
def transform(tmp_path, request):
    probability = np.arange(len(KEYS))[:, None] / 10 + np.array([[0.05, 0.06]])
    AspectTargets.write(
        tmp_path / 'targets',
        questions=QuestionSet([Question('q0', 'Is it big?', None), Question('q1', 'Is it red?', None)]),
        keys=KEYS,
        logprobs=np.log(np.stack([probability, 1 - probability], axis=-1)),
        partition_size=request.param,
    )
    return LoadAspectTargets(str(tmp_path / 'targets'), 'root')


def runner(transform, keys=KEYS, num_aspects=2, seed=0):
    dataset = Dataset(keys, transform)
    return SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=Wrapper(dataset)),
        val_loop=None,
        model=Model(num_aspects),
        logger=logging.getLogger('test'),
        seed=seed,
    )


def test_check_passes_and_logs_the_question_hash(transform, caplog):
    with caplog.at_level(logging.INFO):
        AspectTargetCheckHook().before_train(runner(transform))
    assert transform.targets.questions.hash in caplog.text


def test_check_counts_and_names_missing_images(transform, caplog):
    missing = [f'z/{i:02}.png' for i in range(12)]
    with pytest.raises(TargetsError, match='12 of 18 images') as error:
        AspectTargetCheckHook().before_train(runner(transform, KEYS + missing))
    assert all(key in str(error.value) for key in missing[:10])
    assert missing[10] not in str(error.value)
    transform.missing = 'ignore'
    AspectTargetCheckHook().before_train(runner(transform, KEYS + missing))
    assert '12 of 18' in caplog.text


def test_check_names_images_that_the_dataset_leaves_out_by_their_suffix(tmp_path, transform, caplog):
    """mmpretrain's CustomDataset reads neither .webp nor .gif nor .tiff, unless it is told to."""
    keys = ['train/a/1.png', 'train/a/2.WEBP', 'train/b/3.tiff', 'train/b/4.jpg', 'test/a/5.gif']
    for key in keys:
        (tmp_path / 'images' / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'images' / key).touch()
    logprobs = np.log(np.full((len(keys), 2, 2), 0.5))
    AspectTargets.write(tmp_path / 't', questions=transform.targets.questions, keys=keys, logprobs=logprobs)
    load = dict(type='makd.LoadAspectTargets', targets=str(tmp_path / 't'), data_root=str(tmp_path / 'images'))

    def check(**arguments):
        caplog.clear()
        dataset = CustomDataset(data_root=str(tmp_path / 'images/train'), pipeline=[load], **arguments)
        checked = runner(None)
        checked.train_dataloader.dataset = Wrapper(dataset)
        AspectTargetCheckHook().before_train(checked)
        return len(dataset), caplog.text

    images, text = check()
    assert images == 2
    assert '2 images in ' in text
    assert 'CustomDataset does not read them because of their suffixes:\n  train/a/2.WEBP\n  train/b/3.tiff' in text
    extensions = ast.literal_eval(re.search(r'extensions=(\[.*\])', text)[1])
    images, text = check(extensions=extensions)
    assert images == 4
    assert 'suffixes' not in text


def test_check_compares_the_number_of_questions(transform):
    with pytest.raises(ConfigError, match=r'2 questions, model\.head has num_aspects=5'):
        AspectTargetCheckHook().before_train(runner(transform, num_aspects=5))
    with pytest.raises(ConfigError, match='No module of the model has num_aspects'):
        AspectTargetCheckHook().before_train(runner(transform, num_aspects=None))
    with pytest.raises(ConfigError, match=r'makd\.LoadAspectTargets'):
        AspectTargetCheckHook().before_train(runner(None))


def test_check_refuses_mixup_that_leaves_the_aspects_as_they_are(transform):
    augments = dict(augments=[dict(type='Mixup', alpha=1.0)])
    mixing = runner(transform)
    mixing.model.data_preprocessor = ClsDataPreprocessor(num_classes=3, batch_augments=augments)
    with pytest.raises(ConfigError, match=r'makd\.AspectDataPreprocessor'):
        AspectTargetCheckHook().before_train(mixing)
    mixing.model.data_preprocessor = AspectDataPreprocessor(num_classes=3, batch_augments=augments)
    AspectTargetCheckHook().before_train(mixing)


def test_check_looks_at_the_validation_images_too(transform):
    validating = runner(transform)
    validating.val_loop = object()
    validating.val_dataloader = SimpleNamespace(dataset=Dataset(['z/1.png'], transform))
    with pytest.raises(TargetsError, match=r'1 of 1 images(.|\n)*z/1\.png'):
        AspectTargetCheckHook().before_train(validating)


def test_check_reads_each_part_of_a_concatenation_by_its_own_root(transform):
    other = LoadAspectTargets(str(transform.targets.path), 'elsewhere')
    second = Dataset(KEYS, other)
    second.get_data_info = lambda index: dict(img_path=f'elsewhere/{KEYS[index]}', gt_label='abc'.index(KEYS[index][0]))
    joined = runner(transform)
    joined.train_dataloader.dataset = SimpleNamespace(datasets=[Dataset(KEYS, transform), second])
    AspectTargetCheckHook().before_train(joined)
    AblateAspectTargetsHook('shuffled').before_train(joined)


def test_check_finds_damaged_answers(transform):
    *_, file = sorted(transform.targets.path.rglob('logprobs.npy'))
    array = np.load(file)
    array[1, 1, 0] = np.nan  # one of a pair
    np.save(file, array)
    with pytest.raises(TargetsError, match=f'{file} is damaged'):
        AspectTargetCheckHook().before_train(runner(transform))


def test_shuffled_targets_are_those_of_another_class(transform):
    true = {key: transform.targets.probability(key) for key in KEYS}
    AblateAspectTargetsHook('shuffled', seed=3).before_train(runner(transform))
    for key in KEYS:
        donors = [other for other in KEYS if np.array_equal(true[other], transform.targets.probability(key))]
        assert len(donors) == 1
        assert donors[0][0] != key[0]
    AspectTargetCheckHook().before_train(runner(transform))


def test_random_targets_follow_the_runs_seed(transform):
    targets = transform.targets
    values = []
    for seed in (0, 1, 0):
        transform.targets = targets
        AblateAspectTargetsHook('random').before_train(runner(transform, seed=seed))
        values.append(transform.targets.probability(KEYS[0]))
    assert np.array_equal(values[0], values[2])
    assert not np.array_equal(values[0], values[1])
    transform.targets = targets
    AblateAspectTargetsHook('random', seed=1).before_train(runner(transform, seed=0))
    assert np.array_equal(values[1], transform.targets.probability(KEYS[0]))


def test_an_unknown_control_is_named():
    with pytest.raises(ConfigError, match="kind='swapped'"):
        AblateAspectTargetsHook('swapped')


@pytest.mark.parametrize(('epoch', 'weight'), [(0, 0.05), (9, 0.5), (19, 1.0), (100, 1.0)])
def test_warmup_is_mdistillers(epoch, weight):
    # mdistiller counts epochs from 1: weight = min(epoch / 20, 1).
    model = SimpleNamespace(distill_weight=None)
    DistillWarmupHook(20).before_train_epoch(SimpleNamespace(model=model, epoch=epoch))
    assert model.distill_weight == pytest.approx(weight)


def test_warmup_refuses_a_training_without_epochs():
    loop = IterBasedTrainLoop.__new__(IterBasedTrainLoop)
    with pytest.raises(ConfigError, match='IterBasedTrainLoop has none'):
        DistillWarmupHook(1).before_train(SimpleNamespace(train_loop=loop))


def test_warmup_mistakes_are_named():
    with pytest.raises(ConfigError, match='warmup_epochs=0'):
        DistillWarmupHook(0)
    with pytest.raises(ConfigError, match='Linear does not distil'):
        DistillWarmupHook(1).before_train_epoch(SimpleNamespace(model=torch.nn.Linear(1, 1), epoch=0))


def test_an_image_without_a_class_leaves_the_other_classes_shuffled_as_classes(transform):
    data = runner(transform)
    inner = data.train_dataloader.dataset.dataset
    of_class = inner.get_data_info
    inner.get_data_info = lambda index: {**of_class(index), **({'gt_label': -1} if index == 5 else {})}
    true = {key: transform.targets.probability(key).tolist() for key in KEYS}
    AblateAspectTargetsHook(kind='shuffled').before_train(data)
    donors = {}
    for key in KEYS:
        shuffled = transform.targets.probability(key).tolist()
        (donors[key],) = (other for other in KEYS if true[other] == shuffled)
    for key in KEYS[:4]:
        assert donors[key][0] != key[0], donors
    assert donors[KEYS[5]] != KEYS[5]
    with pytest.raises(ConfigError, match=r'shuffled_within.*needs a class of each image'):
        AblateAspectTargetsHook(kind='shuffled_within').before_train(data)
