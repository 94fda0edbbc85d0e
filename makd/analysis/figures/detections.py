"""Detected objects with the aspects that explain their classes."""

from collections.abc import Mapping, Sequence
from textwrap import fill, shorten
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

HEIGHT = 6.0  # of the image, inches
LINE = 0.2  # inches
WIDTH = 76  # characters of a line


def draw_detections(image: np.ndarray, detections: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the image with its boxes on the left, and each box's aspects, in its colour, on the right.

    Args:
        image: uint8 (H, W, 3) in RGB.
        detections: Each with ``class``, ``score``, ``box`` and ``aspects``, as ``RegionInferencer`` returns them.
    """
    texts = [_reasons(detection['aspects']) for detection in detections]
    lines = sum(text.count('\n') + 3 for text in texts)
    figure = Figure(figsize=(13, max(HEIGHT, LINE * (lines + 1))), layout='constrained')  # not pyplot: maybe no display
    image_axes, text_axes = figure.subplots(1, 2, width_ratios=[5, 4])
    image_axes.imshow(image)
    image_axes.set_anchor('N')
    for axes in (image_axes, text_axes):
        axes.axis('off')
    text_axes.set(xlim=(0, 1), ylim=(figure.get_figheight() / LINE, 0))
    text_axes.text(0, 0.5, _heading(detections), fontsize='small', style='italic', va='center')
    line = 2.0
    for number, (detection, text) in enumerate(zip(detections, texts)):
        color = colormaps['tab10'](number % 10)
        title = f'{number + 1} {shorten(detection["class"], 26, placeholder="…")} {detection["score"]:.2f}'
        x1, y1, x2, y2 = detection['box']
        image_axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=color, linewidth=2))
        label = dict(facecolor=color, edgecolor='none', pad=1.5)
        image_axes.text(x1, y1, title, color='white', fontsize='small', va='bottom', bbox=label, parse_math=False)
        text_axes.text(0, line, title, color=color, fontweight='bold', va='center', parse_math=False)
        text_axes.text(0.03, line + 0.7, text, fontsize='small', va='top', linespacing=1.25, parse_math=False)
        line += text.count('\n') + 3
    return figure


def _heading(detections: Sequence[Mapping[str, Any]]) -> str:
    if not detections:
        return 'no box'
    known = detections[0]['aspects'][0]['evidence'] is not None
    return f'P(yes), {"what speaks most for the class" if known else "the most certain"} first'


def _reasons(aspects: Sequence[Mapping[str, Any]]) -> str:
    """Return a line or more for each aspect: P(yes), the question, and the average if it is known."""
    return '\n'.join(
        fill(
            f'{aspect["probability"]:.0%} {aspect["question"]}'
            + ('' if aspect['average'] is None else f' (average\N{NO-BREAK SPACE}{aspect["average"]:.0%})'),
            WIDTH,
            subsequent_indent='    ',
        )
        for aspect in aspects
    )
