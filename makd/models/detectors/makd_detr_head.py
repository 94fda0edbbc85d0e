"""Widened heads of DETR: C + 1 class logits, then Q aspect logits, for every query."""

import inspect
from typing import Any

import torch
from mmdet.models.dense_heads import ConditionalDETRHead, DETRHead
from mmengine.structures import InstanceData
from torch import Tensor, nn

from makd.errors import ConfigError
from makd.models.heads.gt_aspects import check_num_aspects, check_num_classes, region_aspects
from makd.ranges import Count
from makd.registry import MODELS
from makd.targets.region_key import REGIONS

_FIELD = 'model.bbox_head.num_aspects'


class MaKDDETRHeadMixin:
    r"""Turn a head of DETR into a MaKD head: its queries answer questions about the objects that they are matched with.

    .. math::
        L = L_{DETR}
            + \sum_l \alpha \cdot \frac{1}{|A_l|} \sum_{(n, q) \in A_l} \operatorname{BCE}(\sigma(z_{lnq}), p_{g(n)q})

    where l runs over the decoder's layers, n over the queries that are matched with an object g(n), and p are the
    annotator's answers about the object. A query without an object, and a question without an answer, is in neither
    sum nor mean (paper section 3.4, Eq. 5, applied to queries).

    This works with mmdet's heads that have one linear classifier ``fc_cls`` and match by ``assigner``: those of DETR
    and Conditional DETR. The parent's parameters keep their names; ``fc_cls`` has Q more outputs at its end.

    Args:
        num_classes: C, the number of classes.
        num_aspects: Q, the number of yes/no questions about an object.
        aspect_loss: Config of the loss on the aspect logits. Defaults to ``dict(type='makd.MaKDLoss')``.
        **kwargs: The parent head's arguments.

    Raises:
        ConfigError: ``num_classes`` or ``num_aspects`` is not a positive integer, or ``fc_cls`` is no linear layer. In
            training: a sample has no answers about its objects, or not as many as the head.
    """

    assigner: Any
    fc_cls: Any
    about = REGIONS

    def __init__(
        self, *, num_classes: Count, num_aspects: Count, aspect_loss: dict | None = None, **kwargs: Any
    ) -> None:
        check_num_classes(self, num_classes, 'model.bbox_head.num_classes')
        check_num_aspects(self, num_aspects, _FIELD)
        loss_cls = dict(kwargs.pop('loss_cls', None) or inspect.signature(DETRHead).parameters['loss_cls'].default)
        background = loss_cls.pop('bg_cls_weight', None)
        if background is not None:  # mmdet reads it in the class DETRHead only, not in those that derive from it
            loss_cls['class_weight'] = [loss_cls['class_weight']] * num_classes + [background]
        super().__init__(num_classes=num_classes, loss_cls=loss_cls, **kwargs)  # type: ignore[call-arg]
        if background is not None:
            self.bg_cls_weight = background
        if not isinstance(getattr(self, 'fc_cls', None), nn.Linear):
            raise ConfigError(f'{type(self).__name__} has no linear layer fc_cls that could be widened.')
        self.num_class_logits = self.fc_cls.out_features
        self.fc_cls = type(self.fc_cls)(self.fc_cls.in_features, self.num_class_logits + num_aspects)
        self.num_aspects = num_aspects
        self.aspect_loss = MODELS.build(aspect_loss or dict(type='makd.MaKDLoss'))
        self._aspect_logits: Tensor | None = None
        if hasattr(self, 'assigner'):  # not in a model that is only tested
            self.assigner = _RememberingAssigner(self.assigner)

    def forward(self, *features: Any) -> tuple[Tensor, Tensor]:
        """Return the parent's class logits and boxes of L layers, N images and M queries; aspect logits are kept."""
        logits, boxes = super().forward(*features)  # type: ignore[misc]
        class_logits, self._aspect_logits = logits.split([self.num_class_logits, self.num_aspects], dim=-1)
        return class_logits, boxes

    def take_aspect_logits(self) -> Tensor:
        """Return the aspect logits (L, N, M, Q) of the last ``forward``, and drop them, since they hold its graph."""
        logits, self._aspect_logits = self._aspect_logits, None
        assert logits is not None, 'forward has not been called'
        return logits

    def loss_by_feat(
        self, class_logits: Tensor, boxes: Tensor, batch_gt_instances: list[InstanceData], *args: Any, **kwargs: Any
    ) -> dict[str, Tensor]:
        """Add ``loss_makd_roi`` of the last layer, and ``d0.loss_makd_roi`` and so on, to the parent's losses.

        Args:
            class_logits: Class logits, (L, N, M, C + 1).
            boxes: Boxes, (L, N, M, 4).
            batch_gt_instances: The objects of each image, with ``aspects`` (G, Q).
            *args: Further arguments of the parent.
            **kwargs: Likewise.
        """
        answers = [region_aspects(self, objects, _FIELD) for objects in batch_gt_instances]
        losses = super().loss_by_feat(class_logits, boxes, batch_gt_instances, *args, **kwargs)  # type: ignore[misc]
        matches = iter(self.assigner.take())  # layer by layer, and image by image
        layers = self.take_aspect_logits()
        for number, of_layer in enumerate(layers):
            pairs = [_matched(logits, next(matches), given) for logits, given in zip(of_layer, answers)]
            loss = self.aspect_loss(*map(torch.cat, zip(*pairs)))
            losses['loss_makd_roi' if number == len(layers) - 1 else f'd{number}.loss_makd_roi'] = loss
        return losses

    def predict_by_feat(self, class_logits: Tensor, boxes: Tensor, batch_img_metas: list[dict], **kwargs: Any) -> list:
        """Add ``aspects``, P(yes) of each question in [0, 1], to the detections of each image."""
        found = super().predict_by_feat(class_logits, boxes, batch_img_metas, **kwargs)  # type: ignore[misc]
        for detections, logits, of_image in zip(found, class_logits[-1], self.take_aspect_logits()[-1]):
            detections.aspects = of_image[self._kept(logits)].sigmoid()
        return found

    def _kept(self, class_logits: Tensor) -> Tensor:
        """Return which queries the parent makes detections of: it is given boxes whose places are their numbers."""
        count = len(class_logits)
        boxes = torch.zeros(count, 4, device=class_logits.device)
        boxes[:, :2] = torch.arange(count, device=boxes.device)[:, None] / count
        found = super()._predict_by_feat_single(class_logits, boxes, {'img_shape': (count, count)}, False)  # type: ignore[misc]
        return found.bboxes[:, 0].round().long()


class _RememberingAssigner:
    """An assigner of mmdet that remembers its results until they are taken."""

    def __init__(self, assigner: Any) -> None:
        self._assigner = assigner
        self._results: list[Any] = []

    def assign(self, *args: Any, **kwargs: Any) -> Any:
        self._results.append(self._assigner.assign(*args, **kwargs))
        return self._results[-1]

    def take(self) -> list[Any]:
        results, self._results = self._results, []
        return results


def _matched(logits: Tensor, assigned: Any, answers: Tensor) -> tuple[Tensor, Tensor]:
    """Return aspect logits and answers of the queries of an image that are matched with an object, both (P, Q)."""
    queries = torch.nonzero(assigned.gt_inds > 0).squeeze(1)
    return logits[queries], answers[assigned.gt_inds[queries] - 1]


@MODELS.register_module()
class MaKDDETRHead(MaKDDETRHeadMixin, DETRHead):
    """mmdet's ``DETRHead`` with aspects."""


@MODELS.register_module()
class MaKDConditionalDETRHead(MaKDDETRHeadMixin, ConditionalDETRHead):
    """mmdet's ``ConditionalDETRHead`` with aspects."""
