"""An image with the classes that a student sees in it and the aspects that speak for the first."""

from collections.abc import Mapping, Sequence
from textwrap import fill, shorten
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from makd.analysis.figures.colors import COLORS

PROBABILITY = (0, 1.15)  # with room for a text


def draw_prediction(
    image: np.ndarray, classes: Sequence[tuple[str, float]], aspects: Sequence[Mapping[str, Any]]
) -> Figure:
    """Draw the image on the left, a bar for each class and each aspect on the right.

    Args:
        image: uint8 (H, W, 3) in RGB.
        classes: Names and probabilities, the predicted one first.
        aspects: At least one, each with ``question``, ``probability``, ``average`` and ``evidence``, as
            ``AspectInferencer`` returns them.
    """
    rows = len(classes) + len(aspects)
    figure = Figure(figsize=(10, 1.6 + 0.42 * rows), layout='constrained')  # not pyplot: there may be no display
    grid = figure.add_gridspec(2, 2, width_ratios=[2, 4], height_ratios=[len(classes) + 1, len(aspects) + 1])
    picture = figure.add_subplot(grid[:, 0])
    picture.imshow(image)
    picture.axis('off')
    picture.set_title(shorten(classes[0][0], 26, placeholder='…'), fontweight='bold')

    names = [shorten(name, 40, placeholder='…') for name, _ in classes]
    scores = [score for _, score in classes]
    axes = figure.add_subplot(grid[0, 1])
    _bars(axes, names, scores, [f'{score:.1%}' for score in scores], 'C2', 'probability')
    axes.set(xlim=PROBABILITY)

    known = aspects[0]['evidence'] is not None
    answers = [f'{one["probability"]:.0%}' + (f', average {one["average"]:.0%}' if known else '') for one in aspects]
    questions = [fill(one['question'], 48) for one in aspects]
    values = [one['evidence' if known else 'probability'] for one in aspects]
    title = f'bits that speak for {names[0]}; at the bars P(yes)' if known else 'P(yes), the most certain first'
    axes = figure.add_subplot(grid[1, 1])
    _bars(axes, questions, values, answers, COLORS['student'], title)
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
