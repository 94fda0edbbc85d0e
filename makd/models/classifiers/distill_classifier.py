"""Logit distillation from a teacher, in addition to the loss of the student's head."""

import torch
from mmpretrain.models.classifiers import ImageClassifier
from mmpretrain.structures import DataSample
from torch import Tensor

from makd.errors import ConfigError
from makd.labels import is_labelled
from makd.models.distill_mixin import DistillMixin
from makd.models.frozen_teacher import FrozenClassifier
from makd.registry import MODELS


@MODELS.register_module()
class DistillImageClassifier(DistillMixin, ImageClassifier):
    r"""An ``ImageClassifier`` that also learns a teacher's class logits (paper section 4.4, Table 4; section 5.1).

    .. math::
        L = L_{head} + w_{epoch} \cdot L_{distill}(z_{[:, :C]}, v_{[:, :C]}, y)

    It *is* the student: parameters, checkpoint keys and predictions are those of the plain ``ImageClassifier``. The
    head decides the class and aspect losses, so with a MaKD head this is MaKD + KD or MaKD + DKD. The teacher is a
    frozen network, or its logits were stored before, and ``makd.LoadTeacherLogits`` loads them with each image.

    Args:
        **kwargs: Arguments of :class:`~makd.models.distill_mixin.DistillMixin` and of ``ImageClassifier``.

    Raises:
        ConfigError: When training starts: the teacher cannot be built or loaded, or has another number of classes. In
            training with stored logits: an image has none, or images are mixed (mixup, CutMix), to which the stored
            logits do not apply.
    """

    frozen = FrozenClassifier

    @property
    def num_student_classes(self) -> int:
        """C, without aspects."""
        return self.head.num_classes

    def loss(self, inputs: Tensor, data_samples: list[DataSample]) -> dict[str, Tensor]:
        """Compute the head's losses and ``loss_kd``.

        Args:
            inputs: Preprocessed images, (N, 3, H, W).
            data_samples: Their annotations.

        Returns:
            Scalars: ``loss_cls``, ``loss_makd`` with a MaKD head, and ``loss_kd``.
        """
        logits = self.head(self.extract_feat(inputs))
        losses = self.head._get_loss(logits, data_samples)
        if 'loss' in losses:  # a plain head; a term of this name would overwrite the total in the log
            losses['loss_cls'] = losses.pop('loss')
        loss_kd = self.distill_loss(
            logits[:, : self.head.num_classes],
            self._teacher_logits(inputs, data_samples),
            label=self._labels(data_samples),
        )
        losses['loss_kd'] = self.distill_weight * loss_kd
        return losses

    def _teacher_logits(self, inputs: Tensor, data_samples: list[DataSample]) -> Tensor:
        """Return the teacher's class logits, (N, C)."""
        if self._build_teacher is not None:
            return self.require_teacher().class_logits(inputs)
        if any('teacher_logits' not in sample for sample in data_samples):
            raise ConfigError(
                'model.teacher=None, and a training sample has no teacher_logits. End the pipeline of '
                "train_dataloader.dataset with dict(type='makd.LoadTeacherLogits', targets=..., data_root=...)."
            )
        if self._mixes:
            raise ConfigError(
                'The data preprocessor mixes images (mixup, CutMix), and there are no stored logits for mixed images. '
                'Remove batch_augments from data_preprocessor, or set model.teacher to a network.'
            )
        return torch.stack([sample.teacher_logits for sample in data_samples]).to(inputs.device, non_blocking=True)

    @property
    def _mixes(self) -> bool:
        return getattr(self.data_preprocessor, 'batch_augments', None) is not None

    def _labels(self, data_samples: list[DataSample]) -> Tensor | None:
        """Return the class indices, (N,), or None if mixup or CutMix leaves no single label, or one is not known."""
        if self._mixes or not all('gt_label' in sample and is_labelled(sample) for sample in data_samples):
            return None
        return torch.cat([sample.gt_label for sample in data_samples])
