"""Prepare the datasets that makd has configs for, from their published sources."""

import importlib
from typing import Any

PREPARED = {  # module, or object in a module, with the function prepare(out, packages, shipped, log)
    'emoji': ('projects.emoji_data.build', None),
    'emoji_scenes': ('projects.emoji_data.scenes', None),
    'stanford_cars': ('dataset_converters.fine_grained', 'STANFORD_CARS'),
    'oxford_pets': ('dataset_converters.fine_grained', 'OXFORD_PETS'),
    'dtd': ('dataset_converters.fine_grained', 'DTD'),
    'flowers102': ('dataset_converters.fine_grained', 'FLOWERS102'),
    'cub200': ('dataset_converters.fine_grained', 'CUB200'),
    'fgvc_aircraft': ('dataset_converters.fine_grained', 'FGVC_AIRCRAFT'),
    'caltech101': ('dataset_converters.fine_grained', 'CALTECH101'),
    'mini_imagenet': ('dataset_converters.imagenet', 'MINI_IMAGENET'),
    'imagenet': ('dataset_converters.imagenet', 'IMAGENET'),
    'coco': ('dataset_converters.coco', 'COCO'),
}


def preparer(name: str) -> Any:
    """Return the module or object that prepares a dataset of ``PREPARED``."""
    module, attribute = PREPARED[name]
    loaded = importlib.import_module(module)
    return getattr(loaded, attribute) if attribute else loaded
