"""train.py, test.py and compare.py as a user runs them: one message instead of a traceback, and reduced runs."""

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

MISTAKES = {
    'no such config': (['tools/train.py', 'configs/makd/resnet81_emoji.py'], 'resnet81_emoji.py'),
    'unknown key': (
        ['tools/train.py', 'configs/makd/resnet18_emoji.py', '--cfg-options', 'model.head.num_aspect=3'],
        'model.head.num_aspect',
    ),
    'no data': (
        [
            'tools/train.py',
            'configs/baseline/resnet18_emoji.py',
            '--cfg-options',
            'train_dataloader.dataset.data_root=no',
        ],
        "train_dataloader.dataset.data_root='no'",
    ),
    'not an option': (
        ['tools/train.py', 'configs/makd/resnet18_emoji.py', '--cfg-options', 'val_evaluator.topk=[1]'],
        '--cfg-options val_evaluator.topk=',
    ),
    'no checkpoint': (['tools/test.py', 'configs/baseline/resnet18_emoji.py', 'no.pth'], "'no.pth'"),
    'no checkpoint to resume from': (
        ['tools/train.py', 'configs/baseline/resnet18_emoji.py', '--resume', 'no.pth'],
        "--resume: there is no checkpoint 'no.pth'",
    ),
    'no teacher': (
        [
            'tools/train.py',
            'configs/kd/resnet34_resnet18_emoji.py',
            '--cfg-options',
            'model.teacher_checkpoint=no.pth',
            'work_dir=WORK_DIR',
        ],
        "model.teacher_checkpoint='no.pth'",
    ),
    'number of questions': (
        [
            'tools/train.py',
            'configs/makd/resnet18_emoji.py',
            '--cfg-options',
            'model.head.num_aspects=7',
            'work_dir=WORK_DIR',
        ],
        'num_aspects=66',
    ),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_mistake_is_one_message_and_a_status(mistake, python, tmp_path):
    argv, named = MISTAKES[mistake]
    result = python(*(arg.replace('WORK_DIR', str(tmp_path)) for arg in argv))
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr + result.stdout
    (message,) = [line for line in result.stderr.splitlines() if line.startswith('error: ')]
    assert named in result.stderr[result.stderr.index(message) :]


REDUCED = [
    'train_cfg.max_epochs=2',
    'train_cfg.val_interval=1',
    'train_dataloader.dataset.indices=32',
    'val_dataloader.dataset.indices=32',
    'test_dataloader.dataset.indices=32',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'test_dataloader.num_workers=0',
    'default_hooks.logger.interval=1',
]


def test_compare_in_a_reduced_form_end_to_end(python, tmp_path):
    """What `make train` does: train and test baseline and MaKD, show table and curves. A second call runs nothing."""
    configs = ['configs/baseline/resnet18_emoji.py', 'configs/makd/resnet18_emoji.py']
    command = ['tools/compare.py', *configs, '--jobs', '2', '--work-dir', tmp_path, '--cfg-options', *REDUCED]
    result = python(*command)
    assert result.returncode == 0, result.stdout + result.stderr
    table = (tmp_path / 'comparison.md').read_text()
    assert table.strip() in result.stdout
    for column in (
        'top-1 %',
        'top-5 %',
        'aspect agreement %',
        's/epoch',
        'baseline/resnet18_emoji',
        'makd/resnet18_emoji',
    ):
        assert column in table
    assert (tmp_path / 'comparison.png').read_bytes().startswith(b'\x89PNG')
    assert 'eta' in result.stdout
    (work_dir,) = tmp_path.glob('makd/resnet18_emoji/*/seed_0')
    saved = json.loads((work_dir / 'result.json').read_text())
    assert [epoch for epoch, _ in saved['curve']] == [1, 2]
    assert 0 <= saved['metrics']['aspect/agreement'] <= 1

    again = python(*command)
    assert '2 runs, of which 2 are finished already' in again.stdout
    assert table.strip() in again.stdout

    export = python('tools/export_student.py', configs[1], work_dir / 'epoch_2.pth', tmp_path / 'plain.pth')
    assert export.returncode == 0, export.stderr
    assert 'a plain ImageClassifier, the same scores as the student' in export.stdout

    pictures = python(
        *('tools/test.py', configs[1], work_dir / 'epoch_2.pth', '--work-dir', tmp_path / 'shown'),
        *('--show-dir', tmp_path / 'pictures', '--out', tmp_path / 'predictions.pkl', '--cfg-options'),
        *('test_dataloader.dataset.indices=2', 'test_dataloader.num_workers=0'),
    )
    assert pictures.returncode == 0, pictures.stderr
    assert len(list((tmp_path / 'pictures').rglob('*.png'))) == 2
    assert (tmp_path / 'predictions.pkl').stat().st_size > 0


@pytest.mark.gloo
def test_a_trial_on_two_ranks_without_a_gpu(python, tmp_path):
    """What `reproduce.py --launcher pytorch --gpus 2` does with a trial, here with gloo."""
    config = 'configs/makd/resnet18_emoji.py'
    trial = ['--seed', '0', '--root', tmp_path, '--tools', 'tools', '--gpus', '2', '--overrides', *REDUCED]
    result = python('tools/_job.py', config, *trial)
    assert result.returncode == 0, result.stdout + result.stderr
    (work_dir,) = tmp_path.glob('makd/resnet18_emoji/*/seed_0')
    log = (work_dir / 'train.txt').read_text()
    assert 'Distributed training: True' in log
    assert re.search(r'Epoch\(train\) +\[1\]\[2/2\]', log)  # 32 images in batches of 16: 8 on each rank
    assert 'accuracy/top1' in json.loads((work_dir / 'result.json').read_text())['metrics']


def test_curves_for_tensorboard_if_asked_for(python, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    command = ['tools/train.py', 'configs/makd/resnet18_emoji.py', '--no-validate', '--work-dir', tmp_path]
    result = python(*command, '--log-to', 'tensorboard', '--cfg-options', *REDUCED)
    assert result.returncode == 0, result.stderr
    (events,) = tmp_path.glob('*/vis_data/events.out.tfevents.*')
    accumulator = EventAccumulator(str(events)).Reload()
    assert [event.step for event in accumulator.Scalars('loss_makd')] == [1, 2, 3, 4]


def test_a_failing_trial_is_reported_and_the_others_are_kept(python, tmp_path):
    failing = tmp_path / 'kd' / 'no_teacher.py'
    failing.parent.mkdir()
    failing.write_text(
        f"_base_ = ['{Path('configs/kd/resnet34_resnet18_emoji.py').absolute()}']\n"
        "model = dict(teacher_checkpoint='no.pth')\n"
    )
    configs = ['configs/baseline/resnet18_emoji.py', failing]
    result = python('tools/compare.py', *configs, '--work-dir', tmp_path / 'root', '--cfg-options', *REDUCED)
    assert result.returncode == 1
    assert "model.teacher_checkpoint='no.pth': there is no such file" in result.stdout
    baseline, broken = (tmp_path / 'root' / 'comparison.md').read_text().splitlines()[2:]
    assert 'no result' not in baseline
    assert '0 (no result: 0)' in broken


def test_a_comparison_asks_for_each_run_once(python):
    config = 'configs/baseline/resnet18_emoji.py'
    for twice in ([config, config], [config, '--seeds', '1', '1']):
        result = python('tools/compare.py', *twice)
        assert result.returncode == 1
        assert 'listed twice' in result.stderr
    result = python('tools/compare.py', config, '--cfg-options', 'randomness.seed=3')
    assert 'with --seeds' in result.stderr


class Captured(Exception):  # noqa: N818
    """Carry the config that a Runner would have been built from."""


@pytest.fixture
def captured(monkeypatch, tmp_path):
    """Return a function that runs tools/train.py, or another tool, up to the Runner and returns its config."""

    def from_cfg(cfg):
        raise Captured(cfg)

    monkeypatch.setattr('mmengine.runner.Runner.from_cfg', from_cfg)

    def run(*argv, tool='train.py'):
        argv = [tool, 'configs/makd/resnet18_emoji.py', '--work-dir', str(tmp_path / 'run'), *argv]
        monkeypatch.setattr(sys, 'argv', argv)
        monkeypatch.setenv('LOCAL_RANK', '0')
        with pytest.raises(Captured) as error:
            runpy.run_path(f'tools/{tool}', run_name='__main__')
        return error.value.args[0]

    return run


def test_flags_of_train(captured, tmp_path, monkeypatch):
    (tmp_path / 'a.pth').touch()
    plain = captured()
    assert not plain.resume
    assert plain.launcher == 'none'
    assert plain.val_cfg is not None
    assert captured('--no-validate').val_dataloader is None
    assert captured('--auto-scale-lr').auto_scale_lr.enable
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cuda')  # on the CPU, ranks would look for each other
    assert captured('--launcher', 'slurm').launcher == 'slurm'
    assert captured('--resume').resume
    assert captured('--resume').load_from is None
    resumed = captured('--resume', str(tmp_path / 'a.pth'))
    assert (resumed.resume, resumed.load_from) == (True, str(tmp_path / 'a.pth'))
    assert captured('--amp').optim_wrapper.type == 'AmpOptimWrapper'


def test_a_test_with_the_config_of_a_resumed_run_does_not_resume(captured, tmp_path):
    (tmp_path / 'a.pth').touch()
    assert not captured(str(tmp_path / 'a.pth'), '--cfg-options', 'resume=True', tool='test.py').resume


def test_mixed_precision_without_an_accelerator_is_refused_in_words(captured, monkeypatch, capsys):
    monkeypatch.setattr('mmengine.device.get_device', lambda: 'cpu')
    monkeypatch.setattr(sys, 'argv', ['train.py', 'configs/makd/resnet18_emoji.py', '--amp'])
    with pytest.raises(SystemExit, match='--amp: mixed precision needs an accelerator'):
        runpy.run_path('tools/train.py', run_name='__main__')


def test_two_trainings_do_not_share_a_work_dir(run_tool, tmp_path, pytestconfig, monkeypatch):
    monkeypatch.chdir(pytestconfig.rootpath)
    hold = (
        'import sys; from pathlib import Path; from makd.work_dir import locked\n'
        'with locked(Path(sys.argv[1], "train.lock")): print(flush=True); sys.stdin.read()'
    )
    with subprocess.Popen(
        [sys.executable, '-c', hold, tmp_path / 'run'], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        _, end = run_tool('train', 'configs/makd/resnet18_emoji.py', '--work-dir', tmp_path / 'run')
        other.stdin.close()
    assert end.startswith(f'error: {tmp_path}/run is being used by process {other.pid} on ')
    assert [path.name for path in (tmp_path / 'run').iterdir()] == ['train.lock']


@pytest.mark.slow
def test_ctrl_c_ends_a_training_in_one_line(tmp_path, pytestconfig):
    """In a group of processes, to which a terminal sends the signal."""
    command = [sys.executable, '-u', 'tools/train.py', 'configs/makd/resnet18_emoji.py', '--work-dir', tmp_path]
    options = ['--cfg-options', 'default_hooks.logger.interval=1', 'model.backbone.base_channels=4']
    options += ['model.backbone.stem_channels=4', 'model.head.in_channels=32']
    with subprocess.Popen(
        [*command, *options],
        cwd=pytestconfig.rootpath,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # ignored, if pytest runs in the background
    ) as training:
        for line in training.stdout:
            if 'Epoch(train)' in line:
                os.killpg(training.pid, signal.SIGINT)
                break
        _, err = training.communicate()
    assert training.returncode == 130
    assert 'Traceback' not in err
    assert err.splitlines()[-1] == 'Stopped.'
