"""Weighted matching of a transformed teacher."""

import torch.nn.functional as F
from torch import Tensor, nn

from makd.models.losses.makd_loss import check_same_shape, full_precision
from makd.ranges import Positive, Weight
from makd.registry import MODELS


@MODELS.register_module()
class WTTMLoss(nn.Module):
    r"""Weighted transformed teacher matching (Zheng and Yang, ICLR 2024, arXiv 2402.11148, section 4, Algorithm 1).

    .. math::
        L = w \cdot \frac{1}{N} \sum_n U_n \operatorname{KL}\big(\hat{p}_n \,\|\, \operatorname{softmax}(z_n)\big),
        \qquad U_n = \sum_c p_{nc}^\gamma, \quad \hat{p}_{nc} = p_{nc}^\gamma / U_n

    with the student's logits z, the teacher's class probabilities p, and gamma = 1 / T: the temperature acts on the
    teacher only, and a sample weighs the more, the less certain the teacher is about it.

    Args:
        gamma: The exponent, > 0; below 1 it flattens the teacher's distribution. Defaults to the authors' for a
            ResNet-18 on ImageNet (Table 10).
        loss_weight: w, the authors' beta; theirs with the default gamma.
    """

    def __init__(self, gamma: Positive = 0.8, loss_weight: Weight = 1.6) -> None:
        super().__init__()
        self.gamma = gamma
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
        log_student = full_precision(student_logits).log_softmax(dim=1)
        powers = self.gamma * full_precision(teacher_logits).log_softmax(dim=1)
        weight = powers.logsumexp(dim=1).exp()
        kl = F.kl_div(log_student, powers.softmax(dim=1), reduction='none').sum(dim=1)
        return self.loss_weight * (weight * kl).mean()
