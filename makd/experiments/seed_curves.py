"""The curves of several runs, put together by what they have in common: all but the seed."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from makd.errors import ConfigError, DataError
from makd.experiments.summary import PERCENT
from makd.experiments.training_log import SCALARS, TrainingLog

Curve = dict[int, float]  # epoch, or step where epochs are not counted -> value


def find_runs(arguments: Sequence[str]) -> dict[str, list[Path]]:
    """Return the work dirs of runs by the name of their group.

    Args:
        arguments: 'NAME=FOLDER' begins a group, to which the folders after it belong. Folders before the first name
            are searched for runs, and these are grouped by their config: runs in ``FOLDER/CONFIG/FINGERPRINT/seed_N``,
            as ``tools/compare.py`` lays them out, are one group for each fingerprint; any other is a group of its own.

    Raises:
        DataError: A folder is absent, or holds no run.
        ConfigError: A name is given twice.
    """
    groups: dict[str, list[Path]] = {}
    unnamed: list[Path] = []
    name = None
    for argument in arguments:
        folder = argument
        if '=' in argument and not Path(argument).exists():
            name, _, folder = argument.partition('=')
            if name in groups:
                raise ConfigError(f'{argument}: there is a group {name!r} already. Give each another name.')
            groups[name] = []
        (unnamed if name is None else groups[name]).extend(_runs_below(Path(folder)))
    return {**_by_config(unnamed), **groups}


def _runs_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f'there is no folder {folder}: name the work dir of a run, or a folder of them.')
    found = sorted({path.parents[2] for path in folder.rglob(SCALARS)})
    if not found:
        raise DataError(f'{folder} holds no log of a run ({SCALARS}): has it been trained?')
    return [run for run in found if not any(parent in found for parent in run.parents)]


def _by_config(runs: Iterable[Path]) -> dict[str, list[Path]]:
    """Group runs that differ in their seed; two groups of one config carry their fingerprint."""
    groups: dict[Path, list[Path]] = {}
    for run in dict.fromkeys(run.absolute() for run in runs):
        groups.setdefault(run.parent if run.name.startswith('seed_') else run, []).append(run)
    short = {
        folder: '/'.join((folder.parent if folder != members[0] else folder).parts[-2:])
        for folder, members in groups.items()
    }
    names = list(short.values())
    return {
        short[folder] + (f' {folder.name}' if names.count(short[folder]) > 1 else ''): members
        for folder, members in groups.items()
    }


def read_logs(groups: Mapping[str, Sequence[Path]]) -> dict[str, list[TrainingLog]]:
    """Read the log of every run."""
    return {name: [TrainingLog.read(run) for run in runs] for name, runs in groups.items()}


def seed_curves(logs: Mapping[str, Sequence[TrainingLog]], metric: str) -> dict[str, list[Curve]]:
    """Return the curves of a metric or a loss by group, one for each run that has it.

    Where epochs are counted, what was logged of the training within one is averaged. Metrics in [0, 1] that the tables
    show in percent are in percent here.

    Raises:
        ConfigError: No run has it.
    """
    curves = {name: [curve for log in of_group if (curve := _curve(log, metric))] for name, of_group in logs.items()}
    if not any(curves.values()):
        known = dict.fromkeys(key for of_group in logs.values() for log in of_group for key in log.losses + log.metrics)
        raise ConfigError(f'--metric {metric}: no run has it; there are {", ".join(known)}.')
    return curves


def _curve(log: TrainingLog, metric: str) -> Curve:
    values: dict[int, list[float]] = {}
    for step, record in sorted(log.training.items()):
        if metric in record:
            values.setdefault(int(record.get('epoch', step)), []).append(record[metric])
    for step, record in sorted(log.validation.items()):
        if metric in record:
            values.setdefault(step, []).append(record[metric] * PERCENT.get(metric, 1.0))
    return {step: fmean(of_step) for step, of_step in values.items()}
