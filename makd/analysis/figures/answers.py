"""The answers of annotator and student side by side (paper Figures 4 to 6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill, shorten

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from mmengine.fileio import get
from PIL import Image

from makd.analysis.class_means import mean_correlation
from makd.analysis.figures.output import ANNOTATOR, COLORS, STUDENT
from makd.errors import DataError
from makd.images import decode, require_file

HEIGHT = 0.38  # of a bar; two of them fill a row
ALPHA = 0.75


@dataclass(frozen=True)
class ClassAnswers:
    """The mean answers to one question by class.

    Attributes:
        who: ``ANNOTATOR`` or ``STUDENT``.
        means: P(yes) of every class, (C,); NaN where there is no answer.
        band: First and ninth decile over the images of the K shown classes, (2, K).
    """

    who: str
    means: np.ndarray
    band: np.ndarray


@dataclass(frozen=True)
class QuestionPanel:
    """A column of the histogram.

    Attributes:
        text: The question.
        shown: The K classes with bars, from the top down.
        gap: Number of bars above the classes that are left out; None if none are.
        answers: The annotator's, and the student's if there is one.
    """

    text: str
    shown: Sequence[int]
    gap: int | None
    answers: Sequence[ClassAnswers]


def draw_aspect_histogram(panels: Sequence[QuestionPanel], classes: Sequence[str]) -> Figure:
    """Draw Figure 4: a column per question, with bars for some classes above a histogram of the means of all classes.

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


def _bars(axes: Axes, panel: QuestionPanel, classes: Sequence[str]) -> None:
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


def _histogram(axes: Axes, answers: Sequence[ClassAnswers]) -> None:
    for of_who in answers:
        means = of_who.means[~np.isnan(of_who.means)]
        axes.hist(means, bins=20, range=(0, 1), histtype='step', linewidth=1.8, color=COLORS[of_who.who])
    axes.set(xlabel='mean P(yes) of a class', xlim=(0, 1), yscale='log', ylim=(0.7, None))
    axes.grid(alpha=0.3)
    if len(answers) > 1:
        correlation = mean_correlation(answers[0].means, answers[1].means)
        axes.set_title(f'all classes: correlation of the means {correlation:.2f}', fontsize='medium')


def draw_aspect_tsne(
    embeddings: Sequence[tuple[str, np.ndarray]],
    colored: Sequence[tuple[str, np.ndarray, str]],
    title: str,
    classes: Sequence[str] | None = None,
) -> Figure:
    """Draw Figure 5: a row per embedding and a column per colouring.

    Args:
        embeddings: Name and places, (N, 2).
        colored: Title of the column, the values that colour the images, (N,), either P(yes) in [0, 1] or indices of
            ``classes``, and a note about the student under it.
        title: Title of the figure.
        classes: Names of the classes, if these colour the images.
    """
    columns = len(colored)
    figure = Figure(figsize=(1.0 + 3.4 * columns, 1.4 + 3.2 * len(embeddings)), layout='constrained')
    grid = figure.subplots(len(embeddings), columns, squeeze=False)
    style = dict(cmap='viridis', vmin=0, vmax=1)
    if classes is not None:
        style = dict(cmap=_palette(len(classes)), vmin=-0.5, vmax=len(classes) - 0.5)
    for row, (name, places) in enumerate(embeddings):
        for column, (text, values, note) in enumerate(colored):
            axes = grid[row, column]
            order = np.argsort(values, kind='stable') if classes is None else slice(None)  # the rarer yes above the no
            points = axes.scatter(*places[order].T, c=values[order], s=7, linewidth=0, rasterized=True, **style)
            axes.set(xticks=[], yticks=[])
            axes.set_title(note if row else fill(text, 34), fontsize='medium')
            if not column:
                axes.set_ylabel(name, fontsize='large')
    bar = figure.colorbar(points, ax=grid, fraction=0.025)
    if classes is None:
        bar.set_label(f"{ANNOTATOR}'s P(yes)")
    else:
        bar.set_ticks(range(len(classes)), labels=classes)
    figure.suptitle(title, fontsize='medium')
    return figure


def _palette(number: int) -> ListedColormap:
    return ListedColormap(colormaps['tab10' if number <= 10 else 'tab20'](np.arange(number)))


@dataclass(frozen=True)
class Subject:
    """An image with its predicted class and the answers about it.

    Attributes:
        path: File or URL of the image.
        label: Its class.
        predicted: The class that the student predicts.
        confidence: The student's probability of that class, in [0, 1].
        annotator: The annotator's P(yes) of the K questions shown, (K,).
        student: The student's, (K,).
    """

    path: str
    label: str
    predicted: str
    confidence: float
    annotator: np.ndarray
    student: np.ndarray


def draw_aspect_panel(subjects: Sequence[Subject], questions: Sequence[str]) -> Figure:
    """Draw Figure 6: a column per image, with its class, the student's class, and two dots per question.

    Raises:
        DataError: A file holds no image.
    """
    rows = len(questions)
    figure = Figure(figsize=(3.2 + 2.3 * len(subjects), 3.2 + 0.42 * rows), layout='constrained')
    grid = figure.subplots(2, len(subjects), squeeze=False, height_ratios=[2.2, 0.42 * rows + 0.3])
    places = np.arange(rows)
    for column, subject in enumerate(subjects):
        image_axes, dots = grid[:, column]
        image_axes.imshow(_on_white(subject.path))
        image_axes.axis('off')
        right = subject.predicted == subject.label
        verdict = f'{shorten(subject.predicted, 24, placeholder="…")} ({subject.confidence:.0%})'
        image_axes.set_title(shorten(subject.label, 26, placeholder='…'), fontsize='medium', fontweight='bold')
        image_axes.text(
            *(0.5, -0.04, f'{"✓" if right else "✗"} {verdict}'),
            color='C2' if right else 'C3',
            ha='center',
            va='top',
            transform=image_axes.transAxes,
        )

        dots.hlines(places, subject.annotator, subject.student, color='gray', linewidth=1.5, alpha=0.6)
        for who, answers, marker in ((ANNOTATOR, subject.annotator, 'D'), (STUDENT, subject.student, 'o')):
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
        require_file(path)
        return decode(get(path), (255, 255, 255))
    except Exception as error:  # a decoder may raise anything for a damaged file
        raise DataError(f'{path} holds no image ({error}): replace it by an intact file.') from None
