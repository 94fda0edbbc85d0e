"""A figure of the paper: the score over a number that was varied."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from makd.experiments.report import Line
from makd.experiments.tables import DATASET_TITLES


def plot_sweep(lines: Sequence[Line], axis: str, path: Path) -> None:
    """Draw the mean over seeds with its standard deviation, a line for each data set and student; dashed: the baseline.

    Args:
        lines: The figure's arms, each with its ``x``.
        axis: Label of the x axis.
        path: The picture to write; its suffix gives the format.
    """
    figure = Figure(figsize=(7, 4.5), layout='constrained')  # not pyplot: there may be no display
    axes = figure.subplots()
    column = lines[0].column
    for number, block in enumerate(dict.fromkeys(line.block for line in lines)):
        color = f'C{number}'
        base, *others = (line for line in lines if line.block is block)
        points = sorted((line.arm.x, *line.row.values[column]) for line in others if column in line.row.values)
        if column in base.row.values:
            axes.axhline(base.row.values[column][0], color=color, linestyle='--', linewidth=1)
        if points:
            x, mean, spread = zip(*points)
            name = f'{DATASET_TITLES[block.dataset]}, {block.setting}'
            bars = [0.0 if s != s else s for s in spread]  # NaN of one seed
            axes.errorbar(x, mean, yerr=bars, marker='o', markersize=4, capsize=3, color=color, label=name)
    axes.set(xlabel=axis, ylabel=f'test {column}')
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title='dashed: baseline')
    figure.savefig(path, dpi=150)
