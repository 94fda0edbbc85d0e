"""Predicted classes with the aspects that explain them: of one image, and of the pairs that a classifier confuses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import fill, shorten
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from makd.analysis.figures.output import COLORS, STUDENT

PROBABILITY = (0, 1.15)  # with room for a text
BASELINE, MAKD = 'C7', 'C1'


def draw_prediction(
    image: np.ndarray, classes: Sequence[tuple[str, float]], aspects: Sequence[Mapping[str, Any]]
) -> Figure:
    """Draw the image on the left, a bar per class and per aspect on the right.

    Args:
        image: uint8 (H, W, 3) in RGB.
        classes: Names and probabilities, the predicted one first.
        aspects: At least one, each with ``question``, ``probability``, ``average`` and ``evidence``, as
            ``AspectInferencer`` returns them.
    """
    rows = len(classes) + len(aspects)
    figure = Figure(figsize=(10, 1.6 + 0.42 * rows), layout='constrained')  # not pyplot: there may be no display
    grid = figure.add_gridspec(2, 2, width_ratios=[2, 4], height_ratios=[len(classes) + 1, len(aspects) + 1])
    image_axes = figure.add_subplot(grid[:, 0])
    image_axes.imshow(image)
    image_axes.axis('off')
    image_axes.set_title(shorten(classes[0][0], 26, placeholder='…'), fontweight='bold')

    names = [shorten(name, 40, placeholder='…') for name, _ in classes]
    scores = [score for _, score in classes]
    axes = figure.add_subplot(grid[0, 1])
    _bars(axes, names, scores, [f'{score:.1%}' for score in scores], 'C2', 'probability')
    axes.set(xlim=PROBABILITY)

    known = aspects[0]['evidence'] is not None
    answers = [f'{a["probability"]:.0%}' + (f', average {a["average"]:.0%}' if known else '') for a in aspects]
    questions = [fill(aspect['question'], 48) for aspect in aspects]
    values = [aspect['evidence' if known else 'probability'] for aspect in aspects]
    title = f'bits that speak for {names[0]}; at the bars P(yes)' if known else 'P(yes), the most certain first'
    axes = figure.add_subplot(grid[1, 1])
    _bars(axes, questions, values, answers, COLORS[STUDENT], title)
    if not known:
        axes.set(xlim=PROBABILITY)
    return figure


def _bars(
    axes: Axes, names: Sequence[str], values: Sequence[float], texts: Sequence[str], color: str, title: str
) -> None:
    """Draw horizontal bars, the first on top, each with a text at its end."""
    bars = axes.barh(range(len(names)), values, color=color, height=0.7)
    axes.bar_label(bars, texts, padding=4, fontsize='small')
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_title(title, fontsize='small', loc='left')
    axes.axvline(0, color='black', linewidth=0.8)
    axes.margins(x=0.4)
    axes.tick_params(axis='y', left=False)
    axes.tick_params(axis='x', labelsize='small')
    axes.spines[['top', 'right', 'left']].set_visible(False)


@dataclass(frozen=True)
class Pair:
    """Two classes that are confused.

    Attributes:
        names: Their names.
        baseline: The baseline's soft confusion of them, in [0, 1].
        makd: MaKD's.
        questions: The questions that tell them apart, with the mean answers: 'text 0.90/0.10'.
    """

    names: tuple[str, str]
    baseline: float
    makd: float
    questions: Sequence[str]


def draw_confusion_pairs(blocks: Sequence[tuple[str, str, Sequence[Pair]]], title: str) -> Figure:
    """Draw a row for each pair: the confusion of both models, joined by a line, and the most telling question.

    Args:
        blocks: Heading, a note beside it, and pairs, from the top down.
        title: Title of the figure.
    """
    rows = sum(len(pairs) + 1 for _, _, pairs in blocks)
    figure = Figure(figsize=(12, 1.6 + 0.3 * rows), layout='constrained')
    axes = figure.subplots()
    ticks: dict[int, str] = {}
    place = 0
    beside: dict[str, Any] = dict(transform=axes.get_yaxis_transform(), va='center', fontsize='small')
    for heading, note, pairs in blocks:
        axes.text(0, place, heading, transform=axes.get_yaxis_transform(), fontweight='bold', va='center')
        axes.text(1.01, place, note, style='italic', **beside)
        for pair in pairs:
            place += 1
            axes.plot([pair.baseline, pair.makd], [place, place], color='gray', linewidth=1.5, alpha=0.6, zorder=1)
            for value, color, marker in ((pair.baseline, BASELINE, 'o'), (pair.makd, MAKD, 'D')):
                axes.plot(value, place, marker, color=color, markersize=7)
            question = pair.questions[0] if pair.questions else 'the answers are the same'
            axes.text(1.01, place, shorten(question, 75, placeholder='…'), **beside)
            ticks[place] = '  |  '.join(shorten(name, 26, placeholder='…') for name in pair.names)
        place += 1
    axes.text(1.01, -1, 'most telling question, with the mean answers', **beside)
    axes.set_yticks(list(ticks), list(ticks.values()))
    axes.plot([], [], 'o', color=BASELINE, label='baseline')
    axes.plot([], [], 'D', color=MAKD, label='MaKD')
    axes.set(xlabel='mean probability that images of either class give to the other', xlim=(0, None), ylim=(place, -1))
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.grid(alpha=0.3, axis='x')
    figure.legend(*axes.get_legend_handles_labels(), loc='outside upper left', ncols=2)
    figure.suptitle(title, fontsize='medium')
    return figure
