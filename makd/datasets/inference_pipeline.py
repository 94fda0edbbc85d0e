"""A classifier's test pipeline, for images that are in no dataset."""

import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from mmpretrain.registry import TRANSFORMS

from makd import registry
from makd.config import first_pipeline
from makd.datasets.load_targets import LoadTargets
from makd.errors import ConfigError


def inference_transforms(cfg: Config) -> list[dict]:
    """Return the configs of a classifier's test transforms, without those that read answers or logits.

    Raises:
        ConfigError: The config has no test pipeline, or it does not begin with loading an image.
    """
    pipeline = [dict(t) for t in first_pipeline(cfg.get('test_dataloader')) if not _reads_targets(t['type'])]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        first = TRANSFORMS.get(pipeline[0]['type']) if pipeline else None
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
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        loader, *rest = [TRANSFORMS.build(transform) for transform in inference_transforms(cfg)]
    return loader, Compose(rest)


def inference_size(cfg: Config) -> tuple[int, int]:
    """Return H and W of a square image after the test pipeline."""
    _, pipeline = build_inference_pipeline(cfg)
    shape = (512, 512)
    height, width = pipeline(dict(img=np.zeros((*shape, 3), np.uint8), img_shape=shape, ori_shape=shape))[
        'inputs'
    ].shape[1:]
    return height, width


def _reads_targets(name: str) -> bool:
    cls = registry.find(name) if name.startswith('makd.') else None
    return cls is not None and issubclass(cls, LoadTargets)
