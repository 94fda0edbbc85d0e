"""Transforms in transforms: RandomApply, TransformBroadcaster, makd.LoadRegionAspects and others contain some."""

from collections.abc import Iterator
from typing import Any


def walk_transforms(pipeline: Any) -> Iterator[Any]:
    """Yield the transforms of a pipeline, and those inside them.

    Args:
        pipeline: A list of transforms, or what holds one as ``transforms``; None for no pipeline.
    """
    for transform in getattr(pipeline, 'transforms', pipeline) or ():
        if isinstance(transform, list | tuple):
            yield from walk_transforms(transform)
        else:
            yield transform
            yield from walk_transforms(getattr(transform, 'transforms', None))
