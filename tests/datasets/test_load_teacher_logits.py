"""A teacher's stored class probabilities on their way to the loss."""

import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample

from makd.datasets.load_targets import LoadTeacherLogits
from makd.engine.hooks import TeacherLogitsHook
from makd.errors import ConfigError, TargetsError
from makd.questions import Question, QuestionSet
from makd.registry import DATASETS, MODELS
from makd.targets import AspectTargets

CLASSES = ['cat', 'dog', 'owl']
P = {'a.png': [0.7, 0.2, 0.1], 'b.png': [1.0, 0.0, 0.0]}


def write(folder, probabilities, classes):
    """Write class probabilities (n, C) as HFClassAnnotator stores them."""
    p = np.array(list(probabilities.values()))
    with np.errstate(divide='ignore'):
        logprobs = np.log(np.stack([p, 1 - p], axis=-1))
    return AspectTargets.write(
        folder, questions=QuestionSet(Question(c, c) for c in classes), keys=probabilities, logprobs=logprobs
    )


@pytest.fixture
def transform(tmp_path):
    write(tmp_path / 't', P, CLASSES)
    return LoadTeacherLogits(str(tmp_path / 't'), 'root')


def logits(transform, key):
    sample = DataSample(metainfo=dict(img_path=f'root/{key}'))
    return transform(dict(inputs=None, data_samples=sample))['data_samples'].teacher_logits


def test_logits_are_log_p_in_the_order_of_the_classes(transform):
    transform.order(['owl', 'cat', 'dog'])
    torch.testing.assert_close(logits(transform, 'a.png'), torch.tensor([0.1, 0.7, 0.2]).log())
    assert logits(transform, 'b.png').tolist() == [-100, 0, -100]  # finite where p is 0


def test_what_does_not_fit_is_named(transform, tmp_path):
    with pytest.raises(ConfigError, match=r'makd\.TeacherLogitsHook'):
        logits(transform, 'a.png')
    with pytest.raises(ConfigError, match=r"1 of 3 classes .* first 'owls'\. It has 'owl'"):
        transform.order(['cat', 'dog', 'owls'])
    with pytest.raises(ConfigError, match=r"1 classes that the dataset does not have, first 'owl'"):
        transform.order(['cat', 'dog'])
    transform.order(CLASSES)
    with pytest.raises(TargetsError, match=r'c\.png'):
        logits(transform, 'c.png')
    write(tmp_path / 'nan', {'a.png': [math.nan] * 3}, CLASSES)
    transform = LoadTeacherLogits(str(tmp_path / 'nan'), 'root')
    transform.order(CLASSES)
    with pytest.raises(TargetsError, match=r"lacks answers about the image 'a\.png'"):
        logits(transform, 'a.png')


def runner(dataset):
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), logger=logging.getLogger())


def test_kd_from_stored_probabilities(tmp_path):
    """A config as the fragment says: the loss is that of Hinton et al. on the stored probabilities, by name."""
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    base = Config.fromfile('configs/_base_/distill/stored_logits.py')
    kd = Config.fromfile('configs/_base_/distill/kd.py')
    cfg = Config.fromfile('configs/baseline/resnet18_emoji.py')
    source = {**cfg.train_dataloader.dataset, 'label': 'subcategory', 'split': 'val'}
    dataset = DATASETS.build(source)
    classes = list(dataset.metainfo['classes'])
    generator = np.random.default_rng(0)
    keys = [dataset.get_data_info(i)['img_path'].removeprefix('data/emoji/images/') for i in range(len(dataset))]
    stored = dict(zip(keys, generator.dirichlet(np.ones(len(classes)), len(keys))))
    shuffled = generator.permutation(len(classes))
    write(tmp_path / 't', {key: p[shuffled] for key, p in stored.items()}, [classes[i] for i in shuffled])

    load = dict(**base.load_teacher_logits, targets=str(tmp_path / 't'), data_root='data/emoji/images')
    dataset = DATASETS.build({**source, 'pipeline': [*source['pipeline'], load]})
    TeacherLogitsHook().before_train(runner(dataset))
    model = cfg.model.to_dict()
    model.update(type='makd.DistillImageClassifier', distill_loss=kd.distill_loss, **base.teacher)
    model['head'].update(num_classes=len(classes), loss=kd.class_loss)
    student = MODELS.build({**model, 'data_preprocessor': {**cfg.data_preprocessor, 'num_classes': len(classes)}})
    student.init_weights()
    student.eval()
    batch = student.data_preprocessor(default_collate([dataset[i] for i in range(4)]), training=True)
    losses = student.loss(**batch)

    temperature, z = 4.0, student(batch['inputs']).double()
    p = torch.tensor(np.stack([stored[key] for key in keys[:4]])) ** (1 / temperature)
    p = p / p.sum(1, keepdim=True)
    q = (z / temperature).softmax(1)
    expected = 0.9 * temperature**2 * (p * (p / q).log()).sum() / 4
    assert losses.keys() == {'loss_cls', 'loss_kd'}
    torch.testing.assert_close(losses['loss_kd'].double(), expected, rtol=1e-4, atol=1e-6)
    sum(losses.values()).backward()

    with pytest.raises(ConfigError, match='no teacher_logits'):
        student.loss(batch['inputs'], [DataSample().set_gt_label(0)] * 4)
    student.data_preprocessor.batch_augments = object()
    with pytest.raises(ConfigError, match='mixes images'):
        student.loss(**batch)
    with pytest.raises(ConfigError, match='teacher_checkpoint'):
        MODELS.build({**model, 'teacher_checkpoint': 'a.pth'})

    with pytest.raises(ConfigError, match='has teacher logits'):
        TeacherLogitsHook().before_train(runner(DATASETS.build(source)))
    write(tmp_path / 'fewer', {key: p for key, p in stored.items() if key != keys[3]}, classes)
    dataset = DATASETS.build(
        {**source, 'pipeline': [*source['pipeline'], {**load, 'targets': str(tmp_path / 'fewer')}]}
    )
    with pytest.raises(TargetsError, match=f'(?s)1 of {len(keys)} images have no class probabilities.*{keys[3]}'):
        TeacherLogitsHook().before_train(runner(dataset))
