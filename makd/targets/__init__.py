"""The answers on disk: the interface between annotation and training."""

from makd.targets.aspect_targets import AspectTargets
from makd.targets.controls import RandomTargets, ShuffledTargets

__all__ = ['AspectTargets', 'RandomTargets', 'ShuffledTargets']
