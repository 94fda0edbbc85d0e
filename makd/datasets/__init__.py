from makd.datasets.emoji import EmojiDataset

__all__ = ['EmojiDataset']
