"""The mean answer of each class to a question, the annotator's beside the student's (paper Figure 4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill, shorten

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from makd.analysis.class_means import mean_correlation
from makd.analysis.figures.colors import COLORS

HEIGHT = 0.38  # of a bar; two of them fill a row
ALPHA = 0.75


@dataclass(frozen=True)
class Answers:
    """The answers to one question.

    Attributes:
        who: 'teacher' or 'student'.
        means: P(yes) of every class, (C,); NaN where there is no answer.
        band: First and ninth decile of the images of the classes that are shown, (2, K).
    """

    who: str
    means: np.ndarray
    band: np.ndarray


@dataclass(frozen=True)
class Panel:
    """A question.

    Attributes:
        text: Of the question.
        shown: The K classes that have bars, from the top down.
        gap: Number of bars below which classes are left out; None where none are.
        answers: The annotator's, and the student's if there is one.
    """

    text: str
    shown: Sequence[int]
    gap: int | None
    answers: Sequence[Answers]


def draw_aspect_histogram(panels: Sequence[Panel], classes: Sequence[str]) -> Figure:
    """Draw a column for each question: bars for some classes, and below them how the means of all classes are spread.

    Args:
        panels: The questions.
        classes: Names of all C classes.
    """
    rows = max(len(panel.shown) for panel in panels)
    figure = Figure(figsize=(5.2 * len(panels), 2.6 + 0.34 * rows), layout='constrained')
    grid = figure.subplots(2, len(panels), squeeze=False, height_ratios=[max(3, rows), 3.5])
    for column, panel in enumerate(panels):
        _bars(grid[0, column], panel, classes)
        _histogram(grid[1, column], panel.answers)
    grid[1, 0].set_ylabel('classes')
    handles = [Patch(color=COLORS[answers.who], alpha=ALPHA, label=answers.who) for answers in panels[0].answers]
    figure.legend(handles=handles, loc='outside upper left', ncols=2)
    figure.supxlabel(
        'bars: mean over the images of a class; lines: first to ninth decile of its images', fontsize='small'
    )
    return figure


def _bars(axes: Axes, panel: Panel, classes: Sequence[str]) -> None:
    places = np.arange(len(panel.shown), dtype=float)
    if panel.gap is not None:
        places[panel.gap :] += 1
        left_out = int((~np.isnan(panel.answers[0].means)).sum()) - len(panel.shown)
        axes.text(0.5, panel.gap, f'⋮ {left_out} more', ha='center', va='center', color='gray')
    for number, answers in enumerate(panel.answers):
        offset = (number - (len(panel.answers) - 1) / 2) * HEIGHT
        axes.barh(places + offset, answers.means[list(panel.shown)], HEIGHT, color=COLORS[answers.who], alpha=ALPHA)
        axes.hlines(places + offset, *answers.band, color='black', linewidth=1)
    axes.set_yticks(places, [shorten(classes[label], 30, placeholder='…') for label in panel.shown])
    axes.set(title=fill(panel.text, 40), xlim=(0, 1), ylim=(places[-1] + 0.6, -0.6))
    axes.grid(alpha=0.3, axis='x')


def _histogram(axes: Axes, answers: Sequence[Answers]) -> None:
    for one in answers:
        means = one.means[~np.isnan(one.means)]
        axes.hist(means, bins=20, range=(0, 1), histtype='step', linewidth=1.8, color=COLORS[one.who])
    axes.set(xlabel='mean P(yes) of a class', xlim=(0, 1), yscale='log', ylim=(0.7, None))
    axes.grid(alpha=0.3)
    if len(answers) > 1:
        correlation = mean_correlation(answers[0].means, answers[1].means)
        axes.set_title(f'all classes: correlation of the means {correlation:.2f}', fontsize='medium')
