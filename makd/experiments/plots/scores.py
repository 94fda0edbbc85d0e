"""Test scores of several configs, where there are no curves to see."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

from makd.experiments.summary import COLUMNS, PERCENT, primary_metric
from makd.experiments.trial import Result


def plot_scores(results: Mapping[str, Mapping[int, Result | None]], path: Path) -> None:
    """Draw the test at the last epoch, one row a config: the mean, and the seeds, each a line through all rows.

    Args:
        results (Mapping): Config name -> seed -> result, or None where the run failed.
        path (Path): The picture to write; its suffix gives the format.
    """
    figure = Figure(figsize=(8, 1.2 + 0.45 * len(results)), layout='constrained')
    axes = figure.subplots()
    metric = str(primary_metric(results))
    by_seed: dict[int, list[tuple[float, int]]] = {}
    for row, of_config in enumerate(results.values()):
        scores = {
            seed: result.metrics[metric] * PERCENT.get(metric, 1.0)
            for seed, result in of_config.items()
            if result and metric in result.metrics
        }
        for seed, score in scores.items():
            by_seed.setdefault(seed, []).append((score, row))
        if scores:
            axes.plot(fmean(scores.values()), row, 'D', color='black', markersize=8, zorder=3)
    for seed, points in sorted(by_seed.items()):
        seed_scores, rows = zip(*points)
        axes.plot(seed_scores, rows, 'o-', markersize=4, linewidth=0.8, alpha=0.6, label=f'seed {seed}')
    axes.set(xlabel=f'test {COLUMNS.get(metric, "")}', ylim=(len(results) - 0.5, -0.5))
    axes.set_yticks(range(len(results)), list(results))
    axes.grid(alpha=0.3)
    if by_seed:
        axes.legend(title='diamond: mean')
    figure.savefig(path, dpi=150)
