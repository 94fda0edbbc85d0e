import json

import pytest

from experiments.seed_curves import find_runs, seed_curves
from experiments.training_log import TrainingLog
from makd.errors import ConfigError, DataError


@pytest.fixture
def write_run(tmp_path):
    def write(work_dir, *records, start='20260101_000000'):
        path = tmp_path / work_dir / start / 'vis_data' / 'scalars.json'
        path.parent.mkdir(parents=True)
        path.write_text(''.join(json.dumps(record) + '\n' for record in records))
        return tmp_path / work_dir

    return write


def test_runs_that_differ_in_their_seed_are_one_group(write_run, tmp_path):
    for work_dir in ('c/makd/a/111/seed_0', 'c/makd/a/111/seed_1', 'c/makd/a/222/seed_0', 'c/base/a/333/seed_4'):
        write_run(work_dir)
    write_run('c/base/a/333/seed_4/test')  # the log of a test, not a run
    write_run('plain/b')
    groups = find_runs([str(tmp_path / 'c'), str(tmp_path / 'plain' / 'b')])
    assert {name: [run.name for run in runs] for name, runs in groups.items()} == {
        'base/a': ['seed_4'],
        'makd/a 111': ['seed_0', 'seed_1'],
        'makd/a 222': ['seed_0'],
        'plain/b': ['b'],
    }


def test_named_groups(write_run, tmp_path):
    one, two, three = (str(write_run(f'{name}/seed_0')) for name in 'abc')
    groups = find_runs([f'my run={one}', two, f'other={three}'])
    assert {name: [str(run) for run in runs] for name, runs in groups.items()} == {
        'my run': [one, two],
        'other': [three],
    }
    with pytest.raises(ConfigError, match="a group 'x' already"):
        find_runs([f'x={one}', f'x={two}'])


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(DataError, match='holds no log of a run'):
        find_runs([str(tmp_path)])
    with pytest.raises(DataError, match='there is no folder nowhere'):
        find_runs(['name=nowhere'])


def test_curves_by_hand(write_run):
    def train(step, epoch, loss):
        return dict(lr=0.1, epoch=epoch, step=step, loss=loss, time=0.1, data_time=0.1)

    run = write_run(
        'a/seed_0',
        *(train(10, 1, 4.0), train(20, 1, 3.0), train(40, 2, 1.0)),
        *({'accuracy/top1': 50.0, 'aspect/auc': 0.7, 'step': 1}, {'accuracy/top1': 60.0, 'aspect/auc': 0.8, 'step': 2}),
    )
    write_run('a/seed_0', train(40, 2, 2.0), {'accuracy/top1': 70.0, 'step': 2}, start='20260102_000000')
    other = write_run('b/seed_0', train(10, 1, 5.0))
    logs = {'a': [TrainingLog.read(run)], 'b': [TrainingLog.read(other)]}
    assert seed_curves(logs, 'loss') == {'a': [{1: 3.5, 2: 2.0}], 'b': [{1: 5.0}]}
    assert seed_curves(logs, 'accuracy/top1') == {'a': [{1: 50.0, 2: 70.0}], 'b': []}
    assert seed_curves(logs, 'aspect/auc')['a'] == [{1: pytest.approx(70.0)}]
    with pytest.raises(ConfigError, match='--keys top1: no run has it; there are loss, accuracy/top1, aspect/auc'):
        seed_curves(logs, 'top1')
