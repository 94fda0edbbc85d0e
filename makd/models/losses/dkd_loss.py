"""Decoupled knowledge distillation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makd.errors import ConfigError
from makd.models.losses.makd_loss import check_same_shape, full_precision
from makd.ranges import Positive, Weight
from makd.registry import MODELS


@MODELS.register_module()
class DKDLoss(nn.Module):
    r"""Decoupled knowledge distillation (Zhao et al., CVPR 2022, arXiv 2203.08679, Eq. 7).

    .. math::
        L = w \cdot T^2 \cdot (\alpha \, \mathrm{TCKD} + \beta \, \mathrm{NCKD})

    TCKD is the KL-divergence of the two-way distributions (label, any other class), and NCKD that of the distributions
    over the classes other than the label. Both are batch means of KL(teacher || student) at temperature T. NCKD counts
    as 0 where the teacher's logits of all other classes are -inf. The paper's Table 4 follows mdistiller: alpha = 1,
    beta = 8, T = 4, and 20 epochs of linear warm-up (``makd.DistillWarmupHook``).

    Args:
        alpha: Weight of TCKD. Defaults to 1.0.
        beta: Weight of NCKD. Defaults to 8.0.
        temperature: T > 0. Defaults to 4.0.
        loss_weight: w. Defaults to 1.0.

    Raises:
        ConfigError: The temperature is not positive.
    """

    def __init__(
        self, alpha: Weight = 1.0, beta: Weight = 8.0, temperature: Positive = 4.0, loss_weight: Weight = 1.0
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ConfigError(f'DKDLoss: temperature={temperature} must be positive.')
        self.alpha = alpha
        self.beta = beta
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, label: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student_logits: Class logits of the student, (N, C), any float type, C >= 2.
            teacher_logits: Class logits of the teacher, (N, C), any float type.
            label: Class indices in [0, C), (N,), int64.

        Returns:
            A scalar >= 0.

        Raises:
            ConfigError: The shapes differ, there is only one class, or the labels are not one class index per sample.
        """
        check_same_shape(self, student_logits=student_logits, teacher_logits=teacher_logits)
        num_samples, num_classes = student_logits.shape
        if num_classes < 2:
            raise ConfigError('DKDLoss: the logits have one class; decoupling needs at least two.')
        if label is None or label.shape != (num_samples,) or label.is_floating_point():
            got = None if label is None else f'{label.dtype} of shape {tuple(label.shape)}'
            raise ConfigError(
                f'DKDLoss: label is {got}; it must hold one class index per sample, ({num_samples},). '
                'Soft labels (mixup, cutmix) and images without labels have none: use makd.KDLoss with them.'
            )
        student, student_rest = self._decouple(student_logits, label)
        teacher, teacher_rest = self._decouple(teacher_logits, label)
        # Probabilities, not their logarithms: 0 log 0 counts as 0, where a teacher's logit is -inf. Where the teacher
        # leaves nothing but the label, there is no distribution over the rest to learn.
        rest = teacher_rest.softmax(dim=1).masked_fill(teacher_rest.isneginf().all(dim=1, keepdim=True), 0.0)
        tckd = F.kl_div(student.log_softmax(dim=1), teacher.softmax(dim=1), reduction='batchmean')
        nckd = F.kl_div(student_rest.log_softmax(dim=1), rest, reduction='batchmean')
        return self.loss_weight * self.temperature**2 * (self.alpha * tckd + self.beta * nckd)

    def _decouple(self, logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of (label, any other class), (N, 2), and those of the other classes, (N, C - 1)."""
        logits = full_precision(logits) / self.temperature
        label = label[:, None]
        # Gather the columns other than the label: a boolean mask would wait for the device.
        rest = torch.arange(logits.shape[1] - 1, device=logits.device)
        rest = rest + (rest >= label)
        target_logit, rest_logits = logits.gather(1, label), logits.gather(1, rest)
        # The label's logit and the log-sum-exp of the others: log(1 - p) without computing 1 - p.
        return torch.cat([target_logit, rest_logits.logsumexp(dim=1, keepdim=True)], dim=1), rest_logits
