"""Validation curves of several configs, with their spread over seeds."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

from makd.experiments.cell import Result
from makd.experiments.summary import COLUMNS, PERCENT, primary_metric


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
    for name, by_seed in results.items():
        values: dict[int, list[float]] = {}
        for result in by_seed.values():
            for epoch, metrics in result.curve if result else ():
                if metric in metrics:
                    values.setdefault(epoch, []).append(metrics[metric] * PERCENT.get(metric, 1.0))
        if not values:
            continue
        epochs = sorted(values)
        (line,) = axes.plot(epochs, [fmean(values[e]) for e in epochs], marker='o', markersize=3, label=name)
        if any(len(v) > 1 for v in values.values()):
            low, high = [min(values[e]) for e in epochs], [max(values[e]) for e in epochs]
            axes.fill_between(epochs, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set(xlabel='epoch', ylabel=f'validation {COLUMNS.get(str(metric), "")}', ylim=(0, None))
    axes.grid(alpha=0.3)
    if axes.has_data():
        axes.legend()
    figure.savefig(path, dpi=150)
