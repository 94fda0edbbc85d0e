"""A run that was stopped and resumed is one curve."""

import json

import pytest

from experiments.training_log import TrainingLog
from makd.errors import DataError


def write(work_dir, timestamp, *lines):
    path = work_dir / timestamp / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(line if isinstance(line, str) else json.dumps(line) for line in lines), 'utf-8')


def step(number, loss, epoch):
    return dict(lr=0.1, data_time=0.01, time=0.1, loss=loss, loss_makd=loss / 2, acc=50.0, epoch=epoch, step=number)


@pytest.fixture
def work_dir(tmp_path):
    folder = tmp_path / 'run'
    validation = {'accuracy/top1': 10.0, 'coco/bbox_mAP_l': -1.0, 'time': 0.2, 'data_time': 0.1, 'step': 1}
    write(folder, '20260101_000000', step(50, 3.0, 1), validation, step(100, float('nan'), 2), '{"lr": 0.1, "da')
    write(folder, '20260101_010000', step(100, 2.0, 2), {'accuracy/top1': 12.0, 'step': 2}, {'accuracy/top1': 11.0})
    return folder


def test_what_was_repeated_after_resuming_counts(work_dir):
    log = TrainingLog.read(work_dir)
    assert log.starts == 2
    assert [(s, log.training[s]['loss']) for s in sorted(log.training)] == [(50, 3.0), (100, 2.0)]
    assert log.validation == {1: {'accuracy/top1': 10.0}, 2: {'accuracy/top1': 12.0}}
    assert log.losses == ['loss', 'loss_makd']
    assert log.metrics == ['accuracy/top1']
    assert log.unit == 'epoch'
    assert log.broken == []


def test_a_loss_that_is_not_finite_is_found(work_dir):
    write(work_dir, '20260101_020000', step(150, float('inf'), 3), step(200, float('nan'), 4))
    assert TrainingLog.read(work_dir).broken == [150, 200]


def test_a_run_that_was_begun_again_is_not_mixed_with_the_one_before(work_dir):
    write(work_dir, '20260101_030000', step(50, 9.0, 1))
    log = TrainingLog.read(work_dir)
    assert [record['loss'] for record in log.training.values()] == [9.0]
    assert log.validation == {}


def test_without_epochs_the_unit_is_the_iteration(tmp_path):
    record = step(50, 3.0, 1)
    del record['epoch']
    write(tmp_path, '20260101_000000', record)
    assert TrainingLog.read(tmp_path).unit == 'iteration'


def test_validations_by_iteration(tmp_path):
    write(tmp_path, '20260101_000000', step(50, 3.0, 1), {'accuracy/top1': 10.0, 'step': 50})
    assert TrainingLog.read(tmp_path).unit == 'iteration'


def test_a_folder_without_a_log(work_dir):
    with pytest.raises(DataError, match='holds no log of a run'):
        TrainingLog.read(work_dir.parent)
