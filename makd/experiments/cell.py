"""One cell of a comparison: a config trained with one seed, and tested once, at its last epoch."""

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean

from mmengine.config import Config

from makd.cli.config import dicts, find_config


class CellFailedError(RuntimeError):
    """Training or testing a cell ended with an error; the message has the last lines that it printed."""


@dataclass(frozen=True)
class Result:
    """What a finished cell says.

    Attributes:
        metrics: The test metrics at the last epoch, by mmengine's names, such as 'accuracy/top1' in percent.
        seconds_per_epoch: Mean time of a training step times the steps of an epoch, without validation.
        curve: (epoch, validation metrics) of each validation.
    """

    metrics: dict[str, float]
    seconds_per_epoch: float
    curve: list[tuple[int, dict[str, float]]]


@dataclass(frozen=True)
class Cell:
    """A config and a seed, run in a folder of its own, which makes it resumable.

    The folder is ``root/GROUP/NAME/FINGERPRINT/seed_S``: a config that has changed, or whose teacher or targets have,
    gets another folder, and nothing is ever deleted.

    Args:
        config: Config file.
        seed: ``randomness.seed``.
        root: Folder of the comparison.
        tools: Folder of ``train.py`` and ``test.py``.
        overrides: Further KEY=VALUE of ``--cfg-options``.
    """

    config: str
    seed: int
    root: Path
    tools: Path
    overrides: Sequence[str] = field(default_factory=tuple)

    @property
    def name(self) -> str:
        """The config's folder and name, such as 'makd/resnet18_emoji'."""
        path = Path(self.config)
        return f'{path.parent.name}/{path.stem}'

    @cached_property
    def work_dir(self) -> Path:
        """The folder of this cell."""
        return self.root / self.name / self._fingerprint() / f'seed_{self.seed}'

    def result(self) -> Result | None:
        """Return the result if the cell has run to its end, None otherwise."""
        try:
            return Result(**json.loads((self.work_dir / 'result.json').read_text('utf-8')))
        except FileNotFoundError:
            return None

    def run(self, report: Callable[[str], None], threads: int) -> Result:
        """Train and test, going on where an interrupted run stopped.

        Args:
            report: Called with each line of progress.
            threads: CPU threads of the run.

        Raises:
            CellFailedError: If training or testing fails, or another process is running this cell.
        """
        self.work_dir.mkdir(parents=True, exist_ok=True)
        with self._lock() as lock:
            options = ['--cfg-options', *self.overrides, f'randomness.seed={self.seed}']
            train = ['train.py', self.config, '--work-dir', str(self.work_dir), *options]
            last = self.work_dir / 'last_checkpoint'
            if last.exists() and Path(last.read_text().strip()).exists():
                train.append('--resume')
            self._call(train, 'train.txt', report, threads, lock)

            metrics = self.work_dir / 'metrics.json'
            out = ['--work-dir', str(self.work_dir / 'test'), '--out', str(metrics), '--out-item', 'metrics']
            test = ['test.py', self.config, last.read_text().strip(), *out, *options]
            self._call(test, 'test.txt', report, threads, lock)

            records = list(self._scalars())
            steps = re.findall(r'Epoch\(train\).*?\[ *\d+/(\d+)\]', (self.work_dir / 'train.txt').read_text('utf-8'))
            seconds = fmean(r['time'] for r in records if 'epoch' in r) * int(steps[-1]) if steps else float('nan')
            result = Result(json.loads(metrics.read_text('utf-8')), seconds, _curve(records))
            temporary = self.work_dir / 'result.json.tmp'
            temporary.write_text(json.dumps(asdict(result), indent=2), 'utf-8')
            temporary.rename(self.work_dir / 'result.json')
        return result

    def _fingerprint(self) -> str:
        """Return a hash of what decides the result: the config, and the weights, answers and annotations it names."""
        cfg = Config.fromfile(find_config(self.config))
        parts = [cfg.pretty_text, *self.overrides]
        for _, node in dicts(cfg._cfg_dict.to_dict(), ''):
            if isinstance(node.get('teacher'), str):
                parts.append(Config.fromfile(find_config(node['teacher'])).pretty_text)
            annotations = f'{node.get("data_root")}/{node.get("ann_file")}'
            for file in (
                node.get('teacher_checkpoint'),
                node.get('checkpoint'),
                f'{node.get("targets")}/logprobs.npy',
                annotations,
            ):
                if isinstance(file, str) and Path(file).is_file():
                    stat = Path(file).stat()
                    parts.append(f'{file} {stat.st_size} {stat.st_mtime_ns}')
        return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:12]

    @contextmanager
    def _lock(self) -> Iterator[int]:
        """Hold the cell. The tools inherit the lock, so it outlives this process if they do."""
        with (self.work_dir / 'lock').open('w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CellFailedError(f'{self.work_dir} is being run by another process.') from None
            yield lock.fileno()

    def _call(self, command: list[str], log_name: str, report: Callable[[str], None], threads: int, lock: int) -> None:
        """Run one of the tools; keep its output, and report its progress lines."""
        log = self.work_dir / log_name
        argv = [sys.executable, str(self.tools / command[0]), *command[1:]]
        environment = {**os.environ, 'OMP_NUM_THREADS': str(threads)}
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding='utf-8', errors='replace')
        with (
            log.open('a', encoding='utf-8') as file,
            subprocess.Popen(argv, env=environment, pass_fds=[lock], **pipes) as process,  # type: ignore[call-overload]
        ):
            for line in process.stdout:
                file.write(line)
                if 'Epoch(' in line or 'Iter(' in line:
                    report(line.split(' - INFO - ')[-1].strip())
        if process.returncode != 0:
            last = '\n  '.join(log.read_text('utf-8').splitlines()[-12:])
            raise CellFailedError(
                f'{" ".join(argv[1:])}\n  ended with status {process.returncode}; see {log}\n  {last}'
            )

    def _scalars(self) -> Iterator[dict]:
        """Yield mmengine's records of training and validation, in their order."""
        for path in sorted(self.work_dir.glob('*/vis_data/scalars.json')):
            for line in path.read_text('utf-8').splitlines():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:  # the process was killed while it wrote the line
                    continue


def _curve(records: list[dict]) -> list[tuple[int, dict[str, float]]]:
    """Return the validations, by epoch; of an epoch that was repeated after resuming, the last."""
    validations = {record['step']: record for record in records if 'epoch' not in record}
    drop = {'step', 'time', 'data_time'}
    return [(step, {k: v for k, v in validations[step].items() if k not in drop}) for step in sorted(validations)]
