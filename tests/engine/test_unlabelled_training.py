"""Trainings with images that have answers and no labels."""

import logging
import uuid

import pytest
import torch

from makd.config import read_config
from makd.engine.runner import Runner
from makd.errors import ConfigError, DataError

MAKD, BASELINE = 'configs/makd/resnet18_emoji.py', 'configs/baseline/resnet18_emoji.py'
OTHERS = dict(type='makd.EmojiDataset', data_root='data/emoji', styles=['blob'], indices=20)


def training(path, work_dir, **options):
    """Return a runner of two epochs of two steps: 8 labelled images and 20 others, in batches of 4 and 4."""
    small = {
        'model.backbone.base_channels': 4,
        'model.backbone.stem_channels': 4,
        'model.head.in_channels': 32,
        'train_dataloader.batch_size': 8,
        'train_dataloader.num_workers': 0,
        'train_dataloader.collate_fn': dict(type='default_collate'),
        'train_dataloader.dataset.indices': 8,
        'train_dataloader.unlabelled': dict(dataset=OTHERS),
        'train_cfg.max_epochs': 2,
        'param_scheduler.milestones': [1],
    }
    cfg = read_config(path, {**small, **options})
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = uuid.uuid4().hex
    return Runner.from_cfg(cfg)


def test_a_resumed_training_sees_what_it_would_have_seen(tmp_path):
    whole = training(MAKD, tmp_path / 'whole')
    whole.train()
    assert whole.iter == 4
    resumed = training(MAKD, tmp_path / 'resumed', load_from=str(tmp_path / 'whole/epoch_1.pth'), resume=True)
    resumed.train()
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_a_student_without_aspects_needs_labels(tmp_path):
    with pytest.raises(ConfigError, match=r'unlabelled: model.head is a LinearClsHead, which learns no aspects'):
        training(BASELINE, tmp_path, **{'train_dataloader.unlabelled.dataset.pipeline': []}).train()


@pytest.mark.parametrize(
    'preprocessor',
    [
        dict(to_onehot=True),
        dict(type='makd.AspectDataPreprocessor', batch_augments=dict(augments=[dict(type='Mixup', alpha=0.2)])),
    ],
)
def test_labels_cannot_be_turned_into_scores(preprocessor, tmp_path):
    with pytest.raises(ConfigError, match=r'turns labels into scores .* train_dataloader\.unlabelled'):
        training(MAKD, tmp_path, data_preprocessor=preprocessor).train()


@pytest.fixture
def annotations(tmp_path):
    """Return a function that writes an annotation file of two emoji with some labels."""

    def write(*labels):
        keys = ['noto/animal-mammal/1f412.png', 'noto/animal-mammal/1f435.png', 'noto/animal-mammal/1f436.png']
        lines = [f'{key} {label}'.rstrip() for key, label in zip(keys, labels)]
        (tmp_path / 'train.txt').write_text('\n'.join(lines) + '\n')
        return dict(
            type='CustomDataset',
            data_root='data/emoji/images',
            ann_file=str(tmp_path / 'train.txt'),
            metainfo=dict(classes=[str(number) for number in range(849)]),
            with_label=labels[0] != '',
        )

    return write


def train_on(path, dataset, work_dir):
    """Train for a step on a dataset in place of that of the config."""
    pipeline = read_config(path).train_dataloader.dataset.pipeline
    options = {
        'train_dataloader.dataset': dict(dataset, _delete_=True, pipeline=pipeline),
        'train_dataloader.unlabelled': None,
        'train_dataloader.batch_size': 3,
        'train_cfg.max_epochs': 1,
    }
    runner = training(path, work_dir, **options)
    runner.train()
    return runner


def test_a_label_of_minus_one_teaches_a_makd_student_only(annotations, tmp_path):
    losses = train_on(MAKD, annotations(3, -1, 5), tmp_path / 'makd').message_hub.get_scalar('train/loss_cls')
    assert losses.current() > 0
    with pytest.raises(DataError, match=r'the label -1, and model.head.num_classes=849 allows 0 to 848'):
        train_on(BASELINE, annotations(3, -1, 5), tmp_path / 'plain')


def test_no_label_at_all_is_warned_about(annotations, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        runner = train_on(MAKD, annotations('', '', ''), tmp_path)
    assert runner.message_hub.get_scalar('train/loss_cls').current() == 0
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert 'No image of train_dataloader.dataset has a label' in log


def test_a_sampler_of_other_batches_is_refused(tmp_path):
    runner = training(MAKD, tmp_path)
    runner._train_dataloader['batch_size'] = 16
    with pytest.raises(ConfigError, match=r'sampler.batch_size=8 of a data loader with batch_size=16'):
        runner.train()
