"""Sum up the log of a run and draw its curves, or draw the curves of several runs with their spread over seeds."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from makd.cli.main import run
from makd.errors import ConfigError

if TYPE_CHECKING:
    from experiments.training_log import TrainingLog

EXAMPLES = """examples:
  python tools/analyze_log.py work_dirs/makd/resnet18_emoji
  python tools/analyze_log.py work_dirs/makd/resnet18_emoji --keys loss loss_makd accuracy/top1 --out curves.svg
  python tools/analyze_log.py work_dirs/compare/{baseline,makd}/resnet18_emoji --keys accuracy/top1 loss_cls
  python tools/analyze_log.py 'plain'=runs/a/seed_0 runs/a/seed_1 'with aspects'=runs/b/seed_0 runs/b/seed_1

One run is summed up: time, losses, validation. Of several, the mean and the range of each group are drawn. Folders are
searched for runs; those that tools/compare.py laid out are a group if they differ in their seed only. NAME=FOLDER
begins a group, to which the folders after it belong."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument(
        'runs',
        nargs='+',
        metavar='[NAME=]FOLDER',
        help='work dirs of runs, or folders of them; a run that was stopped and resumed is one run',
    )
    p.add_argument(
        '--keys',
        nargs='+',
        metavar='KEY',
        help='losses and metrics to show (default: all; of several runs top-1 or else AP, and the loss)',
    )
    p.add_argument(
        '--out',
        type=Path,
        metavar='FILE',
        help='figure to write, .png, .svg or .pdf (default: WORK_DIR/curves.png; of several runs '
        'work_dirs/analysis/compare_runs.png and .svg)',
    )
    return p.parse_args()


def main() -> None:
    """Read the logs, print the summary and draw."""
    args = parse_args()

    # Imported here, so that --help is answered at once.
    from experiments.seed_curves import find_runs
    from experiments.training_log import TrainingLog
    from makd.analysis.figures.output import figure_paths

    figure_paths(args.out, '')  # an unknown suffix is reported before the logs are read
    groups = find_runs(args.runs)
    logs = {name: [TrainingLog.read(work_dir) for work_dir in work_dirs] for name, work_dirs in groups.items()}
    work_dirs = [work_dir for group in groups.values() for work_dir in group]
    if len(work_dirs) == 1 and Path(args.runs[0]).exists():  # not NAME=FOLDER
        analyze(*(log for group in logs.values() for log in group), args.keys, args.out or work_dirs[0] / 'curves.png')
        return
    for name, group in groups.items():
        print(f'{name}: {len(group)} runs, {", ".join(work_dir.name for work_dir in group)}')
    compare(logs, args.keys, figure_paths(args.out, 'compare_runs'))


def analyze(log: TrainingLog, keys: list[str] | None, out: Path) -> None:
    """Print the summary of one run, and draw its losses and validation metrics."""
    from experiments.plots import draw_training
    from makd.analysis.figures.output import save_figure

    known = log.losses + log.metrics
    for key in keys or ():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3) or known
            raise ConfigError(f'--keys {key}: the log does not have it, but: {", ".join(close)}.')
    losses = {name: log.training_points(name) for name in log.losses if name in (keys or known)}
    metrics = {name: log.validation_points(name) for name in log.metrics if name in (keys or known)}
    print('\n'.join([*summarise_training(log, losses), *summarise_validation(log, metrics)]))
    if log.training:
        save_figure(draw_training(losses, log.training_points('lr'), metrics, log.unit), [out])


def summarise_training(log: TrainingLog, losses: dict[str, list[tuple[int, float]]]) -> list[str]:
    """Return lines about the time, the memory and the losses of a run; none if it was only validated."""
    if not log.training:
        return []
    steps = sorted(log.training)
    records = [log.training[step] for step in steps]
    times = [record['time'] for record in records]
    loading = sum(record['data_time'] for record in records) / sum(times)
    epochs = f' ({records[-1]["epoch"]} epochs)' if 'epoch' in records[-1] else ''
    lines = [
        f'{steps[-1]} iterations{epochs}; logs of {log.starts} starts.',
        f'{fmean(times):.4f} s per iteration ({min(times):.4f} to {max(times):.4f}), {loading:.0%} of it waiting for '
        f'data; about {fmean(times) * steps[-1] / 60:.1f} minutes of training in all.',
    ]
    if memory := max(record.get('memory', 0) for record in records):
        lines.append(f'GPU memory: {memory:.0f} MB at most.')
    for name, points in losses.items():
        values = [value for _, value in points]
        lines.append(f'{name}: {values[0]:.4g} at first, {values[-1]:.4g} at last, lowest {min(values):.4g}')
    if broken := log.broken:
        lines.append(f'NOT FINITE: a loss is NaN or infinite in {len(broken)} records, first at iteration {broken[0]}.')
    return lines


def summarise_validation(log: TrainingLog, metrics: dict[str, list[tuple[int, float]]]) -> list[str]:
    """Return a line about each metric."""
    lines = []
    for name, points in metrics.items():
        (high, at_high), (low, at_low) = (extreme((value, step) for step, value in points) for extreme in (max, min))
        others = f'; highest {high:.4g} at {at_high}, lowest {low:.4g} at {at_low}' if len(points) > 1 else ''
        lines.append(f'{name}: {points[-1][1]:.4g} at {log.unit} {points[-1][0]}{others}')
    return lines


def compare(logs: dict[str, list[TrainingLog]], keys: list[str] | None, paths: list[Path]) -> None:
    """Draw losses and metrics of several runs, one panel each."""
    from experiments.plots import draw_run_curves
    from experiments.seed_curves import seed_curves
    from experiments.summary import COLUMNS, PRIMARY
    from makd.analysis.figures.output import save_figure

    units = {log.unit for group in logs.values() for log in group}
    if len(units) > 1:
        raise ConfigError('some of the runs count epochs, others iterations: compare runs that count alike.')
    recorded = {key for group in logs.values() for log in group for key in log.metrics}
    panels = {}
    for key in keys or [*[metric for metric in PRIMARY if metric in recorded][:1], 'loss']:
        title = key if 'loss' in key else f'validation {COLUMNS.get(key, key)}'
        panels[title] = seed_curves(logs, key)
    save_figure(draw_run_curves(panels, units.pop()), paths)


if __name__ == '__main__':
    run(main)
