"""What a user sees of an error, and how a program ends."""

import errno
import io
import sys

import pytest

from makd.cli.main import run
from makd.errors import ConfigError
from makd.files import atomic_file


def test_ctrl_c_ends_in_one_line(capsys):
    def main():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        run(main)
    assert end.value.code == 130
    assert capsys.readouterr() == ('', 'Stopped.\n')


def message_of(error):
    def fail():
        raise error

    with pytest.raises(SystemExit) as end:
        run(fail)
    return end.value.code


def test_a_message_of_a_megabyte_is_shortened():
    message = message_of(ConfigError('begin' + 'x' * 10**6 + 'end'))
    assert len(message) < 5000
    assert 'begin' in message
    assert 'end\n(MAKD_TRACEBACK' in message


def test_a_message_shows_no_password():
    assert 'hunter2' not in message_of(ConfigError('no answer from https://me:hunter2@host/model.pth'))


def test_an_absent_package_is_a_users_mistake():
    message = "Failed to import timm. Please run 'pip install timm'"
    assert message in message_of(RuntimeError(message))
    with pytest.raises(RuntimeError, match='a bug'):
        run(lambda: (_ for _ in ()).throw(RuntimeError('a bug')))


@pytest.mark.parametrize(
    ('error', 'expected'),
    [
        (
            RuntimeError('albumentations is not installed'),
            'albumentations is not installed: pip install albumentations',
        ),
        (ImportError('`tifffile` is not installed'), '`tifffile` is not installed: pip install tifffile'),
        (ImportError('Package lvis is not installed.'), 'Package lvis is not installed: pip install lvis'),
        (RuntimeError('Apex is not installed. Please check https://a.b'), 'not installed. Please check https://a.b\n'),
        (ModuleNotFoundError("No module named 'timm'", name='timm'), "No module named 'timm': pip install timm"),
    ],
)
def test_how_to_get_an_absent_package_is_said(error, expected):
    assert expected in message_of(error)


@pytest.mark.parametrize('name', ['makd.absent', 'transformers.absent'])
def test_an_absent_part_of_a_package_is_no_mistake_of_the_user(name):
    with pytest.raises(ModuleNotFoundError):
        run(lambda: (_ for _ in ()).throw(ModuleNotFoundError(f"No module named '{name}'", name=name)))


def test_a_terminal_without_unicode(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), 'ascii')
    monkeypatch.setattr(sys, 'stdout', terminal)
    run(lambda: print('été'))
    terminal.flush()
    assert terminal.buffer.getvalue() == b'\\xe9t\\xe9\n'


def test_no_space_left_names_the_file(tmp_path):
    with pytest.raises(OSError, match=r'No space left on device.*targets\.npy'), atomic_file(tmp_path / 'targets.npy'):
        raise OSError(errno.ENOSPC, 'No space left on device')
