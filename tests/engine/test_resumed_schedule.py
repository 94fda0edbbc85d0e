"""The schedule that a checkpoint's config has is compared with another's, by field, without running it."""

import copy

import pytest
from mmengine.config import Config

from makd.engine.resumed_schedule import check_same_schedule, check_same_steps, read_schedule
from makd.errors import ConfigError

SCHEDULE = dict(
    optim_wrapper=dict(
        type='OptimWrapper',
        optimizer=dict(type='SGD', lr=0.1, betas=(0.9, 0.99)),
        paramwise_cfg=dict(custom_keys={'.bias': dict(decay_mult=0.0)}),
    ),
    param_scheduler=[
        dict(type='LinearLR', start_factor=1e-3, end=5, convert_to_iter_based=True),
        dict(type='MultiStepLR', milestones=[30, 60], by_epoch=True),
    ],
    train_cfg=dict(by_epoch=True, max_epochs=90, val_interval=1),
    randomness=dict(seed=0),
)


def difference(theirs, changes):
    """Return the lines that say how a config with changes differs from another."""
    ours = copy.deepcopy(theirs)
    ours.merge_from_dict(changes)
    try:
        check_same_schedule(read_schedule(theirs.pretty_text), ours, 'a.pth')
    except ConfigError as error:
        return [line.strip() for line in str(error).splitlines()[1:-1]]
    return []


@pytest.mark.parametrize(
    ('changes', 'lines'),
    [
        ({}, []),
        ({'randomness.seed': 1, 'train_cfg.val_interval': 5, 'optim_wrapper.type': 'AmpOptimWrapper'}, []),
        ({'optim_wrapper.optimizer.lr': 0.2}, ['optim_wrapper.optimizer.lr: 0.1 in the checkpoint, 0.2 in the config']),
        (
            {'param_scheduler.1.milestones': [10], 'train_cfg.max_epochs': 20},
            [
                'param_scheduler.1.milestones: [30, 60] in the checkpoint, [10] in the config',
                'train_cfg.max_epochs: 90 in the checkpoint, 20 in the config',
            ],
        ),
        (
            {'optim_wrapper.paramwise_cfg.custom_keys': {'.bias': dict(decay_mult=1.0)}},
            ['optim_wrapper.paramwise_cfg.custom_keys..bias.decay_mult: 0.0 in the checkpoint, 1.0 in the config'],
        ),
        (
            {'auto_scale_lr': dict(enable=True, base_batch_size=16)},
            ['auto_scale_lr.enable: False in the checkpoint, True in the config'],
        ),
        ({'auto_scale_lr': dict(enable=False, base_batch_size=16)}, []),
    ],
)
def test_differences_are_named_with_both_values(changes, lines):
    assert difference(Config(SCHEDULE), changes) == lines


def test_without_a_schedule_the_number_of_epochs_may_change():
    constant = Config({**SCHEDULE, 'param_scheduler': None})
    assert difference(constant, {'train_cfg.max_epochs': 200}) == []
    scheduled = difference(constant, {'param_scheduler': [dict(type='StepLR', step_size=30)]})
    assert 'param_scheduler.0.step_size: None in the checkpoint, 30 in the config' in scheduled


@pytest.mark.parametrize('text', ['', 'optim_wrapper = open("ran", "w")', 'a b', 'a = 1', '\0', 'train_cfg = [' * 5000])
def test_what_is_no_config_is_not_run(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read_schedule(text) is None
    assert not (tmp_path / 'ran').exists()


CONVERTED = dict(type='CosineAnnealingLR', T_max=4, by_epoch=True, convert_to_iter_based=True)
WARM_UP = dict(type='LinearLR', end=10, by_epoch=False)
MILESTONES = dict(type='MultiStepLR', milestones=[2], by_epoch=True)


@pytest.mark.parametrize(
    ('schedulers', 'steps_per_epoch', 'refused'),
    [
        (CONVERTED, 4, False),
        (CONVERTED, 8, True),
        ([MILESTONES, CONVERTED], 2, True),
        (MILESTONES, 8, False),  # counts epochs
        ([WARM_UP], 8, True),
        ([dict(WARM_UP, end=8)], 8, False),  # it has ended after the 8 steps that were made
        (None, 8, False),
    ],
)
def test_steps_are_counted_alike(schedulers, steps_per_epoch, refused):
    """The checkpoint made 8 steps in 2 epochs."""
    if not refused:
        check_same_steps(2, 8, steps_per_epoch, schedulers, 'a.pth')
        return
    with pytest.raises(ConfigError, match=rf'8 steps in 2 epochs, and an epoch has {steps_per_epoch} steps now'):
        check_same_steps(2, 8, steps_per_epoch, schedulers, 'a.pth')


def test_a_checkpoint_within_an_epoch():
    check_same_steps(2, 11, 4, CONVERTED, 'a.pth')
    with pytest.raises(ConfigError, match='11 steps in 2 epochs'):
        check_same_steps(2, 11, 3, CONVERTED, 'a.pth')
