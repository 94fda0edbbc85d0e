"""The lock of a work dir, and its checkpoints in the order in which a run resumes from them."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from makd.work_dir import WorkDirBusyError, last_checkpoint, locked, saved_checkpoints

HOLD = """
import sys
from pathlib import Path
from makd.work_dir import locked
with locked(Path(sys.argv[1])):
    print('held', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock ``run/train.lock`` until its input ends."""
    command = [sys.executable, '-c', HOLD, tmp_path / 'run' / 'train.lock']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == 'held\n'
        yield process
        process.stdin.close()


def test_a_lock_names_its_holder_and_is_released_by_a_kill(holder, tmp_path):
    file = tmp_path / 'run' / 'train.lock'
    message = rf'run is being used by process {holder.pid} on .*--work-dir'
    with pytest.raises(WorkDirBusyError, match=message), locked(file):
        pass
    holder.kill()
    holder.wait()
    with locked(file):
        assert file.read_text().startswith(f'process {os.getpid()} on ')


def test_a_lock_can_be_shared_with_child_processes(tmp_path):
    file = tmp_path / 'lock'
    with locked(file, fcntl.flock) as descriptor:
        child = subprocess.Popen(['cat'], stdin=subprocess.PIPE, pass_fds=[descriptor])
    with pytest.raises(WorkDirBusyError), locked(file, fcntl.flock):
        pass
    child.communicate()
    with locked(file, fcntl.flock):
        pass


def test_a_file_system_without_locks_gets_a_warning(tmp_path):
    def lock(file, operation):
        raise OSError(37, 'No locks available')

    with (
        pytest.warns(UserWarning, match=r'train\.lock cannot be locked .*No locks'),
        locked(tmp_path / 'train.lock', lock),
    ):
        pass


def write(folder, *names):
    for second, name in enumerate(names):
        (folder / name).touch()
        os.utime(folder / name, (second, second))


def test_the_last_checkpoint_comes_first_and_then_the_newest(tmp_path):
    write(tmp_path, 'epoch_9.pth', 'epoch_10.pth', 'best_accuracy_epoch_3.pth', 'epoch_11.pth', 'notes.txt')
    names = [path.name for path in saved_checkpoints(tmp_path)]
    assert names == ['epoch_11.pth', 'epoch_10.pth', 'epoch_9.pth']
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_10.pth'))
    names = [path.name for path in saved_checkpoints(tmp_path)]
    assert names == ['epoch_10.pth', 'epoch_11.pth', 'epoch_9.pth']


def test_a_copy_of_a_work_dir_has_checkpoints_of_its_own(tmp_path):
    for name in ('original', 'copy'):
        (tmp_path / name).mkdir()
        write(tmp_path / name, 'epoch_1.pth')
        (tmp_path / name / 'last_checkpoint').write_text(str(tmp_path / 'original' / 'epoch_1.pth'))
    assert last_checkpoint(tmp_path / 'copy') == tmp_path / 'copy' / 'epoch_1.pth'


def test_a_copy_without_times_keeps_the_order(tmp_path):
    write(tmp_path, 'epoch_10.pth', 'epoch_9.pth')  # the earlier epoch was written later
    assert saved_checkpoints(tmp_path)[0].name == 'epoch_10.pth'


@pytest.mark.parametrize('content', [b'', b'\xff\xfe', b'elsewhere/epoch_3.pth'])
def test_a_name_that_a_kill_or_a_move_has_spoilt(content, tmp_path):
    write(tmp_path, 'epoch_1.pth')
    (tmp_path / 'last_checkpoint').write_bytes(content)
    assert last_checkpoint(tmp_path) is None
    assert saved_checkpoints(tmp_path) == [tmp_path / 'epoch_1.pth']


def test_an_empty_or_absent_folder_has_no_checkpoint(tmp_path):
    assert saved_checkpoints(tmp_path) == saved_checkpoints(Path(tmp_path, 'absent')) == []
