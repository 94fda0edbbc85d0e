"""A head and a loss, registered outside the package."""

import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from torch import Tensor, nn

from makd.models.heads import MaKDHeadMixin
from makd.registry import MODELS


@MODELS.register_module()
class CosineMaKDHead(MaKDHeadMixin, LinearClsHead):
    """A cosine classifier with aspects: logits are the scaled cosines between the feature and each row of weights.

    Args:
        scale: Factor of the cosines, which lie in [-1, 1]. Defaults to 16.0.
        **kwargs: Arguments of ``MaKDHeadMixin`` and ``LinearClsHead``.
    """

    def __init__(self, *, scale: float = 16.0, **kwargs) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.fc.register_parameter('bias', None)  # unused by a cosine, and DDP would wait for its gradient

    def forward(self, feats: tuple[Tensor]) -> Tensor:
        """Return the logits, (N, C + Q)."""
        return self.scale * F.linear(F.normalize(self.pre_logits(feats)), F.normalize(self.fc.weight))


@MODELS.register_module()
class BrierAspectLoss(nn.Module):
    """The Brier score instead of binary cross-entropy: the mean squared error of the aspect probabilities.

    Args:
        loss_weight: Weight relative to the class loss. Defaults to 4.0.
    """

    def __init__(self, loss_weight: float = 4.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, aspect_logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss of logits and targets, both (N, Q); NaN targets are ignored."""
        answered = ~target.isnan()
        error = (aspect_logits.float().sigmoid() - target).masked_fill(~answered, 0.0)
        return self.loss_weight * error.square().sum() / answered.sum().clamp(min=1)
