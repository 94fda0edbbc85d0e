"""What each method gains over its baseline, with its confidence interval, beside the paper's gain."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from makd.experiments.report import Line
from makd.experiments.tables import DATASET_TITLES


def plot_gains(lines: Sequence[Line], path: Path) -> None:
    """Draw the differences to the baselines, a row each.

    Args:
        lines: The table.
        path: The picture to write; its suffix gives the format.
    """
    compared = [line for line in lines if line.arm is not line.block.arms[0]]
    figure = Figure(
        figsize=(8, 1.4 + 0.27 * len(compared)), layout='constrained'
    )  # not pyplot: there may be no display
    axes = figure.subplots()
    axes.axvline(0, color='black', linewidth=0.8)
    labelled: set[str] = set()
    for place, line in enumerate(compared):
        if line.row.difference is not None:
            mean, half_width = line.row.difference
            several = half_width == half_width  # not NaN
            label = 'measured, 95 % CI' if several else 'measured, one seed'
            axes.errorbar(
                *(mean, place),
                xerr=half_width if several else None,
                fmt='o' if several else 'x',
                color='C0',
                capsize=3,
                label=None if label in labelled else label,
            )
            labelled.add(label)
        if line.paper_difference is not None:
            label = 'paper'
            axes.plot(
                line.paper_difference, place, 'D', mfc='none', color='C1', label=None if label in labelled else label
            )
            labelled.add(label)
        if place and line.block.dataset != compared[place - 1].block.dataset:
            axes.axhline(place - 0.5, color='grey', linewidth=0.5)
    names = [f'{DATASET_TITLES[line.block.dataset]}, {line.block.setting}: {line.arm.method}' for line in compared]
    axes.set_yticks(range(len(compared)), names, fontsize='small')
    axes.set(
        xlabel=f'{lines[0].column.removesuffix(" %")}: difference to the baseline', ylim=(len(compared) - 0.5, -0.5)
    )
    axes.grid(alpha=0.3, axis='x')
    if labelled:
        axes.legend(fontsize='small')
    figure.savefig(path, dpi=150)
