"""Detectors that also answer questions about the whole image."""

from typing import Any

from mmdet.models.detectors import DETR, FasterRCNN, RetinaNet
from mmdet.structures import DetDataSample
from torch import Tensor

from makd.registry import MODELS


class MaKDDetectorMixin:
    r"""Turn an mmdet detector into a MaKD detector by an aspect branch (paper section 4.4, Table 6).

    .. math::
        L = L_{detector} + L_{MaKD}

    This works with every detector whose ``loss`` and ``predict`` use the images only for ``extract_feat``, as mmdet's
    base classes do: two-stage, single-stage, DETR-like. The backbone runs once; its stages go to the neck and to the
    branch. The parent's parameters keep their names, so a checkpoint of the plain detector loads as it is, and the
    branch adds ``aspect_head.*``. A new MaKD detector is::

        @MODELS.register_module()
        class MyMaKDDetector(MaKDDetectorMixin, MyDetector):
            pass

    Args:
        aspect_head: Config of the branch, ``dict(type='makd.AspectHead', num_aspects=Q, in_channels=...)``.
        **kwargs: The parent's arguments.

    Raises:
        ConfigError: In training: a sample has no aspect targets, or not as many as the branch.
    """

    def __init__(self, *, aspect_head: dict, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.aspect_head = MODELS.build(aspect_head)

    def extract_feat(self, batch_inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the neck's feature maps of images (N, 3, H, W). Feature maps are returned as they are."""
        return batch_inputs if isinstance(batch_inputs, tuple) else self._features(batch_inputs)['neck']

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict[str, Tensor]:
        """Return the parent's losses and ``loss_makd``.

        Args:
            batch_inputs: Preprocessed images, (N, 3, H, W).
            batch_data_samples: Their annotations, with ``gt_aspects`` (Q,).
        """
        features = self._features(batch_inputs)
        losses = super().loss(features['neck'], batch_data_samples)  # type: ignore[misc]
        return {**losses, **self.aspect_head.loss(features[self.aspect_head.source], batch_data_samples)}

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[DetDataSample]:
        """Add ``pred_aspects``, P(yes) of each question in [0, 1], (Q,), to the parent's predictions."""
        features = self._features(batch_inputs)
        predictions = super().predict(features['neck'], batch_data_samples, rescale)  # type: ignore[misc]
        self.aspect_head.predict(features[self.aspect_head.source], predictions)
        return predictions

    def _features(self, batch_inputs: Tensor) -> dict[str, tuple[Tensor, ...]]:
        """Return the feature maps of the backbone and of the neck, which are the same without a neck."""
        stages = tuple(self.backbone(batch_inputs))  # type: ignore[attr-defined]
        return {'backbone': stages, 'neck': tuple(self.neck(stages)) if self.with_neck else stages}  # type: ignore[attr-defined]


@MODELS.register_module()
class MaKDFasterRCNN(MaKDDetectorMixin, FasterRCNN):
    """mmdet's ``FasterRCNN``, the paper's detector, with an aspect branch."""


@MODELS.register_module()
class MaKDRetinaNet(MaKDDetectorMixin, RetinaNet):
    """mmdet's ``RetinaNet`` with an aspect branch."""


@MODELS.register_module()
class MaKDDETR(MaKDDetectorMixin, DETR):
    """mmdet's ``DETR`` with an aspect branch."""
