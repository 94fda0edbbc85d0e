"""Read checkpoints without running code from them, and load weights only where they belong."""

from makd.checkpoints.fit import Fit, load_matching_weights, load_weights
from makd.checkpoints.read import read_checkpoint

__all__ = ['Fit', 'load_matching_weights', 'load_weights', 'read_checkpoint']
