"""Curves of metrics and losses of several runs, with their spread over seeds."""

from collections.abc import Mapping, Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from makd.experiments.plots.curves import draw_curves
from makd.experiments.seed_curves import Curve
from makd.experiments.summary import COLUMNS


def draw_run_curves(panels: Mapping[str, Mapping[str, Sequence[Curve]]], unit: str) -> Figure:
    """Draw a panel for each metric, a line a group: the mean over its runs, in a band from the lowest to the highest.

    Args:
        panels: Metric -> group -> curves of its runs; every metric has all groups.
        unit: What the curves are counted by: 'epoch' or 'iteration'.
    """
    figure = Figure(figsize=(1.0 + 4.6 * len(panels), 4.6), layout='constrained')  # not pyplot: there may be no display
    legend: dict[str, Artist] = {}
    for axes, (metric, groups) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        draw_curves(axes, groups)
        training = 'loss' in metric
        axes.set(title=metric if training else f'validation {COLUMNS.get(metric, metric)}', xlabel=unit)
        for handle, name in zip(*axes.get_legend_handles_labels()):
            seeds = len(groups[name])
            legend.setdefault(f'{name} ({seeds} run{"s" * (seeds > 1)})', handle)
    figure.legend(list(legend.values()), list(legend), loc='outside upper center', ncols=min(3, len(legend)))
    figure.supxlabel('mean over the runs; band: lowest to highest run', fontsize='small')
    return figure
