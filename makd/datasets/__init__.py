from makd.datasets.emoji import EmojiDataset
from makd.datasets.load_aspect_targets import LoadAspectTargets
from makd.datasets.subset import SubsetDataset

__all__ = ['EmojiDataset', 'LoadAspectTargets', 'SubsetDataset']
