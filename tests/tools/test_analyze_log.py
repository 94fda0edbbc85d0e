"""The summary of a run, and its picture."""

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
    assert '0.1500 s an iteration (0.1000 to 0.2000), 20% of it waiting for data; about 0.5 minutes' in out
    assert 'loss_makd: 1 at first, 0.5 at last' in out
    assert 'NOT FINITE: a loss is NaN or infinite in 1 records, first at iteration 200' in out
    assert 'accuracy/top1: 10 at epoch 2; highest 12.5 at 1' in out
    assert (work_dir / 'curves.png').read_bytes().startswith(b'\x89PNG')


def test_keys_and_the_format_of_the_picture(work_dir, analyze):
    (out, _), _ = analyze(work_dir, '--keys', 'loss_makd', '--out', work_dir / 'new' / 'curves.svg')
    assert 'loss_makd: 1' in out
    assert 'accuracy' not in out
    assert '<svg' in (work_dir / 'new' / 'curves.svg').read_text()


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['--keys', 'loss_mkad'], '--keys loss_mkad: the log does not have it, but: loss_makd'),
        (['--out', 'curves.foo'], '--out curves.foo: a picture ends in'),
        ([], 'holds no log'),
    ],
)
def test_mistakes(argv, message, work_dir, analyze):
    assert message in analyze(work_dir if argv else work_dir / 'nothing', *argv)[1]
