"""Logit distillation between detectors, region by region."""

from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import FasterRCNN
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from torch import Tensor

from makd.errors import ConfigError
from makd.models.detectors.makd_detector import MaKDFasterRCNN
from makd.models.distill_mixin import DistillMixin
from makd.models.frozen_teacher import FrozenDetector
from makd.registry import MODELS


class Regions(NamedTuple):
    """The regions of interest that a student sampled in a batch.

    Attributes:
        rois: Index of the image and corners in pixels of the input, (R, 5).
        logits: The student's logits of C classes and background, (R, C + 1).
        labels: Class of the object in the region, C where there is none, (R,) int64.
    """

    rois: Tensor
    logits: Tensor
    labels: Tensor


class DistillRoIHeadMixin:
    """Lets a distiller know what the classification branch of a RoI head says about the regions that it samples.

    It goes in front of mmdet's ``StandardRoIHead`` and those of its subclasses that keep its ``bbox_loss``.
    """

    _regions: Regions | None = None

    def bbox_loss(self, x: tuple[Tensor, ...], sampling_results: list[SamplingResult]) -> dict[str, Any]:
        """Compute the parent's losses, and remember the regions until they are taken.

        Args:
            x (tuple[Tensor]): Feature maps of the neck, (N, C, H_i, W_i) each.
            sampling_results (list[SamplingResult]): The regions of each of N images.

        Returns:
            dict: The parent's results, with ``loss_bbox`` and ``cls_score`` (R, C + 1).
        """
        results = super().bbox_loss(x, sampling_results)  # type: ignore[misc]
        background = self.bbox_head.num_classes  # type: ignore[attr-defined]
        labels = [
            torch.cat([result.pos_gt_labels, result.pos_gt_labels.new_full((len(result.neg_priors),), background)])
            for result in sampling_results
        ]
        rois = bbox2roi([result.priors for result in sampling_results])
        self._regions = Regions(rois, results['cls_score'], torch.cat(labels))
        return results

    def take_regions(self) -> Regions:
        """Return the regions of the last loss, and forget them, for they hold its graph."""
        regions, self._regions = self._regions, None
        assert regions is not None, 'no loss has been computed'
        return regions


@MODELS.register_module()
class DistillRoIHead(DistillRoIHeadMixin, StandardRoIHead):
    """mmdet's ``StandardRoIHead``, that of Faster R-CNN, for a student of ``DistillFasterRCNN``."""


class DistillDetectorMixin(DistillMixin):
    r"""Makes a student of a two-stage mmdet detector: it also learns a teacher's logits of its regions of interest.

    .. math::
        L = L_{detector} + w_{epoch} \cdot L_{distill}(z_r, v_r, y_r), \qquad r \in \text{sampled regions}

    mdistiller's set-up for detection, which the paper follows: z are the student's logits of the regions that it
    samples for its own loss, v those that the teacher's head gives to the same regions of the teacher's feature maps,
    y the class of the object that a region was assigned to; all over C classes and background. In front of a MaKD
    detector, as in ``DistillMaKDFasterRCNN``, it is MaKD + KD or MaKD + DKD.

    Args:
        **kwargs: Those of :class:`~makd.models.distill_mixin.DistillMixin`, and the parent's. ``roi_head.type`` has to
            be ``makd.DistillRoIHead``, or another head with ``DistillRoIHeadMixin``.

    Raises:
        ConfigError: If the RoI head is another one; when training starts, if the teacher cannot be built or loaded, or
            has other classes.
    """

    frozen = FrozenDetector
    roi_head: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(self.roi_head, DistillRoIHeadMixin):
            raise ConfigError(
                f'model.roi_head is a {type(self.roi_head).__name__}, which keeps its regions to itself: set '
                "model.roi_head.type='makd.DistillRoIHead'."
            )
        if self._build_teacher is None:
            raise ConfigError('model.teacher=None: the logits of regions cannot be stored; name a detector.')

    @property
    def num_student_classes(self) -> int:
        """C, without background."""
        return self.roi_head.bbox_head.num_classes

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict[str, Tensor]:
        """Return the parent's losses and ``loss_kd``.

        Args:
            batch_inputs (Tensor): Preprocessed images, (N, 3, H, W).
            batch_data_samples (list[DetDataSample]): Their annotations.
        """
        losses = super().loss(batch_inputs, batch_data_samples)  # type: ignore[misc]
        rois, logits, labels = self.roi_head.take_regions()
        if len(rois):
            taught = self.require_teacher().region_logits(batch_inputs, rois, batch_data_samples)
            loss_kd = self.distill_loss(logits, taught, label=labels)
        else:
            loss_kd = logits.sum()  # zero, with a gradient
        return {**losses, 'loss_kd': self.distill_weight * loss_kd}


@MODELS.register_module()
class DistillFasterRCNN(DistillDetectorMixin, FasterRCNN):
    """mmdet's ``FasterRCNN``, learning from another one's logits."""


@MODELS.register_module()
class DistillMaKDFasterRCNN(DistillDetectorMixin, MaKDFasterRCNN):
    """``MaKDFasterRCNN``, learning from another detector's logits as well."""
