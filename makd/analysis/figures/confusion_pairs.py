"""Pairs of classes that one classifier confuses more than another, with the questions that tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

BASELINE, MAKD = 'C7', 'C1'


@dataclass(frozen=True)
class Pair:
    """Two classes.

    Attributes:
        names: Of both.
        baseline: The baseline's soft confusion of them, in [0, 1].
        makd: MaKD's.
        questions: What tells them apart, with the answers: 'text yes/no'.
    """

    names: tuple[str, str]
    baseline: float
    makd: float
    questions: Sequence[str]


def draw_confusion_pairs(blocks: Sequence[tuple[str, str, Sequence[Pair]]], title: str) -> Figure:
    """Draw a row for each pair: the confusion of both models, joined by a line, and the most telling question.

    Args:
        blocks: Heading, what to say beside it, and pairs, from the top down.
        title: Over all.
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
