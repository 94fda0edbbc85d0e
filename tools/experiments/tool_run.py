"""Run train.py and test.py in a folder: one process at a time, resumed where it stopped, with its output kept."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from makd.work_dir import WorkDirBusyError, locked, saved_checkpoints


class TrialFailedError(RuntimeError):
    """Training or testing ended with an error; the message has the last lines of its output."""


class TrialBusyError(TrialFailedError):
    """Another process is running the trial."""


@dataclass
class ToolRun:
    """Runs of the tools in a work dir.

    Args:
        work_dir: The folder.
        tools: Folder of ``train.py`` and ``test.py``.
    """

    work_dir: Path
    tools: Path
    _lock: int | None = None

    def checkpoint(self) -> Path | None:
        """Return the last checkpoint, or the newest one if a kill lost its name; None if there is none."""
        return next(iter(saved_checkpoints(self.work_dir)), None)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder. The tools inherit the lock, so it outlives this process if they do.

        Raises:
            TrialBusyError: Another process holds the lock.
        """
        try:
            with locked(self.work_dir / 'lock', fcntl.flock) as self._lock:
                yield
        except WorkDirBusyError as error:
            raise TrialBusyError(str(error)) from None

    def train(
        self,
        config: str,
        options: Sequence[str],
        report: Callable[[str], None],
        environment: Mapping[str, str],
        gpus: int = 1,
    ) -> None:
        """Train a config, resuming from the last checkpoint; see :meth:`call`."""
        command = ['train.py', config, '--work-dir', str(self.work_dir), '--cfg-options', *options]
        if self.checkpoint() is not None:
            command.append('--resume')
        self.call(command, report, environment, gpus)

    def call(
        self, command: Sequence[str], report: Callable[[str], None], environment: Mapping[str, str], gpus: int = 1
    ) -> None:
        """Run one of the tools; keep its output, and report its progress lines.

        Args:
            command: Name of the tool, and its arguments.
            report: Called with each line of progress.
            environment: Variables of the tool, beside those of this process.
            gpus: Processes.

        Raises:
            TrialFailedError: If it fails.
        """
        assert self._lock is not None, 'lock the folder first'
        log = self.work_dir / f'{Path(command[0]).stem}.txt'
        argv = [sys.executable]
        if gpus > 1:
            argv += ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={gpus}']
        argv += [str(self.tools / command[0]), *command[1:]]
        if gpus > 1:
            argv += ['--launcher', 'pytorch']
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8', errors='replace')
        with (
            log.open('a', encoding='utf-8') as file,
            subprocess.Popen(argv, env={**os.environ, **environment}, pass_fds=[self._lock], **pipes) as process,  # type: ignore[call-overload]
        ):
            for line in process.stdout:
                file.write(line)
                if 'Epoch(' in line or 'Iter(' in line:
                    report(line.split(' - INFO - ')[-1].strip())
        if process.returncode != 0:
            last = '\n  '.join(log.read_text('utf-8').splitlines()[-12:])
            raise TrialFailedError(
                f'{" ".join(argv[1:])}\n  ended with status {process.returncode}; see {log}\n  {last}'
            )
