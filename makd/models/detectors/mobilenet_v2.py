"""MobileNet-V2 as the backbone of a detector."""

from typing import Any

from mmdet.models.backbones import MobileNetV2

from makd.registry import MODELS


@MODELS.register_module()
class MobileNetV2Stages(MobileNetV2):
    """mmdet's ``MobileNetV2`` up to its last stage with 320 channels (index 6), as in mdistiller's detectors.

    mmdet's class always computes the convolution after it (index 7). Its parameters would never have a gradient, and
    distributed training would wait for them.

    Args:
        **kwargs: Arguments of ``MobileNetV2``.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        del self.conv2
        self.layers.remove('conv2')
