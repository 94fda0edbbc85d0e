from makd.datasets.emoji import EmojiDataset
from makd.datasets.load_aspect_targets import LoadAspectTargets
from makd.datasets.load_image import LoadImageOnBackground
from makd.datasets.subset import SubsetDataset

__all__ = ['EmojiDataset', 'LoadAspectTargets', 'LoadImageOnBackground', 'SubsetDataset']
