"""Cells with stand-ins for train.py and test.py, which write what mmengine writes."""

import os
from pathlib import Path

import pytest

from makd.experiments import Cell, CellFailedError

TRAIN = """
import json, pathlib, sys
work_dir = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
with (work_dir / 'calls').open('a') as calls:
    calls.write(' '.join(sys.argv[1:]) + chr(10))
if (work_dir.parents[3] / 'fail').exists():
    sys.exit('out of luck')
(work_dir / 'a' / 'vis_data').mkdir(parents=True, exist_ok=True)
lines = [
    '{"time": 0.1, "epoch": 1, "iter": 50, "step": 50}',
    '{"time": 0.3, "epoch": 1, "iter": 100, "step": 100}',
    '{"accuracy/top1": 7.0, "time": 9.0, "step": 1}',
    '{"half a li',
]
(work_dir / 'a' / 'vis_data' / 'scalars.json').write_text(chr(10).join(lines))
(work_dir / 'epoch_1.pth').touch()
(work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
print('mmengine - INFO - Epoch(train)  [1][100/104]  lr: 0.1')
"""
TEST = """
import pathlib, sys
pathlib.Path(sys.argv[sys.argv.index('--out') + 1]).write_text('{"accuracy/top1": 5.0}')
"""


@pytest.fixture
def make_cell(tmp_path):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(TRAIN)
    (tmp_path / 'tools' / 'test.py').write_text(TEST)
    (tmp_path / 'group').mkdir()
    config = tmp_path / 'group' / 'name.py'
    config.write_text('a = 1')

    def make(seed=0, overrides=()):
        return Cell(str(config), seed, tmp_path / 'root', tmp_path / 'tools', overrides)

    make.config = config
    return make


def calls(cell):
    return (cell.work_dir / 'calls').read_text().splitlines()


def test_a_result_is_kept_and_read_back(make_cell):
    cell, lines = make_cell(overrides=('x=1',)), []
    assert cell.result() is None
    result = cell.run(lines.append, threads=1)
    assert result.metrics == {'accuracy/top1': 5.0}
    assert result.seconds_per_epoch == pytest.approx(0.2 * 104)  # the mean step times the steps of an epoch
    assert make_cell(overrides=('x=1',)).result().curve == [[1, {'accuracy/top1': 7.0}]]
    assert lines == ['Epoch(train)  [1][100/104]  lr: 0.1']
    assert calls(cell)[0].endswith('--cfg-options x=1 randomness.seed=0')


def test_a_result_counts_only_for_the_very_config_overrides_and_seed(make_cell):
    cell = make_cell()
    cell.run(print, threads=1)
    assert make_cell().result() is not None
    assert make_cell(seed=1).result() is None
    assert make_cell(overrides=('x=1',)).result() is None
    make_cell.config.write_text('a = 2')
    assert make_cell().result() is None
    assert cell.result() is not None  # nothing is deleted


@pytest.mark.parametrize('content', ["teacher_checkpoint = 'FILE'", "targets = 'FOLDER'"])
def test_a_result_counts_only_for_the_very_teacher_and_targets(make_cell, tmp_path, content):
    file = tmp_path / 'logprobs.npy'
    file.write_bytes(b'1')
    make_cell.config.write_text(content.replace('FILE', str(file)).replace('FOLDER', str(tmp_path)))
    make_cell().run(print, threads=1)
    assert make_cell().result() is not None
    file.write_bytes(b'12')
    assert make_cell().result() is None


def test_a_run_is_resumed_only_from_a_checkpoint_that_is_there(make_cell):
    cell = make_cell()
    cell.run(print, threads=1)
    cell.run(print, threads=1)
    (cell.work_dir / 'epoch_1.pth').unlink()  # killed while mmengine replaced it
    cell.run(print, threads=1)
    assert ['--resume' in call for call in calls(cell)] == [False, True, False]


def test_a_failure_shows_what_was_printed_last(make_cell, tmp_path):
    cell = make_cell()
    (tmp_path / 'root').mkdir()
    (tmp_path / 'root' / 'fail').touch()
    with pytest.raises(CellFailedError, match='out of luck'):
        cell.run(print, threads=1)
    assert cell.result() is None


def test_two_processes_do_not_run_one_cell(make_cell):
    cell = make_cell()
    cell.work_dir.mkdir(parents=True)
    with cell.run_of_tools.locked(), pytest.raises(CellFailedError, match='another process'):
        cell.run(print, threads=1)
    cell.run(print, threads=1)


def test_name_is_the_configs_folder_and_stem(make_cell):
    assert make_cell().name == 'group/name'
    assert Path(os.path.relpath(make_cell().work_dir, make_cell.config.parent.parent)).parts[:3] == (
        'root',
        'group',
        'name',
    )
