"""The curves of one run: what it minimised, and what the validation says."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from makd.experiments.training_log import TrainingLog


def plot_training_log(log: TrainingLog, losses: list[str], metrics: list[str], path: Path) -> None:
    """Draw the losses with the learning rate on the left, and a panel for each metric on the right, one over the other.

    Args:
        log: The run.
        losses: Names of the losses to draw.
        metrics: Names of the validation metrics to draw; metrics whose names begin alike ('accuracy/') share a panel.
        path: The picture to write; its suffix gives the format.
    """
    panels: dict[str, list[str]] = {}
    for metric in metrics:
        panels.setdefault(metric.rpartition('/')[0], []).append(metric)
    figure = Figure(figsize=(11 if panels else 6, max(4.5, 2.2 * len(panels))), layout='constrained')
    grid = figure.add_gridspec(max(1, len(panels)), 2 if panels else 1)

    axes = figure.add_subplot(grid[:, 0])
    steps = sorted(log.training)
    for name in losses:
        points = [(step, log.training[step][name]) for step in steps if name in log.training[step]]
        axes.plot(*zip(*points), label=name, linewidth=2 if name == 'loss' else 1)
    axes.set(xlabel='iteration', ylabel='loss', ylim=(0, None))
    axes.grid(alpha=0.3)
    if losses:
        axes.legend(loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize='small', frameon=False)
    rate = axes.twinx()
    rate.plot(steps, [log.training[step]['lr'] for step in steps], color='gray', linewidth=0.8, linestyle='--')
    rate.set_ylabel('learning rate (dashed)', color='gray')
    rate.set_yscale('log')
    rate.tick_params(axis='y', colors='gray', which='both')

    for row, (group, names) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[row, 1])
        for name in names:
            points = [
                (step, log.validation[step][name]) for step in sorted(log.validation) if name in log.validation[step]
            ]
            axes.plot(*zip(*points), marker='o', markersize=3, label=name.rpartition('/')[2])
        axes.set(ylabel=group or 'validation')
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        if row == len(panels) - 1:
            axes.set_xlabel(log.unit)
    figure.savefig(path, dpi=150)
