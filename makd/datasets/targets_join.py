"""Which image of a dataset has which row in a targets folder."""

from array import array
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from makd.datasets.load_aspect_targets import LoadAspectTargets
from makd.datasets.load_targets import target_transforms, training_transforms
from makd.errors import DataError
from makd.questions import QuestionSet
from makd.targets.aspect_targets import sigmoid_of_pair

BLOCK_BYTES = 1 << 24  # of answers that are read at once
LISTED = 10  # keys in a message
ONE_CLASS = (int, np.integer)  # types of a label that is exactly one class


class TargetsSource(Hashable, Protocol):
    """Targets, and the key of an image in them; ``LoadTargets`` is one."""

    @property
    def targets(self) -> Any:
        """``AspectTargets``, or a control."""
        ...

    def key(self, img_path: str) -> str:
        """Return the key of an image; one that is not in the targets if it has no answers."""
        ...


@dataclass(frozen=True, eq=False)
class TargetsJoin:
    """The N images of one or more datasets, in their order, each with its row in the targets that are about it.

    No image is loaded, and answers are read only when one of the matrices (N, Q) is asked for.

    Attributes:
        paths: Path or URL of each image, N.
        labels: Class of each image, (N,) int64; -1 for an image without exactly one class.
        classes: Names of the C classes; their numbers if they have no names.
        rows: Row of each image in its targets, (N,) int64; -1 if it has none.
        sources: The targets; None stands for images whose pipeline loads no answers.
        source_of: Index in ``sources`` of each image, (N,) int64.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    rows: np.ndarray
    sources: tuple[TargetsSource | None, ...]
    source_of: np.ndarray

    @classmethod
    def of(cls, images: Iterable[tuple[dict, TargetsSource | None]], classes: Sequence[str] | None) -> 'TargetsJoin':
        """Look up the rows.

        Args:
            images: The annotation of each image (``img_path``, ``gt_label``), and the targets that are about it.
            classes: Names of the C classes.

        Raises:
            ConfigError: An image lies outside the folder that the keys of its targets are relative to.
        """
        paths = []
        labels, rows, source_of = array('q'), array('q'), array('q')
        sources: dict[TargetsSource | None, int] = {}
        for info, source in images:
            path, label = info['img_path'], info.get('gt_label')
            row = None if source is None else source.targets.find(source.key(path))
            paths.append(path)
            labels.append(int(label) if isinstance(label, ONE_CLASS) else -1)
            rows.append(-1 if row is None else row)
            source_of.append(sources.setdefault(source, len(sources)))
        names = classes or map(str, range(max(labels, default=-1) + 1))
        return cls(tuple(paths), np.array(labels), tuple(names), np.array(rows), tuple(sources), np.array(source_of))

    @classmethod
    def of_dataset(cls, dataset: Any, source: TargetsSource) -> 'TargetsJoin':
        """Look up the images of a dataset, which may lack classes, in one source."""
        return cls.of(((info, source) for info in _infos(dataset)), _class_names(dataset))

    @property
    def questions(self) -> QuestionSet | None:
        """The Q questions; None if no pipeline loads answers."""
        return _common_questions(source for source in self.sources if source is not None)

    @cached_property
    def logits(self) -> np.ndarray:
        """The annotator's log p(yes) - log p(no), (N, Q) float32: NaN where there is no answer, infinite if certain."""
        return self._matrix(lambda logprobs: logprobs[..., 0] - logprobs[..., 1])

    @cached_property
    def probability(self) -> np.ndarray:
        """The annotator's P(yes), (N, Q) float32 in [0, 1]; NaN where there is no answer."""
        return self._matrix(sigmoid_of_pair)

    @cached_property
    def mass(self) -> np.ndarray:
        """Label mass, p(yes) + p(no) of the annotator's full softmax, (N, Q) float32; NaN where there is no answer.

        A low mass means that the annotator wanted to say something other than yes or no.
        """
        return self._matrix(lambda logprobs: np.exp(logprobs).sum(axis=-1))

    @cached_property
    def answered(self) -> np.ndarray:
        """Whether an image has an answer to every question, (N,) bool."""
        answered = np.zeros(len(self.paths), bool)
        for images, logprobs in self._blocks():
            answered[images] = ~np.isnan(logprobs).any(axis=(1, 2))
        return answered

    def annotated(self) -> 'TargetsJoin':
        """Return the join of those images that have a row.

        Raises:
            DataError: None has.
        """
        found = self.rows >= 0
        if not found.any():
            places = ', '.join(sorted({str(source.targets.path) for source in self.sources if source is not None}))
            raise DataError(f'{places} has no answers about any of the {len(found)} training images')
        paths = tuple(path for path, is_found in zip(self.paths, found) if is_found)
        return TargetsJoin(
            paths, self.labels[found], self.classes, self.rows[found], self.sources, self.source_of[found]
        )

    def keys(self, images: Iterable[int]) -> list[str]:
        """Return the keys of images that have a source, by their indices."""
        found = ((self.sources[self.source_of[index]], self.paths[index]) for index in images)
        return [source.key(path) for source, path in found if source is not None]

    def describe(self, lacking: np.ndarray, what: str) -> str:
        """Return a message with the number and the first keys of images that lack something; '' if there are none.

        Args:
            lacking: Whether an image lacks it, (N,) bool.
            what: What it is, such as 'no targets in FOLDER'.
        """
        if not lacking.any():
            return ''
        keys = '\n  '.join(sorted(self.keys(np.flatnonzero(lacking)))[:LISTED])
        return f'{lacking.sum()} of {len(lacking)} images have {what}:\n  {keys}'

    def _matrix(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return ``function`` of the log-probabilities (n, Q, 2) of the images as one matrix, (N, Q)."""
        matrix = np.full((len(self.paths), len(self.questions or ())), np.nan, np.float32)
        for images, logprobs in self._blocks():
            matrix[images] = function(logprobs)
        return matrix

    def _blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield indices of images that have a row, (n,), with their log-probabilities, (n, Q, 2)."""
        for number, source in enumerate(self.sources):
            images = np.flatnonzero((self.source_of == number) & (self.rows >= 0))
            if source is not None and len(images):
                step = max(1, BLOCK_BYTES // (8 * len(source.targets.questions)))
                for start in range(0, len(images), step):
                    block = images[start : start + step]
                    yield block, source.targets.logprobs_at(self.rows[block])


def join_dataset(dataset: Any) -> TargetsJoin:
    """Join a classification dataset, in the order of its items, with the answers that its pipelines load, if any.

    Args:
        dataset: A dataset, or a wrapper, whose pipelines may have ``makd.LoadAspectTargets``.

    Raises:
        DataError: An image does not have exactly one class, or the pipelines load answers to different questions.
    """
    pairs = list(target_transforms(dataset, LoadAspectTargets))
    _common_questions(transform for _, transform in pairs)
    # A wrapper may repeat and reorder images, and does not say which inner dataset an item comes from.
    source_of = {info['img_path']: transform for inner, transform in pairs for info in _infos(inner)}
    images = ((info, source_of.get(info['img_path'])) for info in _infos(dataset))
    return TargetsJoin.of(_of_one_class(images), _class_names(dataset))


def join_training_set(dataset: Any) -> TargetsJoin:
    """Join the images of a training set, each once even if a wrapper repeats it, with the answers that it loads.

    Raises:
        ConfigError: No pipeline loads answers.
        DataError: An image does not have exactly one class, or the pipelines load answers to different questions.
    """
    pairs = training_transforms(dataset, LoadAspectTargets)
    _common_questions(transform for _, transform in pairs)
    images = ((info, transform) for inner, transform in pairs for info in _infos(inner))
    return TargetsJoin.of(_of_one_class(images), _class_names(dataset))


def _common_questions(sources: Iterable[TargetsSource]) -> QuestionSet | None:
    sets = {source.targets.questions for source in sources}
    if len(sets) > 1:
        raise DataError(f'the datasets have answers to {len(sets)} different sets of questions')
    return sets.pop() if sets else None


def _infos(dataset: Any) -> Iterator[dict]:
    return map(dataset.get_data_info, range(len(dataset)))


def _class_names(dataset: Any) -> Sequence[str] | None:
    return getattr(dataset, 'metainfo', {}).get('classes')


def _of_one_class(
    images: Iterable[tuple[dict, TargetsSource | None]],
) -> Iterator[tuple[dict, TargetsSource | None]]:
    for info, source in images:
        label = info.get('gt_label')
        if not isinstance(label, ONE_CLASS):
            raise DataError(f'{info["img_path"]} has gt_label={label!r:.30}: each image must have exactly one class')
        yield info, source
