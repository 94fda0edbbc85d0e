from makd.experiments.plots.curves import has_curves, plot_curves
from makd.experiments.plots.evidence import plot_evidence
from makd.experiments.plots.gains import plot_gains
from makd.experiments.plots.scores import plot_scores
from makd.experiments.plots.sweep import plot_sweep

__all__ = ['has_curves', 'plot_curves', 'plot_evidence', 'plot_gains', 'plot_scores', 'plot_sweep']
