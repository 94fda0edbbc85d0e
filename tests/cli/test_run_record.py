"""A run's record, from which the run can be repeated."""

import hashlib
import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import torch

from makd.cli.run_record import git_states

REDUCED = [
    'train_cfg.max_epochs=1',
    'train_dataloader.dataset.indices=32',
    'val_dataloader.dataset.indices=16',
    'train_dataloader.num_workers=0',
    'val_dataloader.num_workers=0',
    'model.backbone.base_channels=8',
    'model.backbone.stem_channels=8',
    'model.head.in_channels=64',
]


@pytest.fixture
def train(python):
    """Return a function that trains a config and returns its record and its weights."""

    def train(config, work_dir, *options):
        done = python('tools/train.py', config, '--work-dir', work_dir, *options)
        assert done.returncode == 0, done.stderr
        (record,) = work_dir.glob('*/run.json')
        weights = torch.load(work_dir / 'epoch_1.pth', weights_only=False)['state_dict']
        return json.loads(record.read_text('utf-8')), weights

    return train


def test_a_run_whose_seed_was_drawn_is_repeated_from_its_work_dir(train, tmp_path):
    config = 'configs/makd/resnet18_emoji.py'
    record, weights = train(config, tmp_path / 'first', '--cfg-options', *REDUCED, 'randomness.seed=None')

    assert shlex.split(record['command'])[1:3] == ['tools/train.py', config]
    answers = Path('data/emoji/aspects/cldr')
    files = [hashlib.sha256((answers / name).read_bytes()).hexdigest() for name in ('images.txt', 'logprobs.npy')]
    questions = json.loads((answers / 'meta.json').read_text('utf-8'))['question_hash']
    assert record['targets'] == {str(answers): hashlib.sha256(' '.join([questions, *files]).encode()).hexdigest()}
    assert record['versions']['torch'] == torch.__version__.partition('+')[0]
    assert record['ranks'] == 1
    assert record['environment']['PyTorch'] == torch.__version__

    seed = f'randomness.seed={record["seed"]}'
    _, repeated = train(record['config'], tmp_path / 'second', '--cfg-options', seed)
    assert all(torch.equal(weights[key], repeated[key]) for key in weights)


def git(folder, *arguments):
    subprocess.run(['git', '-C', folder, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    if shutil.which('git') is None:
        pytest.skip('there is no git')
    monkeypatch.setenv('GIT_CONFIG_GLOBAL', '/dev/null')
    folder = tmp_path / 'mine'
    folder.mkdir()
    git(folder, 'init')
    (folder / 'head.py').write_bytes(b'caf\xe9 one\n')  # not UTF-8
    (folder / '.env').write_text('KEY=none\n')
    git(folder, 'add', '.')
    git(folder, '-c', 'user.name=A', '-c', 'user.email=a@b', 'commit', '-m', 'first')
    monkeypatch.chdir(folder)
    return folder


def test_the_revision_of_the_folder_that_the_command_runs_in(repository, tmp_path):
    state = git_states(tmp_path / 'diff')[-1]
    revision = subprocess.run(['git', 'rev-parse', 'HEAD'], check=True, capture_output=True, text=True).stdout.strip()
    assert state == dict(folder='mine', revision=revision, changed=[])


def test_what_is_not_committed_is_written_down(repository, tmp_path, monkeypatch):
    monkeypatch.setattr('makd.__file__', str(tmp_path / '__init__.py'))  # makd's own changes are not the matter
    (repository / 'head.py').write_bytes(b'caf\xe9 two\n')
    (repository / '.env').write_text('KEY=secret\n')
    (repository / 'new.py').write_text('')
    state = git_states(tmp_path / 'diff')[-1]
    assert state['changed'] == [' M .env', ' M head.py', '?? new.py']
    diff = (tmp_path / 'diff').read_bytes()
    assert b'secret' not in diff
    git(repository, 'checkout', 'head.py')
    subprocess.run(['git', 'apply', '--include=head.py'], input=diff, check=True)
    assert (repository / 'head.py').read_bytes() == b'caf\xe9 two\n'


def test_outside_of_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setattr('makd.__file__', str(tmp_path / '__init__.py'))
    monkeypatch.chdir(tmp_path)
    assert git_states(tmp_path / 'diff') == []
    assert not (tmp_path / 'diff').exists()
