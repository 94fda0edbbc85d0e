"""Where annotator and student put the same images by their aspect logits (paper Figure 5)."""

from collections.abc import Sequence
from textwrap import fill

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure


def draw_aspect_tsne(
    embeddings: Sequence[tuple[str, np.ndarray]],
    colored: Sequence[tuple[str, np.ndarray, str]],
    title: str,
    classes: Sequence[str] | None = None,
) -> Figure:
    """Draw a row for each embedding and a column for each colouring.

    Args:
        embeddings: Name and places, (N, 2).
        colored: Title of the column, what colours the images, (N,), and what to say of the student under it. P(yes)
            in [0, 1], or an index of ``classes``.
        title: Over all.
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
            if not row:
                axes.set_title(fill(text, 34), fontsize='medium')
            else:
                axes.set_title(note, fontsize='medium')
            if not column:
                axes.set_ylabel(name, fontsize='large')
    bar = figure.colorbar(points, ax=grid, fraction=0.025)
    if classes is None:
        bar.set_label("annotator's P(yes)")
    else:
        bar.set_ticks(range(len(classes)), labels=classes)
    figure.suptitle(title, fontsize='medium')
    return figure


def _palette(number: int) -> ListedColormap:
    return ListedColormap(colormaps['tab10' if number <= 10 else 'tab20'](np.arange(number)))
