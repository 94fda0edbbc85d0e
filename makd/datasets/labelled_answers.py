"""The answers about images whose class is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from makd.datasets.load_aspect_targets import training_aspect_datasets
from makd.errors import DataError
from makd.questions import QuestionSet


@dataclass(frozen=True)
class LabelledAnswers:
    """Answers and classes of N images, of a training set or a part of it.

    Attributes:
        questions: The Q questions.
        probability: P(yes), (N, Q) float32; NaN where there is no answer.
        mass: Label mass, p(yes) + p(no) of the annotator's full softmax, (N, Q) float32; low where it wanted to say
            something else.
        labels: Class of each image, (N,) int64.
        num_images: How many images the training set has; N of them have answers.
    """

    questions: QuestionSet
    probability: np.ndarray
    mass: np.ndarray
    labels: np.ndarray
    num_images: int


def read_labelled_answers(dataset: Any) -> LabelledAnswers:
    """Read the answers about a training set whose pipeline ends with ``makd.LoadAspectTargets``, where there are any.

    Raises:
        ConfigError: The pipeline loads no answers.
        DataError: No image has answers, or an image has no class, as in detection.
    """
    pairs = training_aspect_datasets(dataset)
    questions = pairs[0][1].targets.questions
    probability: list[np.ndarray] = []
    mass: list[np.ndarray] = []
    labels: list[int] = []
    for one, transform in pairs:
        targets = transform.targets
        for index in range(len(one)):
            info = one.get_data_info(index)
            label = info.get('gt_label')
            if not isinstance(label, int | np.integer):
                raise DataError(
                    f'{info["img_path"]} has gt_label={_shown(label)}: questions are chosen by what they tell about '
                    'the one class of an image'
                )
            key = transform.key(info['img_path'])
            if key in targets:
                probability.append(targets.probability(key))
                mass.append(np.exp(targets.logprobs_of(key)).sum(axis=-1))
                labels.append(int(label))
    num_images = sum(len(one) for one, _ in pairs)
    if not labels:
        raise DataError(f'{pairs[0][1].targets.path} has no answers about any of the {num_images} training images')
    return LabelledAnswers(questions, np.stack(probability), np.stack(mass), np.array(labels), num_images)


def _shown(label: Sequence | None) -> str:
    return 'None' if label is None else f'{label!r:.30}'
