"""A trained classifier as a program that runs without makd: ONNX, or a file of ``torch.export``."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmpretrain.models.heads import MultiLabelClsHead
from mmpretrain.models.utils import ShiftWindowMSA
from torch import Tensor, nn
from torch.export import ExportedProgram

from makd.datasets.inference_pipeline import inference_transforms
from makd.errors import ConfigError
from makd.files import atomic_file
from makd.models.heads import MaKDHeadMixin
from makd.questions import QuestionSet

OUTPUTS = dict(
    scores='probabilities of the classes, float32 (batch, C)', aspects='P(yes) of the questions, float32 (batch, Q)'
)
METADATA_FILE = 'makd.json'
BATCH_SIZES = (1, 2, 5)
TOLERANCE = 1e-4  # of probabilities; kernels of another library sum in another order


class PixelClassifier(nn.Module):
    """Normalisation, network and probabilities in one module of tensors, for ONNX and ``torch.export``.

    Whoever runs it loads and resizes the images.

    Args:
        model: A classifier of mmpretrain's, in eval mode, with its data preprocessor. One with a MaKD head has the
            aspects as a second output.
    """

    def __init__(self, model: BaseModel) -> None:
        super().__init__()
        if isinstance(model.head, MultiLabelClsHead):
            raise ConfigError(
                f'model.head is a {type(model.head).__name__}, for images of several classes, and an export gives the '
                'softmax over one.'
            )
        self.model = model
        self.has_aspects = isinstance(model.head, MaKDHeadMixin)
        self.eval()

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: 'scores', and 'aspects' if there are any."""
        return ['scores', 'aspects'] if self.has_aspects else ['scores']

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Classify images.

        Args:
            images: uint8 (N, 3, H, W) in RGB.

        Returns:
            Class probabilities, (N, C), and if the model has aspects P(yes) of each question, (N, Q).
        """
        logits = self.model(self._preprocess(images), mode='tensor')
        if not self.has_aspects:
            return (logits.softmax(1),)
        class_logits, aspect_logits = self.model.head.split(logits)
        return class_logits.softmax(1), aspect_logits.sigmoid()

    @torch.no_grad()
    def reference(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the same through mmpretrain's predictions, one image at a time."""
        samples = [self.model(self._preprocess(image[None]), mode='predict')[0] for image in images]
        fields = dict(scores='pred_score', aspects='pred_aspects')
        return tuple(torch.stack([sample.get(fields[name]) for sample in samples]) for name in self.output_names)

    def _preprocess(self, images: Tensor) -> Tensor:
        """Normalise as in training; mmpretrain's preprocessor takes BGR."""
        return self.model.data_preprocessor({'inputs': images.flip(1)}, training=False)['inputs']


def describe(
    classifier: PixelClassifier,
    size: tuple[int, int],
    cfg: Config,
    classes: Sequence[str] | None,
    questions: QuestionSet | None,
) -> dict[str, Any]:
    """Return inputs, outputs, normalisation, transforms, and the names of classes and questions, as JSON values.

    Args:
        classifier: The classifier to export.
        size: H and W of its images.
        cfg: Its config.
        classes: Names of the C classes, if they are known.
        questions: The Q questions, if they are known and the classifier has aspects.
    """
    preprocessor = classifier.model.data_preprocessor
    description: dict[str, Any] = dict(
        input=dict(name='images', dtype='uint8', shape=['batch', 3, *size], order='RGB'),
        outputs={name: OUTPUTS[name] for name in classifier.output_names},
        # For information only: the program normalises by itself.
        normalisation=dict(
            order='RGB' if preprocessor.to_rgb else 'BGR',
            mean=preprocessor.mean.flatten().tolist() if hasattr(preprocessor, 'mean') else None,
            std=preprocessor.std.flatten().tolist() if hasattr(preprocessor, 'std') else None,
        ),
        transforms=inference_transforms(cfg),
        classes=None if classes is None else list(classes),
    )
    if classifier.has_aspects:
        description['questions'] = None if questions is None else list(questions.texts)
    return description


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
        metadata: Values to store in the file's ``metadata_props``, each as JSON.
        out: The file.

    Returns:
        The largest absolute difference from the model's probabilities.

    Raises:
        ConfigError: A package is missing, ``torch.export`` cannot follow the network, or the outputs differ; then
            nothing is written.
    """
    require_onnx()
    import onnx
    from onnxruntime import InferenceSession

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
    session = InferenceSession(content, providers=['CPUExecutionProvider'])

    def run(images: Tensor) -> list[Tensor]:
        return [torch.from_numpy(output) for output in session.run(None, {'images': images.numpy()})]

    difference = check_outputs(run, classifier, size, str(out))
    with atomic_file(out) as file:
        file.write(content)
    return difference


def write_program(classifier: PixelClassifier, size: tuple[int, int], metadata: Mapping[str, Any], out: Path) -> float:
    """Write a classifier as ``torch.export.load`` reads it, after it has been read and run.

    Args:
        classifier: The classifier.
        size: H and W.
        metadata: Values to store in the file, as JSON; ``torch.export.load(..., extra_files={'makd.json': ''})``
            returns them.
        out: The file.

    Returns:
        The largest absolute difference from the model's probabilities.

    Raises:
        ConfigError: ``torch.export`` cannot follow the network, or the outputs differ; then nothing is written.
    """
    content = io.BytesIO()
    extra_files = {METADATA_FILE: json.dumps(metadata, ensure_ascii=False)}
    torch.export.save(trace(classifier, size), content, extra_files=extra_files)
    content.seek(0)
    with torch.no_grad():
        difference = check_outputs(torch.export.load(content).module(), classifier, size, str(out))
    with atomic_file(out) as file:
        file.write(content.getbuffer())
    return difference


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
    """Put Swin's windows together; mmpretrain's version divides in floating point, which fixes the number of images.

    Args:
        windows: (N * height / size * width / size, size, size, C).
        height: Height of the feature map.
        width: Width of the feature map.
        size: Height and width of a window.

    Returns:
        (N, height, width, C).
    """
    rows, columns = height // size, width // size
    grid = windows.view(windows.shape[0] // (rows * columns), rows, columns, size, size, -1)
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, windows.shape[-1])


def check_outputs(
    run: Callable[[Tensor], Sequence[Tensor]], classifier: PixelClassifier, size: tuple[int, int], file: str
) -> float:
    """Run a classifier and its exported program on images of noise, in batches of several sizes.

    Args:
        run: The program: images, uint8 (N, 3, H, W), to the outputs of ``classifier``.
        classifier: The model.
        size: H and W.
        file: Name of the file to be written, for messages.

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
        for name, found, wanted in zip(classifier.output_names, outputs, expected, strict=True):
            if found.shape != wanted.shape:
                raise ConfigError(
                    f'{file}: {name} has shape {tuple(found.shape)}, but {tuple(wanted.shape)} in the model.'
                )
            difference = float((found - wanted).abs().max())
            if not difference <= TOLERANCE:  # NaN, too
                raise ConfigError(
                    f"{file} was not written: in a batch of {number} its {name} differ from the model's by up to "
                    f'{difference:.2g}, more than {TOLERANCE:g}. Choose another format, or export with other versions '
                    'of torch and onnxruntime.'
                )
            largest = max(largest, difference)
    return largest
