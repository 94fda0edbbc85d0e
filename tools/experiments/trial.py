"""One trial of a comparison: a config trained with one seed, and tested once, never at its best test epoch."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean

from mmengine.config import Config

from experiments.tool_run import ToolRun
from experiments.training_log import TrainingLog
from makd.cli.arguments import parse_options
from makd.config import read_config, walk_dicts
from makd.errors import ConfigError, DataError
from makd.files import read_json, write_text

# Text of a config with its bases -> the formatted config: formatting is slow, and a table needs it for each seed.
_FORMATTED: dict[str, str] = {}


@dataclass(frozen=True)
class Result:
    """The result of a finished trial.

    Attributes:
        metrics: The test metrics, by mmengine's names, such as 'accuracy/top1' in percent.
        seconds_per_epoch: Mean time of a training step times the steps of an epoch, without validation; NaN where
            epochs are not counted.
        curve: (epoch, validation metrics) of each validation.
    """

    metrics: dict[str, float]
    seconds_per_epoch: float
    curve: list[tuple[int, dict[str, float]]]


@dataclass(frozen=True)
class Trial:
    """A config and a seed, run in a folder of its own, which makes it resumable.

    The folder is ``root/GROUP/NAME/FINGERPRINT/seed_S``: if the config, its teacher or its targets change, it gets
    another folder, and nothing is ever deleted.

    The last checkpoint is tested; or, if the config's CheckpointHook has ``save_best``, the best one on the validation
    data, which then must not be the test data: the best test epoch is partly luck.

    Args:
        config: Config file.
        seed: ``randomness.seed``.
        root: Folder of the comparison.
        tools: Folder of ``train.py`` and ``test.py``.
        overrides: Further KEY=VALUE of ``--cfg-options``.
        gpus: Processes on one machine, one per GPU. The total batch size remains ``auto_scale_lr.base_batch_size`` of
            the config, for which the learning rate is set.
    """

    config: str
    seed: int
    root: Path
    tools: Path
    overrides: Sequence[str] = field(default_factory=tuple)
    gpus: int = 1

    @property
    def name(self) -> str:
        """The config's folder and name, such as 'makd/resnet18_emoji'."""
        path = Path(self.config)
        return f'{path.parent.name}/{path.stem}'

    @property
    def label(self) -> str:
        """The trial in lines of progress: name, overrides (the last part of each field) and seed."""
        overrides = (option.partition('=') for option in self.overrides)
        short = dict.fromkeys(f'{key.rpartition(".")[2]}={value:.20}' for key, _, value in overrides)
        return ' '.join([self.name, *short, f'seed {self.seed}'])

    @cached_property
    def cfg(self) -> Config:
        """The config with the overrides."""
        return read_config(self.config, parse_options(self.overrides))

    @cached_property
    def work_dir(self) -> Path:
        """The folder of this trial."""
        return self.root / self.name / self._fingerprint() / f'seed_{self.seed}'

    @property
    def options(self) -> list[str]:
        """All KEY=VALUE of ``--cfg-options``.

        Raises:
            ConfigError: The batch size is not a multiple of the number of GPUs.
        """
        return [*self.overrides, *self._batch_options(), f'randomness.seed={self.seed}']

    @property
    def run_of_tools(self) -> ToolRun:
        """The tools in the folder of this trial."""
        return ToolRun(self.work_dir, self.tools)

    @property
    def done(self) -> bool:
        """Whether the trial has run to its end."""
        return self.result() is not None

    def result(self) -> Result | None:
        """Return the result if the trial has run to its end, None otherwise."""
        path = self.work_dir / 'result.json'
        try:
            return Result(**read_json(path, DataError)) if path.exists() else None
        except (DataError, TypeError):  # cut off by a kill, or from other code: the trial is run again
            return None

    def run(self, report: Callable[[str], None], environment: Mapping[str, str]) -> Result:
        """Train and test, resuming an interrupted run.

        Args:
            report: Called with each line of progress.
            environment: Environment variables of the run, added to those of this process.

        Raises:
            TrialFailedError: Training or testing fails; TrialBusyError if another process is running this trial.
            ConfigError: The config would select its best test epoch, or its batch size is not a multiple of the GPUs.
        """
        chooses = self._chooses_on_validation_data()
        run = self.run_of_tools
        with run.locked():
            if (result := self.result()) is not None:  # another process has finished it in the meantime
                return result
            run.train(self.config, self.options, report, environment, self.gpus)
            checkpoint = _best(self.work_dir) if chooses else run.checkpoint()
            metrics = self.work_dir / 'metrics.json'
            out = ['--work-dir', str(self.work_dir / 'test'), '--out', str(metrics), '--out-item', 'metrics']
            run.call(
                ['test.py', self.config, str(checkpoint), *out, '--cfg-options', *self.options], report, environment
            )

            log = TrainingLog.read(self.work_dir)
            steps = re.findall(r'Epoch\(train\).*?\[ *\d+/(\d+)\]', (self.work_dir / 'train.txt').read_text('utf-8'))
            times = [record['time'] for record in log.training.values()]
            seconds = fmean(times) * int(steps[-1]) if steps and times else float('nan')
            result = Result(read_json(metrics, DataError), seconds, sorted(log.validation.items()))
            write_text(self.work_dir / 'result.json', json.dumps(asdict(result), indent=2))
        return result

    def _batch_options(self) -> list[str]:
        """Return the option that keeps the total batch size on several GPUs; none if it needs no change."""
        batch = (self.cfg.get('train_dataloader') or {}).get('batch_size', 0)
        total = self.cfg.get('auto_scale_lr', {}).get('base_batch_size', batch)
        given = any(option.startswith('train_dataloader.batch_size=') for option in self.overrides)
        if given or total == batch * self.gpus:
            return []
        if total % self.gpus:
            raise ConfigError(f'{self.config}: its batches of {total} images cannot be divided among {self.gpus} GPUs.')
        return [f'train_dataloader.batch_size={total // self.gpus}']

    def _chooses_on_validation_data(self) -> bool:
        """Return whether the config keeps the best epoch; raise a ConfigError if it is the best test epoch."""
        if not self.cfg.get('default_hooks', {}).get('checkpoint', {}).get('save_best'):
            return False
        place = f'{self.config}: default_hooks.checkpoint.save_best'
        remedy = 'Hold a split out of training for it, or remove save_best.'
        if not self.cfg.get('val_dataloader'):
            raise ConfigError(f'{place} needs a val_dataloader, and the config has none. {remedy}')
        if _data(self.cfg.val_dataloader.dataset) == _data(self.cfg.test_dataloader.dataset):
            raise ConfigError(
                f'{place} would select the best epoch on the test data, which val_dataloader reads as well. {remedy}'
            )
        return True

    def _fingerprint(self) -> str:
        """Return a hash of everything that affects the result: config, and its weights, answers and annotations."""
        parts = [_text(self.config), *self.overrides]
        if self.gpus > 1:
            parts.append(f'{self.gpus} gpus')  # each normalises over its own part of the batch
        for _, node in walk_dicts(self.cfg.to_dict()):
            parts += [_text(node[key]) for key in ('teacher', 'pretraining') if isinstance(node.get(key), str)]
            annotations = f'{node.get("data_root")}/{node.get("ann_file")}'
            for file in (
                node.get('teacher_checkpoint'),
                node.get('load_from'),
                node.get('checkpoint'),
                f'{node.get("targets")}/logprobs.npy',
                f'{node.get("targets")}/partitions.json',
                annotations,
            ):
                if isinstance(file, str) and Path(file).is_file():
                    stat = Path(file).stat()
                    parts.append(f'{file} {stat.st_size} {stat.st_mtime_ns}')
        return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:12]


def _text(config: str) -> str:
    """Return a config as text, with its bases."""
    cfg = read_config(config)
    if cfg.text not in _FORMATTED:
        _FORMATTED[cfg.text] = cfg.pretty_text
    return _FORMATTED[cfg.text]


def _data(dataset: Mapping) -> dict:
    """Return the fields of a dataset's config that select its images, without its pipeline."""
    return {key: value for key, value in dataset.items() if key not in ('pipeline', 'test_mode')}


def _best(work_dir: Path) -> Path:
    """Return the best checkpoint that mmengine has kept."""
    return max(work_dir.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
