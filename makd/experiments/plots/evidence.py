"""What questions tell about the class, one after the other."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def plot_evidence(bits: Mapping[str, Sequence[float]], top: int, path: Path) -> None:
    """Draw the bits about the class over the number of questions, a line for each order of them.

    Args:
        bits: Name of the order -> bits that its first question, its first two, ... tell.
        top: How many are taken, marked by a vertical line.
        path: The picture to write; its suffix gives the format.
    """
    figure = Figure(figsize=(7, 4.5), layout='constrained')  # not pyplot: there may be no display
    axes = figure.subplots()
    for name, values in bits.items():
        axes.plot(range(len(values) + 1), [0.0, *values], marker='.', label=name)
    axes.axvline(top, color='black', linestyle='--', linewidth=0.8, label=f'taken: {top}')
    axes.set(xlabel='questions', ylabel='bits about the class, on images not counted', xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=150)
