"""Classic logit distillation."""

import torch.nn.functional as F
from torch import Tensor, nn

from makd.errors import ConfigError
from makd.models.losses.makd_loss import check_same_shape, full_precision
from makd.ranges import Positive, Weight
from makd.registry import MODELS


@MODELS.register_module()
class KDLoss(nn.Module):
    r"""Knowledge distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", arXiv 1503.02531).

    .. math::
        L = w \cdot T^2 \cdot \frac{1}{N} \sum_n
            \operatorname{KL}\big(\operatorname{softmax}(v_n / T) \,\|\, \operatorname{softmax}(z_n / T)\big)

    with the student's logits z and the teacher's v. The paper's Table 4 follows mdistiller: T = 4, w = 0.9, and a
    weight of 0.1 on the cross-entropy, which is set at the student's head.

    Args:
        temperature: T > 0. Defaults to 4.0.
        loss_weight: w. Defaults to 0.9.

    Raises:
        ConfigError: The temperature is not positive.
    """

    def __init__(self, temperature: Positive = 4.0, loss_weight: Weight = 0.9) -> None:
        super().__init__()
        if temperature <= 0:
            raise ConfigError(f'KDLoss: temperature={temperature} must be positive.')
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            student_logits: Class logits of the student, (N, C), any float type.
            teacher_logits: Class logits of the teacher, (N, C), any float type.
            label: Unused; every distillation loss is called with it.

        Returns:
            A scalar >= 0.

        Raises:
            ConfigError: The shapes differ.
        """
        check_same_shape(self, student_logits=student_logits, teacher_logits=teacher_logits)
        log_student = (full_precision(student_logits) / self.temperature).log_softmax(dim=1)
        teacher = (full_precision(teacher_logits) / self.temperature).softmax(dim=1)
        # Probabilities, not their logarithms: 0 log 0 counts as 0, where a teacher's logit is -inf.
        kl = F.kl_div(log_student, teacher, reduction='batchmean')
        return self.loss_weight * self.temperature**2 * kl
