"""Logit standardisation, in front of another distillation loss."""

from typing import Any

from torch import Tensor, nn

from makd.models.losses.makd_loss import full_precision
from makd.registry import MODELS


@MODELS.register_module()
class LSKDLoss(nn.Module):
    r"""Logit standardisation in knowledge distillation (Sun et al., CVPR 2024, arXiv 2403.01427, Algorithm 1).

    .. math::
        L = L_{distill}\big(\mathcal{Z}(z), \mathcal{Z}(v), y\big), \qquad
        \mathcal{Z}(x)_{nc} = \frac{x_{nc} - \bar{x}_n}{\sigma(x_n) + \epsilon}

    with the student's logits z and the teacher's v, the mean and the standard deviation (of C - 1 degrees of freedom)
    over the classes of each sample, and epsilon = 1e-7 as in the authors' code. So the student learns the relations
    between the teacher's logits and not their magnitude. A teacher's logit of -inf has no standard score: the loss is
    NaN, as in the authors' code.

    Args:
        distill_loss: Config of the loss around which this is, such as ``dict(type='makd.KDLoss', temperature=2.0,
            loss_weight=9.0)``, the authors' setting.
    """

    def __init__(self, distill_loss: dict[str, Any]) -> None:
        super().__init__()
        self.distill_loss = MODELS.build(distill_loss)

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            student_logits: Class logits of the student, (N, C), any float type, C >= 2.
            teacher_logits: Class logits of the teacher, (N, C), any float type.
            label: What the loss around which this is needs: class indices in [0, C), (N,), int64, or None.

        Returns:
            That loss, a scalar.

        Raises:
            ConfigError: From that loss: the shapes differ, or the labels do not fit.
        """
        return self.distill_loss(_standardize(student_logits), _standardize(teacher_logits), label=label)


def _standardize(logits: Tensor) -> Tensor:
    """Return the standard scores of each sample's logits, (N, C)."""
    logits = full_precision(logits)
    return (logits - logits.mean(dim=1, keepdim=True)) / (logits.std(dim=1, keepdim=True) + 1e-7)
