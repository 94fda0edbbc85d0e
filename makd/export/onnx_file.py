"""A classifier as an ONNX file."""

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from makd.errors import ConfigError
from makd.export.check_outputs import check_outputs
from makd.export.pixel_classifier import PixelClassifier
from makd.export.trace import trace
from makd.files import atomic_file


def require_onnx() -> None:
    """Raise a ConfigError if a package is missing that export to ONNX needs."""
    if absent := [name for name in ('onnx', 'onnxscript', 'onnxruntime') if find_spec(name) is None]:
        raise ConfigError(
            f"ONNX needs {', '.join(absent)}, which is not installed: pip install 'makd[export]', or in a checkout "
            "pip install -e '.[export]' -c requirements/constraints.txt"
        )


def write_onnx(classifier: PixelClassifier, size: tuple[int, int], metadata: Mapping[str, Any], out: Path) -> float:
    """Write a classifier to an ONNX file, after it has run in onnxruntime.

    Its input is ``images``, uint8 (batch, 3, H, W) in RGB with any number of images, its outputs ``scores`` and, if it
    has aspects, ``aspects``.

    Args:
        classifier: The classifier.
        size: H and W.
        metadata: What to store in the file's ``metadata_props``, each value as JSON.
        out: The file.

    Returns:
        The largest absolute difference to the model's probabilities.

    Raises:
        ConfigError: A package is missing, ``torch.export`` cannot follow the network, or the outputs differ; then
            nothing is written.
    """
    require_onnx()
    import onnx

    program = torch.onnx.export(
        trace(classifier, size),
        input_names=['images'],
        output_names=classifier.output_names,
        dynamic_shapes=({0: 'batch'},),  # its name in the file
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # it is None without dynamo
    model = program.model_proto
    onnx.helper.set_model_props(model, {key: json.dumps(value, ensure_ascii=False) for key, value in metadata.items()})
    onnx.checker.check_model(model, full_check=True)
    content = model.SerializeToString()
    with atomic_file(out) as file:
        difference = check_outputs(_OnnxRuntime(content), classifier, size, str(out))
        file.write(content)
    return difference


class _OnnxRuntime:
    """Runs an ONNX model on the CPU."""

    def __init__(self, content: bytes) -> None:
        import onnxruntime

        self.session = onnxruntime.InferenceSession(content, providers=['CPUExecutionProvider'])

    def __call__(self, images: Tensor) -> Sequence[Tensor]:
        return [torch.from_numpy(output) for output in self.session.run(None, {'images': images.numpy()})]
