from makd.visualization.curves import has_curves, plot_curves
from makd.visualization.evidence import plot_evidence
from makd.visualization.gains import plot_gains
from makd.visualization.scores import plot_scores
from makd.visualization.sweep import plot_sweep

__all__ = ['has_curves', 'plot_curves', 'plot_evidence', 'plot_gains', 'plot_scores', 'plot_sweep']
