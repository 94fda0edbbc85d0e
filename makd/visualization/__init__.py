from makd.visualization.curves import has_curves, plot_curves
from makd.visualization.scores import plot_scores

__all__ = ['has_curves', 'plot_curves', 'plot_scores']
