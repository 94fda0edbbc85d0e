"""Builds the data sets that ship with makd, or that makd knows, from their published sources."""

import importlib
from typing import Any

PREPARED = {  # the module here, and the object in it, that has prepare(out, packages, shipped, log)
    'emoji': 'emoji',
    'emoji_scenes': 'emoji_scenes',
    'stanford_cars': 'fine_grained.STANFORD_CARS',
    'oxford_pets': 'fine_grained.OXFORD_PETS',
    'dtd': 'fine_grained.DTD',
    'flowers102': 'fine_grained.FLOWERS102',
    'cub200': 'fine_grained.CUB200',
    'fgvc_aircraft': 'fine_grained.FGVC_AIRCRAFT',
    'caltech101': 'fine_grained.CALTECH101',
    'mini_imagenet': 'imagenet.MINI_IMAGENET',
    'imagenet': 'imagenet.IMAGENET',
    'coco': 'coco.COCO',
}


def preparer(name: str) -> Any:
    """Return what prepares the data set of a name in ``PREPARED``."""
    module, _, attribute = PREPARED[name].partition('.')
    loaded = importlib.import_module(f'{__name__}.{module}')
    return getattr(loaded, attribute) if attribute else loaded
