"""The multi-aspect distillation losses: binary cross-entropy, and the KL-divergence of Table 2."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from makd.errors import ConfigError
from makd.ranges import Weight
from makd.registry import MODELS


def full_precision(x: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32, other types unchanged: sums need the range and the precision."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def check_same_shape(loss: nn.Module, **tensors: Tensor) -> None:
    """Raise a ConfigError that names both shapes unless the two given tensors have the same shape."""
    (name_a, a), (name_b, b) = tensors.items()
    if a.shape != b.shape:
        raise ConfigError(
            f'{type(loss).__name__}: {name_a} has shape {tuple(a.shape)}, {name_b} {tuple(b.shape)}; they must agree.'
        )


@MODELS.register_module()
class MaKDLoss(nn.Module):
    r"""Multi-aspect knowledge distillation loss (paper section 3.4, Eq. 5 and the second term of Eq. 6).

    .. math::
        L = \alpha \cdot \frac{1}{|A|} \sum_{(n, q) \in A} \operatorname{BCE}(\sigma(z_{nq}), p_{nq})

    where z are the student's aspect logits, p the annotator's P(yes) and A the pairs of image and question that have an
    answer. The mean is over samples **and** questions, as in the authors' code: the weight of the sum does not depend
    on Q, and each question has the weight alpha / Q.

    Args:
        loss_weight: alpha, the weight relative to the class loss. Defaults to the authors' fine-grained setting.
    """

    def __init__(self, loss_weight: Weight = 4.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, aspect_logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            aspect_logits: The student's aspect logits, (N, Q), any float type.
            target: P(yes) of the annotator in [0, 1], (N, Q). NaN marks a question without an answer: it is left out
                of the mean and has no gradient.

        Returns:
            A scalar >= 0; 0 if no question has an answer.

        Raises:
            ConfigError: The shapes differ.
        """
        check_same_shape(self, aspect_logits=aspect_logits, target=target)
        logits = full_precision(aspect_logits)
        answered = ~target.isnan()
        target = target.to(logits.dtype).masked_fill(~answered, 0.0)
        bce = F.binary_cross_entropy_with_logits(logits, target, reduction='none')
        bce = bce.masked_fill(~answered, 0.0)
        return self.loss_weight * bce.sum() / answered.sum().clamp(min=1)


@MODELS.register_module()
class MaKDKLLoss(nn.Module):
    r"""KL-divergence on the aspect logits, the ablation "KL" of the paper's Table 2.

    .. math::
        L = \alpha \cdot \frac{1}{N} \sum_n \sum_q t_{nq} \log \frac{t_{nq}}{\operatorname{softmax}(z_n)_q},
        \qquad t_{nq} = \frac{p_{nq}}{\sum_r p_{nr}}

    The paper does not give the formula. A KL-divergence between the two Bernoulli distributions of each question has
    the same gradient as the BCE and could not score differently in Table 2. We therefore read it as classic logit
    distillation applied to the Q aspects: both sides are one distribution over questions, so that the aspects compete
    for mass.

    Args:
        loss_weight: alpha, as in :class:`MaKDLoss`.
    """

    def __init__(self, loss_weight: Weight = 4.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, aspect_logits: Tensor, target: Tensor) -> Tensor:
        """Compute the loss, a scalar >= 0, of tensors as in :meth:`MaKDLoss.forward`.

        Questions without an answer (NaN) are left out of the distributions on both sides, and an image is left out of
        the mean if none of its questions has any mass.
        """
        check_same_shape(self, aspect_logits=aspect_logits, target=target)
        logits = full_precision(aspect_logits)
        unanswered = target.isnan()
        mass = target.to(logits.dtype).masked_fill(unanswered, 0.0)
        total = mass.sum(dim=1, keepdim=True)
        distribution = mass / total.clamp(min=torch.finfo(mass.dtype).tiny)
        # The lowest finite number, not -inf: a row without any answer would become NaN, and so would its gradient.
        log_student = logits.masked_fill(unanswered, torch.finfo(logits.dtype).min).log_softmax(dim=1)
        kl = (torch.xlogy(distribution, distribution) - distribution * log_student.masked_fill(unanswered, 0.0)).sum(1)
        return self.loss_weight * kl.sum() / (total > 0).sum().clamp(min=1)
