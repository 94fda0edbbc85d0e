"""Transforms in transforms: RandomApply, TransformBroadcaster, makd.LoadRegionAspects and others contain some."""

from collections.abc import Iterator
from typing import Any

from makd.errors import ConfigError


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


def refuse_mixing(pipeline: Any, place: str) -> None:
    """Raise a ConfigError if a transform composes an image of several, since no answer is about the composition.

    Args:
        pipeline: See :func:`walk_transforms`.
        place: Where it stands, for the message.
    """
    for transform in walk_transforms(pipeline):
        # mmdet's transforms that need further images (Mosaic, MixUp, CopyPaste, ...) have one of these methods.
        if any(hasattr(transform, name) for name in ('get_indexes', 'get_indices')):
            raise ConfigError(
                f'{type(transform).__name__} in {place} composes an image of several, and the answers about one of '
                'them do not hold for it. Remove the transform, or train without aspects.'
            )
