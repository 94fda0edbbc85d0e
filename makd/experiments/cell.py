"""One cell of a comparison: a config trained with one seed, and tested once, at its last epoch."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

from mmengine.config import Config

from makd.cli.config import find_config


class CellFailedError(RuntimeError):
    """Training or testing a cell ended with an error; the message has the last lines that it printed."""


@dataclass(frozen=True)
class Result:
    """What a finished cell says.

    Attributes:
        fingerprint: Hash of the resolved config, the overrides and the seed.
        metrics: The test metrics at the last epoch, by mmengine's names, such as 'accuracy/top1' in percent.
        seconds_per_epoch: Mean time of the training steps times the steps of an epoch, without validation.
        curve: (epoch, validation metrics) of each validation.
    """

    fingerprint: str
    metrics: dict[str, float]
    seconds_per_epoch: float
    curve: list[tuple[int, dict[str, float]]]


@dataclass(frozen=True)
class Cell:
    """A config and a seed, run in a folder of its own, which makes it resumable.

    Args:
        config: Config file.
        seed: ``randomness.seed``.
        root: Folder of the comparison; the cell's own is ``root/GROUP/NAME/seed_S``.
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

    @property
    def work_dir(self) -> Path:
        """The folder of this cell."""
        return self.root / self.name / f'seed_{self.seed}'

    def result(self) -> Result | None:
        """Return the result if the cell has run to its end with this very config, None otherwise."""
        try:
            result = Result(**json.loads((self.work_dir / 'result.json').read_text()))
        except FileNotFoundError:
            return None
        return result if result.fingerprint == self._fingerprint() else None

    def run(self, report: Callable[[str], None], threads: int | None = None) -> Result:
        """Train and test, going on where an interrupted run of the same config stopped.

        Args:
            report: Called with each line of progress.
            threads: CPU threads of the run. Defaults to None: what the environment says.

        Raises:
            CellFailedError: If training or testing fails.
        """
        fingerprint = self._fingerprint()
        mark = self.work_dir / 'fingerprint'
        if self.work_dir.exists() and (not mark.exists() or mark.read_text() != fingerprint):
            shutil.rmtree(self.work_dir)  # what is there belongs to another version of the config
        self.work_dir.mkdir(parents=True, exist_ok=True)
        mark.write_text(fingerprint)

        options = ['--cfg-options', f'randomness.seed={self.seed}', *self.overrides]
        train = ['train.py', self.config, '--work-dir', str(self.work_dir), '--resume', *options]
        self._call(train, 'train.txt', report, threads)
        checkpoint = (self.work_dir / 'last_checkpoint').read_text().strip()
        metrics = self.work_dir / 'metrics.json'
        out = ['--work-dir', str(self.work_dir / 'test'), '--out', str(metrics), '--out-item', 'metrics']
        self._call(['test.py', self.config, checkpoint, *out, *options], 'test.txt', report, threads)

        records = [json.loads(line) for path in sorted(self.work_dir.glob('*/vis_data/scalars.json'))
                   for line in path.read_text().splitlines()]  # fmt: skip
        result = Result(fingerprint, json.loads(metrics.read_text()), _seconds_per_epoch(records), _curve(records))
        temporary = self.work_dir / 'result.json.tmp'
        temporary.write_text(json.dumps(asdict(result), indent=2))
        temporary.rename(self.work_dir / 'result.json')
        return result

    def _fingerprint(self) -> str:
        text = Config.fromfile(find_config(self.config)).pretty_text
        return hashlib.sha256('\n'.join([text, *self.overrides, str(self.seed)]).encode()).hexdigest()

    def _call(self, command: list[str], log_name: str, report: Callable[[str], None], threads: int | None) -> None:
        """Run one of the tools; keep its output, and report its progress lines."""
        environment = dict(os.environ)
        if threads is not None:
            environment['OMP_NUM_THREADS'] = str(threads)
        log = self.work_dir / log_name
        argv = [sys.executable, str(self.tools / command[0]), *command[1:]]
        with (
            log.open('w') as file,
            subprocess.Popen(
                argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
            ) as process,
        ):
            assert process.stdout is not None
            for line in process.stdout:
                file.write(line)
                if 'Epoch(' in line or 'Iter(' in line:
                    report(line.split(' - INFO - ')[-1].strip())
        if process.returncode != 0:
            last = '\n  '.join(log.read_text().splitlines()[-12:])
            raise CellFailedError(
                f'{" ".join(argv[1:])}\n  ended with status {process.returncode}; see {log}\n  {last}'
            )


def _seconds_per_epoch(records: list[dict]) -> float:
    """Return the mean time of a step times the steps of an epoch, from mmengine's scalars of training."""
    steps = [record for record in records if 'epoch' in record and 'time' in record]
    # The logger writes at a fixed step within each epoch, so two epochs' records are that many epochs of steps apart.
    first, last = steps[0], max(steps, key=lambda record: record['iter'])
    epochs = last['epoch'] - first['epoch']
    steps_of_epoch = (last['iter'] - first['iter']) / epochs if epochs else last['iter']
    return fmean(record['time'] for record in steps) * steps_of_epoch


def _curve(records: list[dict]) -> list[tuple[int, dict[str, float]]]:
    """Return the validations, by epoch; of an epoch that was repeated after resuming, the last."""
    validations = {record['step']: record for record in records if 'epoch' not in record}
    drop = {'step', 'time', 'data_time'}
    return [(step, {k: v for k, v in validations[step].items() if k not in drop}) for step in sorted(validations)]
