"""The tensor program of a classifier, for any number of images."""

from unittest.mock import patch

import torch
from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor
from torch.export import ExportedProgram

from makd.errors import ConfigError
from makd.export.pixel_classifier import PixelClassifier


def trace(classifier: PixelClassifier, size: tuple[int, int]) -> ExportedProgram:
    """Return the program of a classifier for images of H and W; the number of images stays open.

    Raises:
        ConfigError: ``torch.export`` cannot follow the network.
    """
    images = torch.zeros(2, 3, *size, dtype=torch.uint8)
    try:
        with patch.object(ShiftWindowMSA, 'window_reverse', staticmethod(_window_reverse)):
            return torch.export.export(classifier, (images,), dynamic_shapes=({0: torch.export.Dim('batch')},))
    except RuntimeError as error:
        network = type(classifier.model.backbone).__name__
        raise ConfigError(
            f'torch.export cannot follow {network} for any number of images; it says: {str(error).strip()[:500]}\n'
            'Export to .pth or .safetensors instead.'
        ) from error


def _window_reverse(windows: Tensor, height: int, width: int, size: int) -> Tensor:
    """Put Swin's windows together; mmpretrain's divides in floating point, which fixes the number of images.

    Args:
        windows: (N * height / size * width / size, size, size, C).
        height: Of the feature map.
        width: Of the feature map.
        size: Of a window.

    Returns:
        (N, height, width, C).
    """
    rows, columns = height // size, width // size
    grid = windows.view(windows.shape[0] // (rows * columns), rows, columns, size, size, -1)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, windows.shape[-1])
