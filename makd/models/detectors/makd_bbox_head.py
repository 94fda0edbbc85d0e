"""Widened region heads: C + 1 class logits, then Q aspect logits, from one last layer."""

from collections.abc import Sequence
from typing import Any

import torch
from mmdet.models.layers import multiclass_nms
from mmdet.models.roi_heads.bbox_heads import BBoxHead, Shared2FCBBoxHead, Shared4Conv1FCBBoxHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmengine.structures import InstanceData
from torch import Tensor, nn

from makd.errors import ConfigError
from makd.models.heads.gt_aspects import check_num_aspects, check_num_classes
from makd.ranges import Count
from makd.registry import MODELS
from makd.targets.region_key import REGIONS

FIELD = 'model.roi_head.bbox_head.num_aspects'


class MaKDBBoxHeadMixin:
    r"""Turn a region head of mmdet into a MaKD head (paper section 3.3, Eq. 2, applied to regions).

    .. math::
        L = L_{cls} + L_{bbox}
            + \alpha \cdot \frac{1}{|A|} \sum_{(r, q) \in A} \operatorname{BCE}(\sigma(z_{rq}), p_{g(r)q})

    where r runs over the regions that are assigned to an object g(r), and p are the annotator's answers about the
    object. A region without an object, and a question without an answer, is in neither sum nor mean.

    This works with every head that derives from mmdet's ``BBoxHead`` and whose classifier ``fc_cls`` is a linear layer.
    The parent's parameters keep their names; ``fc_cls`` has C + 1 + Q outputs, of which the first C + 1 are the plain
    head. ``num_classes`` stays C, and ``forward`` returns the class logits only, so RoI heads, distillers and losses
    see a plain head. The RoI head passes the answers on, see ``MaKDRoIHeadMixin``. A new MaKD head is::

        @MODELS.register_module()
        class MyMaKDBBoxHead(MaKDBBoxHeadMixin, MyBBoxHead):
            pass

    Args:
        num_aspects: Q, the number of yes/no questions about a region.
        aspect_loss: Config of the loss on the aspect logits. Defaults to ``dict(type='makd.MaKDLoss')``.
        **kwargs: The parent head's arguments.

    Raises:
        ConfigError: ``num_classes`` or ``num_aspects`` is not a positive integer, or ``fc_cls`` is no linear layer. In
            training: the RoI head passes no answers on, a sample has none, or not as many as the head.
    """

    fc_cls: Any
    about = REGIONS

    def __init__(self, *, num_aspects: Count, aspect_loss: dict | None = None, **kwargs: Any) -> None:
        check_num_classes(self, kwargs.get('num_classes', 80), 'model.roi_head.bbox_head.num_classes')
        check_num_aspects(self, num_aspects, FIELD)
        super().__init__(**kwargs)
        if type(self.fc_cls) is not nn.Linear:
            raise ConfigError(
                f'{type(self).__name__}: the classifier fc_cls is a {type(self.fc_cls).__name__}. Only a linear layer '
                "can be widened: set model.roi_head.bbox_head.cls_predictor_cfg=dict(type='Linear')."
            )
        self.num_class_logits = self.fc_cls.out_features
        self.fc_cls = nn.Linear(self.fc_cls.in_features, self.num_class_logits + num_aspects)
        self.num_aspects = num_aspects
        self.aspect_loss = MODELS.build(aspect_loss or dict(type='makd.MaKDLoss'))
        self._gt_aspects: Sequence[Tensor] | None = None
        self._aspect_logits: Tensor | None = None

    def forward(self, *features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the parent's class logits (R, C + 1) and box deltas of R regions; the aspect logits are kept."""
        logits, deltas = super().forward(*features)  # type: ignore[misc]
        class_logits, self._aspect_logits = logits.split([self.num_class_logits, self.num_aspects], dim=1)
        return class_logits, deltas

    def take_aspect_logits(self) -> Tensor:
        """Return the aspect logits (R, Q) of the last ``forward``, and drop them, since they hold its graph."""
        logits, self._aspect_logits = self._aspect_logits, None
        assert logits is not None, 'forward has not been called'
        return logits

    def expect(self, gt_aspects: Sequence[Tensor]) -> None:
        """Take the answers for the next loss: P(yes) of each object of each image, N tensors (G_n, Q)."""
        self._gt_aspects = gt_aspects

    def loss_and_target(
        self,
        cls_score: Tensor,
        bbox_pred: Tensor,
        rois: Tensor,
        sampling_results: list[SamplingResult],
        *args: Any,
        **kwargs: Any,
    ) -> dict:
        """Add ``loss_makd_roi`` to the parent's losses.

        Args:
            cls_score: Class logits, (R, C + 1).
            bbox_pred: Box deltas, (R, ...).
            rois: Index of the image and corners, (R, 5).
            sampling_results: The regions of each image, N in all; of each image, those with an object come first.
            *args: Further arguments of the parent.
            **kwargs: Likewise.
        """
        results = super().loss_and_target(cls_score, bbox_pred, rois, sampling_results, *args, **kwargs)  # type: ignore[misc]
        results['loss_bbox']['loss_makd_roi'] = self._loss_makd(self.take_aspect_logits(), sampling_results)
        return results

    def _loss_makd(self, aspect_logits: Tensor, sampling_results: list[SamplingResult]) -> Tensor:
        gt_aspects, self._gt_aspects = self._gt_aspects, None
        if gt_aspects is None:
            raise ConfigError(
                f'{type(self).__name__}: the RoI head passes no answers on. Set model.roi_head.type='
                "'makd.MaKDRoIHead' (or 'makd.MaKDCascadeRoIHead'), or another with MaKDRoIHeadMixin."
            )
        logits, targets = [], []
        sizes = [len(result.priors) for result in sampling_results]
        for part, result, answers in zip(aspect_logits.split(sizes), sampling_results, gt_aspects):
            objects = result.pos_assigned_gt_inds
            logits.append(part[: len(objects)])
            targets.append(answers[objects])
        return self.aspect_loss(torch.cat(logits), torch.cat(targets))

    def predict_by_feat(
        self,
        rois: tuple[Tensor, ...],
        cls_scores: tuple[Tensor, ...],
        bbox_preds: tuple[Tensor, ...],
        batch_img_metas: list[dict],
        rcnn_test_cfg: Any = None,
        rescale: bool = False,
    ) -> list[InstanceData]:
        """Add ``aspects``, P(yes) of each question in [0, 1], (M, Q), to the M detections of each image.

        Without ``rcnn_test_cfg``, there are the regions themselves instead of detections, as in the parent.
        """
        aspects = self.take_aspect_logits().sigmoid().split([len(part) for part in rois])
        return [
            self._predict_one(*of_image, rescale, rcnn_test_cfg)
            for of_image in zip(aspects, rois, cls_scores, bbox_preds, batch_img_metas)
        ]

    def _predict_one(
        self, aspects: Tensor, roi: Tensor, class_logits: Tensor, deltas: Tensor, meta: dict, rescale: bool, cfg: Any
    ) -> InstanceData:
        """Do as the parent, but remember from which region each detection comes."""
        if len(roi) == 0:
            found = super()._predict_by_feat_single(roi, class_logits, deltas, meta, rescale, cfg)  # type: ignore[misc]
            found.aspects = aspects
            return found
        found = super()._predict_by_feat_single(roi, class_logits, deltas, meta, rescale, None)  # type: ignore[misc]
        if cfg is None:
            found.aspects = aspects
            return found
        boxes, labels, kept = multiclass_nms(
            found.bboxes,
            found.scores,
            cfg.score_thr,
            cfg.nms,
            cfg.max_per_img,
            return_inds=True,
            box_dim=self.bbox_coder.encode_size,  # type: ignore[attr-defined]
        )
        # A candidate is a region with a class, in this order.
        return InstanceData(
            bboxes=boxes[:, :-1],
            scores=boxes[:, -1],
            labels=labels,
            aspects=aspects[kept // (found.scores.shape[1] - 1)],
        )


@MODELS.register_module()
class MaKDBBoxHead(MaKDBBoxHeadMixin, BBoxHead):
    """mmdet's ``BBoxHead`` with aspects, as in Faster R-CNN without FPN."""


@MODELS.register_module()
class MaKDShared2FCBBoxHead(MaKDBBoxHeadMixin, Shared2FCBBoxHead):
    """mmdet's ``Shared2FCBBoxHead`` with aspects: Faster, Mask and Cascade R-CNN with FPN."""


@MODELS.register_module()
class MaKDShared4Conv1FCBBoxHead(MaKDBBoxHeadMixin, Shared4Conv1FCBBoxHead):
    """mmdet's ``Shared4Conv1FCBBoxHead`` with aspects."""
