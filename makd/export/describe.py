"""What whoever runs an exported classifier has to know."""

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from makd.datasets.inference_pipeline import inference_transforms
from makd.export.pixel_classifier import PixelClassifier
from makd.questions import QuestionSet


def describe(
    classifier: PixelClassifier,
    size: tuple[int, int],
    cfg: Config,
    classes: Sequence[str] | None,
    questions: QuestionSet | None,
) -> dict[str, Any]:
    """Return inputs, outputs, normalisation, transforms, and the names of classes and questions, as JSON values.

    Args:
        classifier: What is exported.
        size: H and W of its images.
        cfg: Its config.
        classes: Names of the C classes, if they are known.
        questions: The Q questions, if they are known and the classifier has aspects.
    """
    preprocessor = classifier.model.data_preprocessor
    told: dict[str, Any] = dict(
        input=dict(name='images', dtype='uint8', shape=['batch', 3, *size], order='RGB'),
        outputs={name: OUTPUTS[name] for name in classifier.output_names},
        # Said for completeness: it is done inside.
        normalisation=dict(
            order='RGB' if preprocessor.to_rgb else 'BGR',
            mean=preprocessor.mean.flatten().tolist() if hasattr(preprocessor, 'mean') else None,
            std=preprocessor.std.flatten().tolist() if hasattr(preprocessor, 'std') else None,
        ),
        transforms=inference_transforms(cfg),
        classes=None if classes is None else list(classes),
    )
    if classifier.has_aspects:
        told['questions'] = None if questions is None else list(questions.texts)
    return told


OUTPUTS = dict(
    scores='probabilities of the classes, float32 (batch, C)', aspects='P(yes) of the questions, float32 (batch, Q)'
)
