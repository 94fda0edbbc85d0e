"""The test pipeline, for images that are in no dataset."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS

from makd import registry
from makd.config import first_pipeline
from makd.datasets.load_targets import LoadTargets
from makd.errors import ConfigError


def inference_transforms(cfg: Config) -> list[dict]:
    """Return the configs of the test transforms, without those that read answers or logits.

    Raises:
        ConfigError: The config has no test pipeline, or it does not begin with loading an image.
    """
    pipeline = list(_without_targets(first_pipeline(cfg.get('test_dataloader'))))
    with TRANSFORMS.switch_scope_and_registry(_scope(cfg)) as transforms:
        first = transforms.get(pipeline[0]['type']) if pipeline else None
    if first is None or not issubclass(first, LoadImageFromFile):
        raise ConfigError(
            'test_dataloader.dataset.pipeline, which says how images are loaded and resized for this model, must exist '
            "and begin with dict(type='LoadImageFromFile') or a loader derived from it, such as makd.LoadImage."
        )
    return pipeline


def build_inference_pipeline(cfg: Config) -> tuple[LoadImageFromFile, Compose]:
    """Build the transforms of ``inference_transforms``.

    Returns:
        The transform that loads ``img_path``, and the rest, which takes ``img``, uint8 (H, W, 3) in BGR.
    """
    with TRANSFORMS.switch_scope_and_registry(_scope(cfg)) as transforms:
        loader, *rest = [transforms.build(transform) for transform in inference_transforms(cfg)]
    return loader, Compose(rest)


def inference_size(cfg: Config) -> tuple[int, int]:
    """Return H and W of a square image after a classifier's test pipeline."""
    _, pipeline = build_inference_pipeline(cfg)
    shape = (512, 512)
    height, width = pipeline(dict(img=np.zeros((*shape, 3), np.uint8), img_shape=shape, ori_shape=shape))[
        'inputs'
    ].shape[1:]
    return height, width


def _scope(cfg: Config) -> str:
    return cfg.get('default_scope') or 'mmpretrain'


def _without_targets(pipeline: Iterable[Mapping]) -> Iterator[dict]:
    for transform in pipeline:
        name = transform['type']
        cls = registry.find(name) if name.startswith('makd.') else None
        if cls is not None and issubclass(cls, LoadTargets):
            yield from _without_targets(transform.get('transforms', ()))  # those that makd.LoadRegionAspects contains
        else:
            yield dict(transform)
