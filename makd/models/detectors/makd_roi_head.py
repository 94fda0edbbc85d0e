"""RoI heads that pass the answers about the objects on to their region heads."""

from typing import Any

from mmdet.models.roi_heads import CascadeRoIHead, StandardRoIHead
from mmdet.structures import DetDataSample
from torch import Tensor, nn

from makd.models.detectors.makd_bbox_head import FIELD, MaKDBBoxHeadMixin
from makd.models.heads.gt_aspects import region_aspects
from makd.registry import MODELS


class MaKDRoIHeadMixin:
    """Let the region heads of a RoI head learn answers about regions, where they have ``MaKDBBoxHeadMixin``.

    The mixin goes in front of any RoI head of mmdet. With plain region heads it does nothing.

    Raises:
        ConfigError: In training: a sample has no answers about its objects, or not as many as the head.
    """

    bbox_head: Any

    @property
    def aspect_heads(self) -> list[MaKDBBoxHeadMixin]:
        """The region heads that answer questions: one, or one per stage of a cascade."""
        heads = self.bbox_head if isinstance(self.bbox_head, nn.ModuleList) else [self.bbox_head]
        return [head for head in heads if isinstance(head, MaKDBBoxHeadMixin)]

    def loss(self, x: tuple[Tensor, ...], rpn_results_list: list, batch_data_samples: list[DetDataSample]) -> dict:
        """Return the parent's losses, with ``loss_makd_roi``.

        Args:
            x: Feature maps of the neck, (N, C, H_i, W_i) each.
            rpn_results_list: Proposals of each image.
            batch_data_samples: N annotations, with ``gt_instances.aspects`` (G, Q).
        """
        for head in self.aspect_heads:
            head.expect([region_aspects(head, sample.gt_instances, FIELD) for sample in batch_data_samples])
        return super().loss(x, rpn_results_list, batch_data_samples)  # type: ignore[misc]

    def predict_bbox(self, x: Any, batch_img_metas: Any, rpn_results_list: Any, *args: Any, **kwargs: Any) -> list:
        """Return the parent's detections, each with ``aspects`` (Q,), also if there are none."""
        found = super().predict_bbox(x, batch_img_metas, rpn_results_list, *args, **kwargs)  # type: ignore[misc]
        for head in self.aspect_heads[-1:]:
            for instances in found:
                if 'aspects' not in instances:  # there was no proposal
                    instances.aspects = instances.bboxes.new_zeros((0, head.num_aspects))
        return found


@MODELS.register_module()
class MaKDRoIHead(MaKDRoIHeadMixin, StandardRoIHead):
    """mmdet's ``StandardRoIHead``, for a MaKD region head: Faster and Mask R-CNN."""


@MODELS.register_module()
class MaKDCascadeRoIHead(MaKDRoIHeadMixin, CascadeRoIHead):
    """mmdet's ``CascadeRoIHead``, for MaKD region heads: Cascade R-CNN."""
