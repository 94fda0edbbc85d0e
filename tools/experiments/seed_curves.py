"""Runs grouped by config, and the curves of a group: one for each seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from experiments.summary import in_column_unit
from experiments.training_log import SCALARS, Curve, TrainingLog
from makd.errors import ConfigError, DataError


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


def _by_config(runs: Sequence[Path]) -> dict[str, list[Path]]:
    """Group runs that differ in their seed; two groups of one config carry their fingerprint."""
    groups: dict[Path, list[Path]] = {}
    for path, run in {run.absolute(): run for run in runs}.items():
        groups.setdefault(path.parent if path.name.startswith('seed_') else path, []).append(run)
    short = {
        folder: '/'.join((folder.parent if folder.name != members[0].name else folder).parts[-2:])
        for folder, members in groups.items()
    }
    names = list(short.values())
    return {
        short[folder] + (f' {folder.name}' if names.count(short[folder]) > 1 else ''): members
        for folder, members in groups.items()
    }


def seed_curves(logs: Mapping[str, Sequence[TrainingLog]], key: str) -> dict[str, list[Curve]]:
    """Return the curves of a metric or a loss by group, one for each run that has it.

    Where epochs are counted, the training records of each epoch are averaged. Metrics in [0, 1] that the tables show in
    percent are in percent here.

    Raises:
        ConfigError: No run has it.
    """
    curves = {name: [curve for log in group if (curve := _curve(log, key))] for name, group in logs.items()}
    if not any(curves.values()):
        known = dict.fromkeys(name for group in logs.values() for log in group for name in log.losses + log.metrics)
        raise ConfigError(f'--keys {key}: no run has it; there are {", ".join(known)}.')
    return curves


def _curve(log: TrainingLog, key: str) -> Curve:
    values: dict[int, list[float]] = {}
    for step, value in log.training_points(key):
        values.setdefault(int(log.training[step].get('epoch', step)), []).append(value)
    for step, value in log.validation_points(key):
        values.setdefault(step, []).append(in_column_unit(key, value))
    return {step: fmean(of_step) for step, of_step in values.items()}
