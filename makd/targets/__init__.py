"""Step 3, the answers on disk: the interface between the teacher that annotates and the student that learns."""

from makd.targets.ablation import RandomTargets, ShuffledTargets
from makd.targets.aspect_targets import AspectTargets
from makd.targets.class_evidence import ClassEvidence

__all__ = ['AspectTargets', 'ClassEvidence', 'RandomTargets', 'ShuffledTargets']
