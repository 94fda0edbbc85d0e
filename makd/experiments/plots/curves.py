"""Validation curves of several configs, with their spread over seeds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from makd.experiments.summary import COLUMNS, PERCENT, primary_metric
from makd.experiments.trial import Result


def has_curves(results: Mapping[str, Mapping[int, Result | None]]) -> bool:
    """Say whether a run was validated more than once."""
    return any(result and len(result.curve) > 1 for by_seed in results.values() for result in by_seed.values())


def plot_curves(results: Mapping[str, Mapping[int, Result | None]], path: Path) -> None:
    """Draw the validation, one line a config: the mean over seeds, in a band from the lowest to the highest seed.

    Configs without validation have no line.

    Args:
        results (Mapping): Config name -> seed -> result, or None where the run failed.
        path (Path): The picture to write; its suffix gives the format.
    """
    figure = Figure(figsize=(7, 4.5), layout='constrained')  # not pyplot: there may be no display
    axes = figure.subplots()
    metric = primary_metric(results)
    draw_curves(
        axes,
        {
            name: [
                {
                    epoch: metrics[metric] * PERCENT.get(metric, 1.0)
                    for epoch, metrics in result.curve
                    if metric in metrics
                }
                for result in by_seed.values()
                if result
            ]
            for name, by_seed in results.items()
        },
    )
    axes.set(xlabel='epoch', ylabel=f'validation {COLUMNS.get(str(metric), "")}', ylim=(0, None))
    if axes.has_data():
        axes.legend()
    figure.savefig(path, dpi=150)


def draw_curves(axes: Axes, curves: Mapping[str, Sequence[Mapping[int, float]]]) -> None:
    """Draw a line a name: the mean over its runs, in a band from the lowest to the highest run.

    Args:
        axes: Where.
        curves: Name -> of each run, epoch or step -> value. A name has its color also where it has no line.
    """
    for number, (name, runs) in enumerate(curves.items()):
        values: dict[int, list[float]] = {}
        for run in runs:
            for epoch, value in run.items():
                values.setdefault(epoch, []).append(value)
        if not values:
            continue
        epochs = sorted(values)
        color = f'C{number}'
        axes.plot(epochs, [fmean(values[e]) for e in epochs], marker='o', markersize=3, color=color, label=name)
        if any(len(v) > 1 for v in values.values()):
            low, high = [min(values[e]) for e in epochs], [max(values[e]) for e in epochs]
            axes.fill_between(epochs, low, high, color=color, alpha=0.2, linewidth=0)
    axes.grid(alpha=0.3)
