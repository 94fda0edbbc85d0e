"""Builds the data sets that ship with makd, or that makd knows, from their published sources."""

PREPARED = ('emoji', 'emoji_scenes', 'coco')  # a module each, with prepare()
