"""Whether what was exported gives what the model gives."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from makd.errors import ConfigError
from makd.export.pixel_classifier import PixelClassifier

BATCH_SIZES = (1, 2, 5)
TOLERANCE = 1e-4  # of probabilities; kernels of another library sum in another order


def check_outputs(
    run: Callable[[Tensor], Sequence[Tensor]], classifier: PixelClassifier, size: tuple[int, int], file: str
) -> float:
    """Run both on images of noise, in batches of several sizes.

    Args:
        run: What was exported: images, uint8 (N, 3, H, W), to the outputs of ``classifier``.
        classifier: The model.
        size: H and W.
        file: Name of what was exported, for messages.

    Returns:
        The largest absolute difference of a probability.

    Raises:
        ConfigError: A probability differs by more than 1e-4.
    """
    generator = torch.Generator().manual_seed(0)
    largest = 0.0
    for number in BATCH_SIZES:
        images = torch.randint(0, 256, (number, 3, *size), dtype=torch.uint8, generator=generator)
        outputs, expected = run(images), classifier.reference(images)
        for name, one, other in zip(classifier.output_names, outputs, expected, strict=True):
            if one.shape != other.shape:
                raise ConfigError(f'{file}: {name} has shape {tuple(one.shape)}, of the model {tuple(other.shape)}.')
            difference = float((one - other).abs().max())
            if not difference <= TOLERANCE:  # NaN, too
                raise ConfigError(
                    f"{file} was not written: in a batch of {number} its {name} differ from the model's by up to "
                    f'{difference:.2g}, more than {TOLERANCE:g}. Choose another format, or export with other versions '
                    'of torch and onnxruntime.'
                )
            largest = max(largest, difference)
    return largest
