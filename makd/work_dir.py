"""What the processes that use one work dir share: its lock and its checkpoints."""

import fcntl
import os
import re
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from makd.errors import MakdError


class WorkDirBusyError(MakdError):
    """Another process holds the lock."""


@contextmanager
def locked(file: Path, lock: Callable[[Any, int], Any] = fcntl.lockf) -> Iterator[int]:
    """Hold the lock on a file, which is released when the process ends, however it ends.

    Args:
        file: The file; it is created, and says which process holds the lock.
        lock: ``fcntl.lockf``, whose lock belongs to this process alone; or ``fcntl.flock``, whose lock is shared with
            each process that inherits the open file.

    Yields:
        The descriptor of the open file.

    Raises:
        WorkDirBusyError: Another process holds the lock.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open('a+', encoding='utf-8') as opened:
        try:
            lock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            opened.seek(0)
            raise WorkDirBusyError(
                f'{file.parent} is being used by {opened.read(200).strip() or "another process"}. Wait for its end, or '
                'choose another folder with --work-dir.'
            ) from None
        except OSError as error:  # some network file systems
            warnings.warn(f'{file} cannot be locked ({error}): let no other run use this folder.', stacklevel=3)
        opened.truncate(0)
        opened.write(f'process {os.getpid()} on {socket.gethostname()}\n')
        opened.flush()
        yield opened.fileno()


def last_checkpoint(work_dir: Path) -> Path | None:
    """Return the checkpoint that mmengine wrote last; None if its name or the file is absent, as after a kill."""
    try:
        path = Path((work_dir / 'last_checkpoint').read_text('utf-8').strip())
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    own = work_dir / path.name  # in a copy of a work dir, the path is that of the original
    return own if own.is_file() else path if path.is_file() else None


def saved_checkpoints(work_dir: Path) -> list[Path]:
    """Return the checkpoints to resume from: the last one, then the others of the folder, the newest first."""
    last = last_checkpoint(work_dir)
    others = [path for path in work_dir.glob('*.pth') if path != last and not path.name.startswith('best_')]
    others.sort(key=_progress, reverse=True)
    return [*([last] if last else []), *others]


def _progress(path: Path) -> tuple[int, int]:
    """Return the epoch or step in the name of a checkpoint, which a copy keeps, and when it was written."""
    number = re.search(r'(\d+)$', path.stem)
    return int(number[1]) if number else -1, path.stat().st_mtime_ns
