"""Widened classification heads: C class logits, then Q aspect logits, from one last layer."""

from typing import Any

from mmpretrain.models.heads import LinearClsHead, StackedLinearClsHead, VisionTransformerClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from makd.labels import is_labelled
from makd.models.heads.gt_aspects import check_num_aspects, check_num_classes, stack_gt_aspects
from makd.ranges import Count
from makd.registry import MODELS

_FIELD = 'model.head.num_aspects'


class MaKDHeadMixin:
    """Turn an mmpretrain head into a MaKD head (paper section 3.3, Eq. 2, and section 3.4).

    This works with every ``ClsHead`` whose ``forward`` returns logits (N, num_classes), which nearly all of them do.
    The parent is built with D = C + Q outputs and keeps its parameters' names, so the first C rows of the last layer
    are a plain classifier. ``num_classes`` stays C: hooks and metrics compare it with the dataset. A new MaKD head is::

        @MODELS.register_module()
        class MyMaKDHead(MaKDHeadMixin, MyHead):
            pass

    and an mmpretrain config becomes a student by three keys: ``head.type``, ``head.num_aspects`` and
    ``head.aspect_loss``.

    Args:
        num_classes: C, the number of classes.
        num_aspects: Q, the number of yes/no questions.
        aspect_loss: Config of the loss on the aspect logits. Defaults to ``dict(type='makd.MaKDLoss')``.
        **kwargs: The parent head's arguments.

    Raises:
        ConfigError: ``num_classes`` or ``num_aspects`` is not a positive integer. In training: a sample has no aspect
            targets, or not as many as the head.
    """

    def __init__(
        self, *, num_classes: Count, num_aspects: Count, aspect_loss: dict | None = None, **kwargs: Any
    ) -> None:
        check_num_classes(self, num_classes, 'model.head.num_classes')
        check_num_aspects(self, num_aspects, _FIELD)
        super().__init__(num_classes=num_classes + num_aspects, **kwargs)  # type: ignore[call-arg]
        self.num_classes = num_classes
        self.num_aspects = num_aspects
        self.aspect_loss = MODELS.build(aspect_loss or dict(type='makd.MaKDLoss'))

    def split(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Split the output of ``forward``, (N, C + Q), into class logits (N, C) and aspect logits (N, Q)."""
        class_logits, aspect_logits = logits.split([self.num_classes, self.num_aspects], dim=1)
        return class_logits, aspect_logits

    def _get_loss(self, cls_score: Tensor, data_samples: list[DataSample], **kwargs: Any) -> dict[str, Tensor]:
        """Return the parent's losses on the class logits, its ``loss`` as ``loss_cls``, and ``loss_makd``.

        The class loss is the mean over the samples whose label is known, and 0 if there are none.
        """
        class_logits, aspect_logits = self.split(cls_score)
        known = [index for index, sample in enumerate(data_samples) if is_labelled(sample)]
        if known:
            if len(known) == len(data_samples):
                labelled = class_logits, data_samples
            else:
                labelled = class_logits[known], [data_samples[index] for index in known]
            losses = super()._get_loss(*labelled, **kwargs)  # type: ignore[misc]
            # Not 'loss': a term with this name would overwrite the total in the log.
            losses['loss_cls'] = losses.pop('loss')
        else:
            losses = {'loss_cls': class_logits.sum() * 0}
        target = stack_gt_aspects(self, data_samples, aspect_logits, _FIELD)
        losses['loss_makd'] = self.aspect_loss(aspect_logits, target)
        return losses

    def _get_predictions(self, cls_score: Tensor, data_samples: list[DataSample] | None) -> list[DataSample]:
        """Add ``pred_aspects``, P(yes) of each question in [0, 1], (Q,), to the parent's predictions."""
        class_logits, aspect_logits = self.split(cls_score)
        predictions = super()._get_predictions(class_logits, data_samples)  # type: ignore[misc]
        for prediction, aspects in zip(predictions, aspect_logits.sigmoid()):
            prediction.set_field(aspects, 'pred_aspects')
        return predictions


@MODELS.register_module()
class MaKDLinearClsHead(MaKDHeadMixin, LinearClsHead):
    """mmpretrain's ``LinearClsHead`` with aspects: ResNet, MobileNet-V1/V2, EfficientNet, Swin, ConvNeXt and others."""


@MODELS.register_module()
class MaKDStackedLinearClsHead(MaKDHeadMixin, StackedLinearClsHead):
    """mmpretrain's ``StackedLinearClsHead`` with aspects: MobileNet-V3."""


@MODELS.register_module()
class MaKDVisionTransformerClsHead(MaKDHeadMixin, VisionTransformerClsHead):
    """mmpretrain's ``VisionTransformerClsHead`` with aspects: ViT and DeiT."""
