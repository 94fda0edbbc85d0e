"""Distillation of relations between classes and between samples."""

from torch import Tensor, nn

from makd.models.losses.makd_loss import check_same_shape, full_precision
from makd.ranges import Positive, Weight
from makd.registry import MODELS


@MODELS.register_module()
class DISTLoss(nn.Module):
    r"""Knowledge distillation from a stronger teacher (Huang et al., NeurIPS 2022, arXiv 2205.10536, Eq. 10).

    .. math::
        L = T^2 \Big(\beta \cdot \frac{1}{N} \sum_n \big(1 - \rho(p_{n \cdot}, q_{n \cdot})\big)
            + \gamma \cdot \frac{1}{C} \sum_c \big(1 - \rho(p_{\cdot c}, q_{\cdot c})\big)\Big)

    where p and q are the teacher's and the student's class probabilities at temperature T, and rho is Pearson's
    correlation: over the classes of each sample, and over the samples of each class. A correlation matches up to scale
    and shift, so a student need not copy the confidence of a much stronger teacher.

    The correlation of a constant, such as that of a batch of one sample, counts as 0.

    Args:
        beta: Weight of the relation between the classes of a sample. Defaults to the authors' 1.0.
        gamma: Weight of the relation between the samples of a class. Defaults to the authors' 1.0.
        temperature: T > 0. Defaults to 1.0.
        loss_weight: Weight of the sum. Defaults to 1.0, the authors' for detection.
    """

    def __init__(
        self, beta: Weight = 1.0, gamma: Weight = 1.0, temperature: Positive = 1.0, loss_weight: Weight = 1.0
    ) -> None:
        super().__init__()
        self.beta = beta
        self.gamma = gamma
        self.temperature = temperature
        self.loss_weight = loss_weight

    def forward(self, student_logits: Tensor, teacher_logits: Tensor, label: Tensor | None = None) -> Tensor:
        """Compute the loss.

        Args:
            student_logits: Class logits of the student, (N, C), any float type.
            teacher_logits: Class logits of the teacher, (N, C), any float type.
            label: Unused; every distillation loss is called with it.

        Returns:
            A scalar in [0, 2 (beta + gamma) T² loss_weight].

        Raises:
            ConfigError: The shapes differ.
        """
        check_same_shape(self, student_logits=student_logits, teacher_logits=teacher_logits)
        student = (full_precision(student_logits) / self.temperature).softmax(dim=1)
        teacher = (full_precision(teacher_logits) / self.temperature).softmax(dim=1)
        between_classes = 1 - _pearson(student, teacher, dim=1).mean()
        between_samples = 1 - _pearson(student, teacher, dim=0).mean()
        return self.loss_weight * self.temperature**2 * (self.beta * between_classes + self.gamma * between_samples)


def _pearson(x: Tensor, y: Tensor, dim: int) -> Tensor:
    """Return Pearson's correlation of x and y along ``dim``, with the epsilon of the authors' code."""
    x = x - x.mean(dim=dim, keepdim=True)
    y = y - y.mean(dim=dim, keepdim=True)
    return (x * y).sum(dim=dim) / (x.norm(dim=dim) * y.norm(dim=dim) + 1e-8)
