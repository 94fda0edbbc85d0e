"""How much each kind of error costs some detectors."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure


def draw_errors(gains: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw a group of bars per kind of error, a bar per detector, and a dot per seed.

    Args:
        gains: Kind of error -> name of the detector -> by how much AP50 would be higher without it, in percent, for
            each seed.
    """
    names = list(next(iter(gains.values())))
    figure = Figure(figsize=(9, 4), layout='constrained')  # not pyplot: there may be no display
    axes = figure.add_subplot()
    places = np.arange(len(gains))
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        of_kind = [by_name[name] for by_name in gains.values()]
        left = places - 0.4 + (number + 0.5) * width
        axes.bar(left, [np.mean(values) for values in of_kind], width * 0.92, color=f'C{number}', label=name)
        for x, values in zip(left, of_kind):
            axes.plot([x] * len(values), values, '.', color='black', markersize=3)
    axes.set_xticks(places, gains)
    axes.set_ylabel('AP50 lost, %')
    axes.set_title('how much AP50 each kind of error costs (a dot is a seed)', fontsize='small', loc='left')
    axes.legend(fontsize='small', frameon=False)
    axes.spines[['top', 'right']].set_visible(False)
    return figure
