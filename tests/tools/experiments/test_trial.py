"""Trials, with stand-ins for train.py and test.py."""

import os
from pathlib import Path

import pytest
from stand_in_tools import write_tools

from experiments import Trial, TrialFailedError, run_trials
from experiments.run_trials import job_environments, visible_devices
from experiments.tool_run import TrialBusyError
from makd.errors import ConfigError


@pytest.fixture
def make_trial(tmp_path):
    write_tools(tmp_path / 'tools')
    (tmp_path / 'group').mkdir()
    config = tmp_path / 'group' / 'name.py'
    config.write_text('a = 1')

    def make(seed=0, overrides=(), gpus=1):
        return Trial(str(config), seed, tmp_path / 'root', tmp_path / 'tools', overrides, gpus)

    make.config = config
    return make


def calls(trial):
    return (trial.work_dir / 'calls').read_text().splitlines()


def test_a_result_is_kept_and_read_back(make_trial):
    trial, lines = make_trial(overrides=('x=1',)), []
    assert trial.result() is None
    result = trial.run(lines.append, {})
    assert result.metrics == {'accuracy/top1': 5.0}
    assert result.seconds_per_epoch == pytest.approx(0.2 * 104)  # the mean step times the steps of an epoch
    assert make_trial(overrides=('x=1',)).result().curve == [[1, {'accuracy/top1': 7.0}]]
    assert lines == ['Epoch(train)  [1][100/104]  lr: 0.1']
    assert calls(trial)[0].endswith('--cfg-options x=1 randomness.seed=0 WORLD_SIZE=1')


def test_a_result_counts_only_for_the_very_config_overrides_and_seed(make_trial):
    trial = make_trial()
    trial.run(print, {})
    assert make_trial().result() is not None
    assert make_trial(seed=1).result() is None
    assert make_trial(overrides=('x=1',)).result() is None
    make_trial.config.write_text('a = 2')
    assert make_trial().result() is None
    assert trial.result() is not None  # nothing is deleted


@pytest.mark.parametrize(
    ('content', 'name'),
    [
        ("teacher_checkpoint = 'FILE'", 'weights.pth'),
        ("load_from = 'FILE'", 'weights.pth'),
        ("targets = 'FOLDER'", 'logprobs.npy'),
        ("targets = 'FOLDER'", 'partitions.json'),
    ],
)
def test_a_result_counts_only_for_the_very_teacher_and_targets(make_trial, tmp_path, content, name):
    file = tmp_path / name
    file.write_bytes(b'1')
    make_trial.config.write_text(content.replace('FILE', str(file)).replace('FOLDER', str(tmp_path)))
    make_trial().run(print, {})
    assert make_trial().result() is not None
    file.write_bytes(b'12')
    assert make_trial().result() is None


def test_a_run_is_resumed_only_from_a_checkpoint_that_is_there(make_trial):
    trial = make_trial()
    for replaced in (False, False, True):
        (trial.work_dir / 'result.json').unlink(missing_ok=True)
        if replaced:
            (trial.work_dir / 'epoch_1.pth').unlink()  # killed while mmengine replaced it
        trial.run(print, {})
    assert ['--resume' in call for call in calls(trial)] == [False, True, False]


def test_a_failure_shows_what_was_printed_last(make_trial, tmp_path, monkeypatch):
    trial = make_trial()
    monkeypatch.chdir(tmp_path)
    Path('fail').touch()
    with pytest.raises(TrialFailedError, match='out of luck'):
        trial.run(print, {})
    assert trial.result() is None


def test_two_processes_do_not_run_one_trial(make_trial):
    trial = make_trial()
    trial.work_dir.mkdir(parents=True)
    with trial.run_of_tools.locked(), pytest.raises(TrialBusyError, match=f'is being used by process {os.getpid()} on'):
        trial.run(print, {})
    trial.run(print, {})
    trial.run(print, {})
    assert len(calls(trial)) == 1


def test_what_another_process_is_running_is_waited_for(make_trial, monkeypatch, capsys):
    busy, free = make_trial(), make_trial(seed=1)
    busy.work_dir.mkdir(parents=True)
    lock = busy.run_of_tools.locked()
    lock.__enter__()
    monkeypatch.setattr('time.sleep', lambda seconds: lock.__exit__(None, None, None))  # the other process ends
    assert [trial for trial, result in run_trials([busy, free], jobs=1) if result] == [free, busy]
    printed = capsys.readouterr().out
    assert 'Waiting for trials that another process is running: group/name seed 0' in printed
    assert 'group/name seed 0: 2 of 2 runs' in printed


def test_name_is_the_configs_folder_and_stem(make_trial):
    assert make_trial().name == 'group/name'
    assert Path(os.path.relpath(make_trial().work_dir, make_trial.config.parent.parent)).parts[:3] == (
        'root',
        'group',
        'name',
    )


@pytest.mark.parametrize('content', ['', 'gone.pth'])
def test_a_name_that_was_not_written_is_no_checkpoint(make_trial, content):
    trial = make_trial()
    trial.work_dir.mkdir(parents=True)
    (trial.work_dir / 'last_checkpoint').write_text(content)
    assert trial.run_of_tools.checkpoint() is None
    (trial.work_dir / 'epoch_1.pth').touch()
    assert trial.run_of_tools.checkpoint().name == 'epoch_1.pth'


class Broken:
    label = 'broken'

    def run(self, report, environment):
        raise OSError('No space left on device')


def test_whatever_a_cell_ends_with_the_others_go_on(make_trial, capsys):
    ended = dict(run_trials([Broken(), make_trial()], jobs=1))
    assert next(iter(ended.values())) is None
    assert ended[make_trial()].metrics
    assert 'error: No space left on device' in capsys.readouterr().out


def test_jobs_have_gpus_of_their_own(monkeypatch):
    def devices(*arguments):
        return [environment.get('CUDA_VISIBLE_DEVICES') for environment in job_environments(*arguments)]

    assert devices(3, 1, ['0', '1']) == ['0', '1', '0']
    assert devices(2, 2, ['2', '3', '4', '5', '6']) == ['2,3', '4,5']
    assert devices(1, 1, ['0', '1']) == [None]
    assert devices(2, 1, []) == [None, None]
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '4,6')
    assert visible_devices() == ['4', '6']
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    assert job_environments(1, 1, [])[0]['OMP_NUM_THREADS'] == '3'


def test_a_long_line_of_progress_leaves_out_the_fields(make_trial):
    trial = make_trial(overrides=('a.b.top=10', 'c.d.top=10', 'e.question_ids=[one,two,three,four,five]'))
    assert trial.label == 'group/name top=10 question_ids=[one,two,three,four, seed 0'


DATA = "val_dataloader = dict(dataset=dict(ann='{val}'))\ntest_dataloader = dict(dataset=dict(ann='test'))\n"
BEST = "default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))\n"


def test_the_best_epoch_is_tested_only_if_it_was_picked_on_other_data(make_trial):
    def tested():
        trial = make_trial()
        trial.run(print, {})
        return Path((trial.work_dir / 'tested').read_text()).name

    make_trial.config.write_text(DATA.format(val='test'))
    assert tested() == 'epoch_1.pth'
    make_trial.config.write_text(DATA.format(val='held out') + BEST)
    assert tested() == 'best_accuracy_top1_epoch_0.pth'
    for config, overrides in (
        (DATA.format(val='test') + BEST, ()),
        (DATA.format(val='held out') + BEST, ('val_dataloader.dataset.ann=test',)),
        (DATA.format(val='test') + BEST + "val_dataloader['dataset']['pipeline'] = [1]", ()),
    ):
        make_trial.config.write_text(config)
        with pytest.raises(ConfigError, match='save_best would select the best epoch on the test data'):
            make_trial(overrides=overrides).run(print, {})
    make_trial.config.write_text('val_dataloader = None\n' + BEST)
    with pytest.raises(ConfigError, match='save_best needs a val_dataloader'):
        make_trial().run(print, {})


def test_the_batch_is_as_large_in_all_as_the_learning_rate_wants(make_trial):
    make_trial.config.write_text('train_dataloader = dict(batch_size=2)\nauto_scale_lr = dict(base_batch_size=16)')
    assert make_trial().options == ['train_dataloader.batch_size=16', 'randomness.seed=0']
    assert make_trial(gpus=4).options[0] == 'train_dataloader.batch_size=4'
    assert make_trial(gpus=8).options == ['randomness.seed=0']
    assert make_trial(overrides=('train_dataloader.batch_size=3',)).options[0] == 'train_dataloader.batch_size=3'
    with pytest.raises(ConfigError, match='batches of 16 images cannot be divided among 3 GPUs'):
        make_trial(gpus=3).run(print, {})


@pytest.mark.gloo
def test_several_gpus_are_started_by_torchrun_and_are_another_trial(make_trial):
    trial = make_trial(gpus=2)
    assert trial.run(print, {}).metrics == {'accuracy/top1': 5.0}
    assert calls(trial)[0].endswith('--launcher pytorch WORLD_SIZE=2')
    assert make_trial().result() is None
