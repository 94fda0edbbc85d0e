"""The summary of a run, and the curves of one or several."""

import json
from functools import partial

import pytest


@pytest.fixture
def work_dir(tmp_path):
    path = tmp_path / '20260101_000000' / 'vis_data' / 'scalars.json'
    path.parent.mkdir(parents=True)
    train = [
        dict(lr=0.1, data_time=0.02, time=0.1, loss=3.0, loss_makd=1.0, epoch=1, step=100),
        dict(lr=0.1, data_time=0.04, time=0.2, loss=float('nan'), loss_makd=0.5, epoch=2, step=200),
    ]
    validation = [{'accuracy/top1': 12.5, 'step': 1}, {'accuracy/top1': 10.0, 'step': 2}]
    path.write_text('\n'.join(json.dumps(record) for record in (*train, *validation)), 'utf-8')
    return tmp_path


@pytest.fixture
def analyze(run_tool):
    return partial(run_tool, 'analyze_log')


def test_summary_and_curves(work_dir, analyze):
    (out, _), _ = analyze(work_dir)
    assert '200 iterations (2 epochs)' in out
    assert '0.1500 s per iteration (0.1000 to 0.2000), 20% of it waiting for data; about 0.5 minutes' in out
    assert 'loss_makd: 1 at first, 0.5 at last' in out
    assert 'NOT FINITE: a loss is NaN or infinite in 1 records, first at iteration 200' in out
    assert 'accuracy/top1: 10 at epoch 2; highest 12.5 at 1' in out
    assert (work_dir / 'curves.png').read_bytes().startswith(b'\x89PNG')


def test_keys_and_the_format_of_the_figure(work_dir, analyze):
    (out, _), _ = analyze(work_dir, '--keys', 'loss_makd', '--out', work_dir / 'new' / 'curves.svg')
    assert 'loss_makd: 1' in out
    assert 'accuracy' not in out
    assert '<svg' in (work_dir / 'new' / 'curves.svg').read_text()


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['--keys', 'loss_mkad'], '--keys loss_mkad: the log does not have it, but: loss_makd'),
        (['--out', 'curves.foo'], '--out curves.foo: a figure ends in'),
        ([], 'there is no folder'),
    ],
)
def test_mistakes(argv, message, work_dir, analyze):
    assert message in analyze(work_dir if argv else work_dir / 'nothing', *argv)[1]


@pytest.fixture
def two_seeds(tmp_path):
    for seed in range(2):
        log = tmp_path / 'makd' / 'name' / '123' / f'seed_{seed}' / 'start' / 'vis_data' / 'scalars.json'
        log.parent.mkdir(parents=True)
        records = [dict(lr=0.1, loss=2.0, epoch=1, step=9), {'accuracy/top1': 50.0 + seed, 'step': 1}]
        log.write_text(''.join(json.dumps(record) + '\n' for record in records))
    return tmp_path / 'makd'


def test_several_runs_are_compared(two_seeds, tmp_path, analyze):
    (out, _), end = analyze(two_seeds, '--out', tmp_path / 'sub' / 'figure.png')
    assert end is None
    assert 'makd/name: 2 runs, seed_0, seed_1' in out
    assert (tmp_path / 'sub' / 'figure.png').read_bytes().startswith(b'\x89PNG')
    assert 'no run has it; there are loss, accuracy/top1' in analyze(two_seeds, '--keys', 'top1')[1]


def test_a_run_with_a_name_is_drawn_as_a_group(work_dir, tmp_path, analyze):
    (out, _), _ = analyze(f'mine={work_dir}', '--keys', 'loss_makd', '--out', tmp_path / 'figure.svg')
    assert f'mine: 1 runs, {work_dir.name}' in out
    assert 'mine (1 run)' in (tmp_path / 'figure.svg').read_text()


def test_a_folder_without_runs(tmp_path, analyze):
    assert 'holds no log of a run' in analyze(tmp_path)[1]
