"""Plots of experiments: plain numbers in, a figure out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.training_log import Curve

Points = Sequence[tuple[int, float]]


@dataclass(frozen=True)
class Gain:
    """The difference of a method to its baseline.

    Attributes:
        name: Of the method, with its dataset and student.
        dataset: Its dataset; a line separates one from the next.
        measured: The mean, and the half width of its 95 % confidence interval, NaN with one seed; None if not measured.
        paper: The paper's difference, or None.
    """

    name: str
    dataset: str
    measured: tuple[float, float] | None
    paper: float | None


@dataclass(frozen=True)
class Sweep:
    """The score over a number that was varied.

    Attributes:
        name: Of the dataset and student.
        baseline: The baseline's score, or None.
        points: The number, the mean score over seeds and its standard deviation, NaN with one seed.
    """

    name: str
    baseline: float | None
    points: Sequence[tuple[float, float, float]]


def _figure(width: float = 7, height: float = 4.5) -> Figure:
    return Figure(figsize=(width, height), layout='constrained')  # not pyplot: there may be no display


def draw_validation(curves: Mapping[str, Sequence[Curve]], column: str) -> Figure:
    """Draw validation curves, one line per name as in :func:`draw_bands`.

    Args:
        curves: Name -> the curve of each run.
        column: The metric, such as 'top-1 %'.
    """
    figure = _figure()
    axes = figure.subplots()
    draw_bands(axes, curves)
    axes.set(xlabel='epoch', ylabel=f'validation {column}', ylim=(0, None))
    if axes.has_data():
        axes.legend()
    return figure


def draw_bands(axes: Axes, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Draw one line per name: the mean over its runs, in a band from the lowest to the highest run.

    A name without values has no line, and keeps its colour.
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


def draw_run_curves(panels: Mapping[str, Mapping[str, Sequence[Curve]]], unit: str) -> Figure:
    """Draw one panel per metric, and in each the groups of runs as in :func:`draw_bands`.

    Args:
        panels: Title -> group -> the curve of each run; every panel has all groups.
        unit: Label of the x axis: 'epoch' or 'iteration'.
    """
    figure = _figure(1.0 + 4.6 * len(panels), 4.6)
    legend: dict[str, Artist] = {}
    for axes, (title, groups) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        draw_bands(axes, groups)
        axes.set(title=title, xlabel=unit)
        for handle, name in zip(*axes.get_legend_handles_labels()):
            runs = len(groups[name])
            legend.setdefault(f'{name} ({runs} run{"s" * (runs > 1)})', handle)
    figure.legend(list(legend.values()), list(legend), loc='outside upper center', ncols=min(3, len(legend)))
    figure.supxlabel('mean over the runs; band: lowest to highest run', fontsize='small')
    return figure


def draw_training(
    losses: Mapping[str, Points], learning_rate: Points, metrics: Mapping[str, Points], unit: str
) -> Figure:
    """Draw one run: its losses with the learning rate on the left, panels of its validation metrics on the right.

    Args:
        losses: Name -> (iteration, value).
        learning_rate: (iteration, value).
        metrics: Name -> (epoch or iteration, value); names that begin alike ('accuracy/') share a panel.
        unit: What validations are counted by: 'epoch' or 'iteration'.
    """
    panels: dict[str, list[str]] = {}
    for name in metrics:
        panels.setdefault(name.rpartition('/')[0], []).append(name)
    figure = _figure(11 if panels else 6, max(4.5, 2.2 * len(panels)))
    grid = figure.add_gridspec(max(1, len(panels)), 2 if panels else 1)

    axes = figure.add_subplot(grid[:, 0])
    for name, points in losses.items():
        axes.plot(*zip(*points), label=name, linewidth=2 if name == 'loss' else 1)
    axes.set(xlabel='iteration', ylabel='loss', ylim=(0, None))
    axes.grid(alpha=0.3)
    if losses:
        axes.legend(loc='lower center', bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize='small', frameon=False)
    rate = axes.twinx()
    rate.plot(*zip(*learning_rate), color='gray', linewidth=0.8, linestyle='--')
    rate.set_ylabel('learning rate (dashed)', color='gray')
    rate.set_yscale('log')
    rate.tick_params(axis='y', colors='gray', which='both')

    for row, (group, names) in enumerate(panels.items()):
        axes = figure.add_subplot(grid[row, 1])
        for name in names:
            axes.plot(*zip(*metrics[name]), marker='o', markersize=3, label=name.rpartition('/')[2])
        axes.set(ylabel=group or 'validation', xlabel=unit if row == len(panels) - 1 else '')
        axes.grid(alpha=0.3)
        axes.legend(fontsize='small')
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def draw_scores(scores: Mapping[str, Mapping[int, float]], column: str) -> Figure:
    """Draw test scores, one row per config: the mean, and the seeds, each as a line through all rows.

    Args:
        scores: Config -> seed -> score.
        column: The metric, such as 'top-1 %'.
    """
    figure = _figure(8, 1.2 + 0.45 * len(scores))
    axes = figure.subplots()
    for row, by_seed in enumerate(scores.values()):
        if by_seed:
            axes.plot(fmean(by_seed.values()), row, 'D', color='black', markersize=8, zorder=3)
    seeds = sorted({seed for by_seed in scores.values() for seed in by_seed})
    for seed in seeds:
        points = [(by_seed[seed], row) for row, by_seed in enumerate(scores.values()) if seed in by_seed]
        axes.plot(*zip(*points), 'o-', markersize=4, linewidth=0.8, alpha=0.6, label=f'seed {seed}')
    axes.set(xlabel=f'test {column}', ylim=(len(scores) - 0.5, -0.5))
    axes.set_yticks(range(len(scores)), list(scores))
    axes.grid(alpha=0.3)
    if seeds:
        axes.legend(title='diamond: mean', loc='upper left', bbox_to_anchor=(1.0, 1.0), frameon=False)
    return figure


def draw_gains(gains: Sequence[Gain], column: str) -> Figure:
    """Draw the differences to the baselines, one row each, beside the paper's.

    Args:
        gains: The rows, from the top down.
        column: The metric, such as 'top-1 %'.
    """
    figure = _figure(8, 1.4 + 0.27 * len(gains))
    axes = figure.subplots()
    axes.axvline(0, color='black', linewidth=0.8)
    for place, gain in enumerate(gains):
        if gain.measured is not None:
            mean, half_width = gain.measured
            if half_width == half_width:  # not NaN
                axes.errorbar(mean, place, xerr=half_width, fmt='oC0', capsize=3, label='measured, 95 % CI')
            else:
                axes.errorbar(mean, place, fmt='xC0', label='measured, one seed')
        if gain.paper is not None:
            axes.plot(gain.paper, place, 'D', mfc='none', color='C1', label='paper')
        if place and gain.dataset != gains[place - 1].dataset:
            axes.axhline(place - 0.5, color='grey', linewidth=0.5)
    axes.set_yticks(range(len(gains)), [gain.name for gain in gains], fontsize='small')
    axes.set(xlabel=f'{column.removesuffix(" %")}: difference to the baseline', ylim=(len(gains) - 0.5, -0.5))
    axes.grid(alpha=0.3, axis='x')
    handles, labels = axes.get_legend_handles_labels()
    if legend := dict(zip(labels, handles)):
        axes.legend(legend.values(), legend.keys(), fontsize='small')
    return figure


def draw_sweep(sweeps: Sequence[Sweep], axis: str, column: str) -> Figure:
    """Draw the mean over seeds with its standard deviation, one line per sweep, and dashed the baselines.

    Args:
        sweeps: The lines.
        axis: Label of the x axis.
        column: The metric, such as 'top-1 %'.
    """
    figure = _figure()
    axes = figure.subplots()
    for number, sweep in enumerate(sweeps):
        color = f'C{number}'
        if sweep.baseline is not None:
            axes.axhline(sweep.baseline, color=color, linestyle='--', linewidth=1)
        if sweep.points:
            x, mean, spread = zip(*sweep.points)
            bars = [0.0 if s != s else s for s in spread]  # NaN with one seed
            axes.errorbar(x, mean, yerr=bars, marker='o', markersize=4, capsize=3, color=color, label=sweep.name)
    axes.set(xlabel=axis, ylabel=f'test {column}')
    axes.grid(alpha=0.3)
    if any(sweep.points for sweep in sweeps):
        axes.legend(title='dashed: baseline')
    return figure


def draw_evidence(bits: Mapping[str, Sequence[float]], top: int) -> Figure:
    """Draw the bits that questions tell about the class over their number, one line per order of the questions.

    Args:
        bits: Name of the order -> bits that its first question, its first two, ... tell.
        top: How many questions are selected, marked by a vertical line.
    """
    figure = _figure()
    axes = figure.subplots()
    for name, values in bits.items():
        axes.plot(range(len(values) + 1), [0.0, *values], marker='.', label=name)
    axes.axvline(top, color='black', linestyle='--', linewidth=0.8, label=f'taken: {top}')
    axes.set(xlabel='questions', ylabel='bits about the class, on images not counted', xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
