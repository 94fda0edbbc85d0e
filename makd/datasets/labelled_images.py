"""The images of a data set with their class and, where its pipeline loads them, the annotator's answers."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import expit

from makd.datasets.load_aspect_targets import aspect_datasets
from makd.errors import DataError
from makd.questions import QuestionSet


@dataclass(frozen=True)
class LabelledImages:
    """N images in the order of their data set.

    Attributes:
        paths: Of each image.
        labels: Class of each image, (N,) int64.
        classes: Names of the C classes.
        questions: The Q questions; None if the pipeline loads no answers.
        logits: The annotator's log p(yes) - log p(no), (N, Q) float32: NaN where there is no answer, infinite where the
            answer is certain. (N, 0) without questions.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    questions: QuestionSet | None
    logits: np.ndarray

    @cached_property
    def probability(self) -> np.ndarray:
        """The annotator's P(yes), (N, Q) in [0, 1]; NaN where there is no answer."""
        return expit(self.logits)

    @property
    def answered(self) -> np.ndarray:
        """Whether all questions are answered, of each image, (N,)."""
        return ~np.isnan(self.logits).any(axis=1)


def read_labelled_images(dataset: Any) -> LabelledImages:
    """Read a classification data set; no image is loaded.

    Args:
        dataset: A data set, or a wrapper of some, whose pipelines may load answers (``makd.LoadAspectTargets``).

    Raises:
        DataError: An image has no single class, or the answers of wrapped data sets are to different questions.
    """
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    labels = [info.get('gt_label') for info in infos]
    for info, label in zip(infos, labels):
        if not isinstance(label, int | np.integer):
            raise DataError(f'{info["img_path"]} has gt_label={label!r:.30}: an image of one class is needed here')
    paths = tuple(info['img_path'] for info in infos)
    names = dataset.metainfo.get('classes')
    classes = tuple(names) if names else tuple(str(label) for label in range(max(labels) + 1))

    pairs = list(aspect_datasets(dataset))
    transforms = {
        inner.get_data_info(index)['img_path']: transform for inner, transform in pairs for index in range(len(inner))
    }
    questions = {transform.targets.questions for _, transform in pairs}
    if len(questions) > 1:
        raise DataError(f'the wrapped data sets have answers to {len(questions)} different sets of questions')
    common = questions.pop() if questions else None
    logits = np.full((len(paths), len(common) if common else 0), np.nan, np.float32)
    for row, path in enumerate(paths):
        if (transform := transforms.get(path)) is not None:
            key = transform.key(path)
            if key in transform.targets:
                yes, no = transform.targets.logprobs_of(key).T
                logits[row] = yes - no
    return LabelledImages(paths, np.array(labels, np.int64), classes, common, logits)
