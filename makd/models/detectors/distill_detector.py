"""Logit distillation between detectors, region by region."""

from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import FasterRCNN
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from torch import Tensor

from makd.errors import ConfigError
from makd.models.detectors.makd_detector import MaKDFasterRCNN
from makd.models.detectors.makd_roi_head import MaKDRoIHead
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
    """Let a distiller read the class logits of the regions that a RoI head samples.

    The mixin goes in front of mmdet's ``StandardRoIHead``, or a subclass that keeps its ``bbox_loss``.
    """

    _regions: Regions | None = None

    def bbox_loss(self, x: tuple[Tensor, ...], sampling_results: list[SamplingResult]) -> dict[str, Any]:
        """Compute the parent's losses, and keep the regions until they are taken.

        Args:
            x: Feature maps of the neck, (N, C, H_i, W_i) each.
            sampling_results: The regions of each image, N in all.

        Returns:
            The parent's results, with ``loss_bbox`` and ``cls_score`` (R, C + 1).
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
        """Return the regions of the last loss, and drop them, since they hold its graph."""
        regions, self._regions = self._regions, None
        assert regions is not None, 'no loss has been computed'
        return regions


@MODELS.register_module()
class DistillRoIHead(DistillRoIHeadMixin, MaKDRoIHead):
    """mmdet's ``StandardRoIHead``, as in Faster R-CNN, for a student of ``DistillFasterRCNN``; it may have aspects."""


class DistillDetectorMixin(DistillMixin):
    r"""Turn a two-stage mmdet detector into a student that learns a teacher's logits of its regions of interest.

    .. math::
        L = L_{detector} + w_{epoch} \cdot L_{distill}(z_r, v_r, y_r), \qquad r \in \text{sampled regions}

    This is mdistiller's set-up for detection, which the paper follows: z are the student's logits of the regions that
    it samples for its own loss, v the logits of the teacher's head for the same regions of the teacher's feature maps,
    and y the class of the object to which a region was assigned; all over C classes and background. With a MaKD
    detector, as in ``DistillMaKDFasterRCNN``, this is MaKD + KD or MaKD + DKD.

    Args:
        **kwargs: Arguments of :class:`~makd.models.distill_mixin.DistillMixin` and of the parent. ``roi_head.type``
            must be ``makd.DistillRoIHead``, or another head with ``DistillRoIHeadMixin``.

    Raises:
        ConfigError: The RoI head is another one. When training starts: the teacher cannot be built or loaded, or has
            another number of classes.
    """

    frozen = FrozenDetector
    roi_head: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(self.roi_head, DistillRoIHeadMixin):
            raise ConfigError(
                f'model.roi_head is a {type(self.roi_head).__name__}, which does not pass its regions on: set '
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
            batch_inputs: Preprocessed images, (N, 3, H, W).
            batch_data_samples: Their annotations.
        """
        losses = super().loss(batch_inputs, batch_data_samples)  # type: ignore[misc]
        rois, logits, labels = self.roi_head.take_regions()
        if len(rois):
            teacher_logits = self.require_teacher().region_logits(batch_inputs, rois, batch_data_samples)
            loss_kd = self.distill_loss(logits, teacher_logits, label=labels)
        else:
            loss_kd = logits.sum()  # zero, with a gradient
        return {**losses, 'loss_kd': self.distill_weight * loss_kd}


@MODELS.register_module()
class DistillFasterRCNN(DistillDetectorMixin, FasterRCNN):
    """mmdet's ``FasterRCNN``, learning from another detector's logits."""


@MODELS.register_module()
class DistillMaKDFasterRCNN(DistillDetectorMixin, MaKDFasterRCNN):
    """``MaKDFasterRCNN``, learning from another detector's logits as well."""
