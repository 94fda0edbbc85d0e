"""Sum up the log of a run: time, losses, validation; and draw its curves."""

from __future__ import annotations

import argparse
import difflib
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from makd.cli.main import run
from makd.errors import ConfigError

if TYPE_CHECKING:
    from makd.experiments.training_log import TrainingLog

EXAMPLES = """examples:
  python tools/analyze_log.py work_dirs/makd/resnet18_emoji
  python tools/analyze_log.py work_dirs/makd/resnet18_emoji --keys loss loss_makd accuracy/top1 --out curves.svg

Several runs, with their spread over seeds, are the matter of tools/analysis/compare_runs.py."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('work_dir', type=Path, help='work dir of a run; what was stopped and resumed is one run')
    p.add_argument('--keys', nargs='+', metavar='KEY', help='losses and metrics to show (default: all)')
    p.add_argument('--out', type=Path, metavar='FILE', help='picture of the curves (default: WORK_DIR/curves.png)')
    return p.parse_args()


def main() -> None:
    """Print the summary and draw."""
    args = parse_args()

    # Imported here, so that --help is answered at once.
    from makd.analysis.figures.save import picture_paths
    from makd.experiments.plots.training_log import plot_training_log
    from makd.experiments.training_log import TrainingLog

    (out,) = picture_paths(args.out or args.work_dir / 'curves.png', '')
    log = TrainingLog.read(args.work_dir)
    losses, metrics = choose(log, args.keys)
    print(summary(log, losses, metrics))
    if log.training:
        out.parent.mkdir(parents=True, exist_ok=True)
        plot_training_log(log, losses, metrics, out)
        print(f'Curves: {out}')


def choose(log: TrainingLog, keys: list[str] | None) -> tuple[list[str], list[str]]:
    """Return the losses and the metrics to show; raise a ConfigError for a key that the log does not have."""
    known = log.losses + log.metrics
    for key in keys or ():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=3) or known
            raise ConfigError(f'--keys {key}: the log does not have it, but: {", ".join(close)}.')
    chosen = keys or known
    return [name for name in log.losses if name in chosen], [name for name in log.metrics if name in chosen]


def summary(log: TrainingLog, losses: list[str], metrics: list[str]) -> str:
    """Return what there is to say about a run, a line each."""
    lines = []
    if log.training:
        steps = sorted(log.training)
        records = [log.training[step] for step in steps]
        times = [record['time'] for record in records]
        loading = sum(record['data_time'] for record in records) / sum(times)
        epochs = f' ({records[-1]["epoch"]} epochs)' if 'epoch' in records[-1] else ''
        lines.append(f'{steps[-1]} iterations{epochs}; logs of {log.starts} starts.')
        lines.append(
            f'{fmean(times):.4f} s an iteration ({min(times):.4f} to {max(times):.4f}), {loading:.0%} of it waiting '
            f'for data; about {fmean(times) * steps[-1] / 60:.1f} minutes of training in all.'
        )
        if memory := max(record.get('memory', 0) for record in records):
            lines.append(f'GPU memory: {memory:.0f} MB at most.')
        for name in losses:
            values = [record[name] for record in records if name in record]
            lines.append(f'{name}: {values[0]:.4g} at first, {values[-1]:.4g} at last, lowest {min(values):.4g}')
        if broken := log.broken:
            lines.append(
                f'NOT FINITE: a loss is NaN or infinite in {len(broken)} records, first at iteration {broken[0]}.'
            )
    for name in metrics:
        points = [(record[name], step) for step, record in sorted(log.validation.items()) if name in record]
        (high, at_high), (low, at_low) = max(points), min(points)
        others = f'; highest {high:.4g} at {at_high}, lowest {low:.4g} at {at_low}' if len(points) > 1 else ''
        lines.append(f'{name}: {points[-1][0]:.4g} at {log.unit} {points[-1][1]}{others}')
    return '\n'.join(lines)


if __name__ == '__main__':
    run(main)
