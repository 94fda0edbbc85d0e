"""The whole tool on configs of a few lines, with stand-ins for train.py, test.py and Slurm."""

import ast
import csv
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import shortcuts
from stand_in_tools import write_tools

from experiments.tables import TABLES, Arm, Block, Table

TOOL = Path('tools/reproduce.py').absolute()
SBATCH = """#!/bin/sh
# Takes the job, and runs it at once.
echo "$@" >> sbatch_calls
for option; do case $option in
    --output=*) log=$(echo "${option#--output=}" | sed s/%j/7/);;
    --wrap=*) command=${option#--wrap=};;
    --partition=closed) echo "partition is closed" >&2; exit 1;;
esac; done
[ -e hold ] || sh -c "$command" > "$log" 2>&1
echo "7;cluster"
"""


def test_the_command_offers_every_table():
    """It has a list of its own, so that --help need not import them."""
    names = re.search(r'^NAMES = (\(.*?\))$', TOOL.read_text('utf-8'), re.M | re.S)[1]
    assert ast.literal_eval(names) == tuple(TABLES)


@pytest.fixture
def reproduce(tmp_path, monkeypatch, run_tool):
    """Return a function that runs the tool in a folder of its own, on a table of three arms."""
    write_tools(tmp_path / 'tools')
    shutil.copy(TOOL, tmp_path / 'tools')
    configs = {
        'baseline/student': '',
        'baseline/teacher': '',
        'makd/student': "model = dict(head='makd')",
        'kd/student': "model = dict(teacher='configs/baseline/teacher.py', teacher_checkpoint='teachers/epoch_1.pth')",
    }
    for name, text in configs.items():
        path = tmp_path / 'configs' / f'{name}.py'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or 'model = dict()')
    (tmp_path / 'configs/makd/metafile.yml').write_text(
        'Models: [{Config: configs/makd/student.py, Results: [{Source: "paper, Table 1", Metrics: {Top 1: 60}}]}]'
    )
    monkeypatch.chdir(tmp_path)

    def blocks():
        arms = [Arm(folder, f'configs/{folder}/student.py') for folder in ('baseline', 'makd', 'kd')]
        yield Block('emoji', 'ResNet-18', tuple(arms))

    monkeypatch.setitem(TABLES, 'table1', Table('A title', blocks))

    return partial(run_tool, tmp_path / 'tools' / 'reproduce', 'table1', '--seeds', '2')


def calls(folder):
    return [line for path in sorted(Path().glob(f'{folder}/**/calls')) for line in path.read_text().splitlines()]


def test_a_table_is_run_once_and_written_beside_the_papers_figures(reproduce):
    (out, _), end = reproduce()
    assert end is None
    assert '6 trials, of which 0 are finished already' in out
    table = Path('work_dirs/compare/table1.md').read_text()
    assert table in out
    baseline, makd, kd = table.splitlines()[2:]
    assert '5.00 ± 0.00' in baseline
    assert re.search(r'7\.00 ± 0\.00 +\| \+2\.00 ± 0\.00 +\| 60\.00', makd)
    assert '60.00' not in kd
    with open('work_dirs/compare/table1.csv') as file:
        assert [row['config'] for row in csv.DictReader(file)][1] == 'configs/makd/student.py'
    assert Path('work_dirs/compare/table1.png').read_bytes().startswith(b'\x89PNG')
    assert len(calls('teachers')) == 1  # before its students, once for all seeds
    assert len(calls('work_dirs')) == 6

    (out, _), end = reproduce()
    assert '6 trials, of which 6 are finished already' in out
    assert table in out
    assert len(calls('work_dirs')) == 6


def test_a_dry_run_says_how_far_each_trial_is_and_runs_nothing(reproduce):
    (out, _), _ = reproduce('--dry-run')
    assert 'teacher baseline/teacher: to be trained first' in out
    assert 'makd/student seed 1: to be run' in out
    assert not Path('work_dirs').exists()
    reproduce()
    (done, *_) = Path('work_dirs/compare/makd').glob('*/*/seed_1/result.json')
    done.unlink()
    (out, _), _ = reproduce('--dry-run')
    assert 'makd/student seed 0: finished' in out
    assert 'makd/student seed 1: to go on from epoch_1' in out
    assert '6 trials, of which 5 are finished already' in out
    reproduce()
    assert ['--resume' in call for call in calls('work_dirs/compare/makd')].count(True) == 1


def test_a_failure_leaves_a_gap_that_the_table_names_and_the_same_command_fills(reproduce):
    reproduce('--seeds', '1')
    Path('fail').touch()
    (out, _), end = reproduce()
    assert 'out of luck' in out
    assert 'The same command runs the trials without a result' in end
    assert Path('work_dirs/compare/table1.md').read_text().count('1 (no result: 1)') == 3
    Path('fail').unlink()
    _, end = reproduce()
    assert end is None
    assert 'no result' not in Path('work_dirs/compare/table1.md').read_text()


def test_a_teacher_that_fails_holds_its_students_back(reproduce):
    train = Path('tools/train.py')
    train.write_text(train.read_text().replace("pathlib.Path('fail').exists()", "'teacher' in sys.argv[1]"))
    (out, _), end = reproduce()
    assert 'kd/student seed 0 waits for the teacher baseline/teacher' in out
    assert 'The same command runs the trials without a result' in end
    assert not calls('work_dirs/compare/kd')
    assert len(calls('work_dirs/compare/makd')) == 2


def test_a_teacher_that_was_killed_while_it_was_written_is_trained_on(reproduce):
    Path('teachers').mkdir()
    Path('teachers/epoch_0.pth').touch()
    Path('teachers/epoch_1.pth').touch()  # half written
    Path('teachers/last_checkpoint').write_text(str(Path('teachers/epoch_0.pth').absolute()))
    reproduce()
    assert '--resume' in calls('teachers')[0]


def test_a_trial_changes_neither_the_teacher_nor_the_table(reproduce):
    reproduce()
    table = Path('work_dirs/compare/table1.md').read_text()
    shutil.rmtree('teachers')
    _, end = reproduce('--seeds', '1', '--cfg-options', 'train_cfg.max_epochs=1')
    assert end is None
    assert 'train_cfg' not in calls('teachers')[0]
    assert 'train_cfg.max_epochs=1' in calls('work_dirs/compare/makd')[-1]
    assert Path('work_dirs/compare/table1.md').read_text() == table
    (trial,) = Path('work_dirs/compare').glob('table1_??????.md')
    assert 'With --cfg-options train_cfg.max_epochs=1' in trial.read_text()
    assert 'paper' not in trial.read_text()


def test_a_teacher_whose_checkpoint_has_another_name_is_an_error(reproduce):
    kd = Path('configs/kd/student.py')
    kd.write_text(kd.read_text().replace('epoch_1', 'epoch_240'))
    (out, _), _ = reproduce()
    assert 'students load teachers/epoch_240.pth: correct model.teacher_checkpoint' in out


def test_absent_data_are_one_error_before_anything_runs(reproduce):
    makd = Path('configs/makd/student.py')
    makd.write_text(
        "model = dict()\ntrain_dataloader = dict(dataset=dict(data_root='data/dtd', targets='data/dtd/aspects'))"
    )
    _, end = reproduce()
    assert "configs/makd/student.py: train_dataloader.dataset.data_root='data/dtd'\n    `python tools/prepare" in end
    assert 'tools/annotate.py' in end
    assert 'Or select the datasets that are there: --datasets' in end
    assert not Path('teachers').exists()
    assert 'tools/prepare_dataset.py dtd' in reproduce('--dry-run')[0].out
    elsewhere = ['train_dataloader.dataset.data_root=configs', 'train_dataloader.dataset.targets=configs']
    assert reproduce('--cfg-options', *elsewhere)[1] is None


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    (tmp_path / 'bin').mkdir()
    for name, text in (('sbatch', SBATCH), ('squeue', '#!/bin/sh\n[ -e hold ] && echo 7 || true\n')):
        (tmp_path / 'bin' / name).write_text(text)
        (tmp_path / 'bin' / name).chmod(0o755)
    monkeypatch.setenv('PATH', f'{tmp_path / "bin"}:{"/usr/bin"}:/bin')


@pytest.fixture
def jobs(slurm, warm_python, monkeypatch):
    """Let jobs begin without importing what they need; the name of a trial's folder is a hash of its config's text."""
    shortcuts.install()
    monkeypatch.setattr(sys, 'executable', warm_python)


def test_on_slurm_a_trial_is_a_job(reproduce, jobs):
    (out, _), end = reproduce('--launcher', 'slurm', '--slurm-args', '--partition=gpu --time=1:00:00')
    assert end is None
    assert 'makd/student seed 1 is job 7' in out
    assert '| 2     | 7.00 ± 0.00' in out
    submitted = Path('sbatch_calls').read_text().splitlines()
    assert len(submitted) == 7  # a teacher, six trials
    assert all('--parsable' in line and '--partition=gpu --time=1:00:00' in line for line in submitted)


def test_what_waits_or_runs_in_slurm_is_not_submitted_again(reproduce, jobs):
    Path('hold').touch()
    (out, _), end = reproduce('--launcher', 'slurm')
    assert end is None  # everything has been submitted
    assert 'kd/student seed 1 waits for the teacher baseline/teacher' in out
    assert 'The same command shows the table when the jobs have ended' in out
    (out, _), end = reproduce('--launcher', 'slurm')
    assert 'teacher baseline/teacher is job 7 already' in out
    assert 'makd/student seed 1 is job 7 already' in out
    assert len(Path('sbatch_calls').read_text().splitlines()) == 1 + 4
    Path('hold').unlink()
    _, end = reproduce('--launcher', 'slurm')
    assert end is None


def test_mistakes_are_one_message(reproduce, slurm, monkeypatch):
    assert 'sbatch says: partition is closed' in reproduce('--launcher', 'slurm', '--slurm-args=--partition=closed')[1]
    assert '--datasets cars: this table has emoji' in reproduce('--datasets', 'cars')[1]
    assert reproduce('--gpus', '2')[1] == 2  # without a launcher
    monkeypatch.setenv('PATH', '')
    assert 'there is no squeue on this machine' in reproduce('--launcher', 'slurm')[1]
