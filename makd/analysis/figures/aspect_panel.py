"""Images with what annotator and student answer about them (paper Figure 6)."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill, shorten

import numpy as np
from matplotlib.figure import Figure
from mmengine.fileio import get
from PIL import Image

from makd.analysis.figures.colors import COLORS
from makd.errors import DataError


@dataclass(frozen=True)
class Subject:
    """An image and what is said of it.

    Attributes:
        path: Of the image.
        label: Its class.
        predicted: The student's class.
        confidence: The student's probability of that, in [0, 1].
        annotator: P(yes) of the K questions shown, (K,).
        student: The same of the student.
    """

    path: str
    label: str
    predicted: str
    confidence: float
    annotator: np.ndarray
    student: np.ndarray


def draw_aspect_panel(subjects: Sequence[Subject], questions: Sequence[str]) -> Figure:
    """Draw a column for each image: the picture, its class and the student's, and two dots a question.

    Raises:
        DataError: A file holds no image.
    """
    rows = len(questions)
    figure = Figure(figsize=(3.2 + 2.3 * len(subjects), 3.2 + 0.42 * rows), layout='constrained')
    grid = figure.subplots(2, len(subjects), squeeze=False, height_ratios=[2.2, 0.42 * rows + 0.3])
    places = np.arange(rows)
    for column, subject in enumerate(subjects):
        picture, dots = grid[:, column]
        picture.imshow(_on_white(subject.path))
        picture.axis('off')
        right = subject.predicted == subject.label
        verdict = f'{shorten(subject.predicted, 24, placeholder="…")} ({subject.confidence:.0%})'
        picture.set_title(shorten(subject.label, 26, placeholder='…'), fontsize='medium', fontweight='bold')
        picture.text(
            *(0.5, -0.04, f'{"✓" if right else "✗"} {verdict}'),
            color='C2' if right else 'C3',
            ha='center',
            va='top',
            transform=picture.transAxes,
        )

        dots.hlines(places, subject.annotator, subject.student, color='gray', linewidth=1.5, alpha=0.6)
        for who, answers, marker in (('teacher', subject.annotator, 'D'), ('student', subject.student, 'o')):
            dots.plot(answers, places, marker, color=COLORS[who], label=who, markersize=7)
        dots.axvline(0.5, color='black', linewidth=0.8, linestyle=':')
        dots.set_yticks(places, [fill(text, 40) for text in questions])
        dots.tick_params(axis='y', left=False, labelleft=not column)
        dots.set(xlabel='P(yes)', xlim=(-0.05, 1.05), ylim=(rows - 0.5, -0.5), xticks=[0, 0.5, 1])
        for place in places[1:]:
            dots.axhline(place - 0.5, color='lightgray', linewidth=0.5)
    figure.supxlabel("bold: the class; below the picture: the student's", fontsize='small')
    figure.legend(*grid[1, 0].get_legend_handles_labels(), loc='outside upper left', ncols=1)
    return figure


def _on_white(path: str) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(get(path))).convert('RGBA')
    except OSError as error:
        raise DataError(f'{path} holds no image ({error}): put a whole file in its place') from None
    return Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
