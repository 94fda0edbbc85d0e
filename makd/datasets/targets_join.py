"""Which image of a dataset has which row in a targets folder, and the reverse."""

import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Any, Protocol

import numpy as np

from makd.datasets.dataset_wrappers import leaf_datasets
from makd.datasets.load_region_aspects import LoadRegionAspects
from makd.datasets.load_targets import LoadAnswers, LoadAspectTargets, target_transforms, training_transforms
from makd.datasets.regions import region_infos
from makd.datasets.with_unlabelled import labelled_part
from makd.errors import ConfigError, DataError
from makd.identity import Identity, check_questions, check_same
from makd.labels import UNKNOWN
from makd.questions import QuestionSet
from makd.targets import AspectTargets
from makd.targets.image_key import image_key
from makd.targets.logprobs import sigmoid_of_pair
from makd.targets.region_key import IMAGES, REGIONS

BLOCK_BYTES = 1 << 24  # of answers that are read at once
LISTED = 10  # keys in a message
ONE_CLASS = (int, np.integer)  # types of a label that is exactly one class


class TargetsSource(Protocol):
    """Targets, the key that an image has, or would have, in them, and the images of a dataset; see ``LoadTargets``.

    What holds for images here holds for regions of images, too: their path is that of the image with the box.
    """

    @property
    def targets(self) -> Any: ...  # noqa: D102

    def key(self, img_path: str) -> str: ...  # noqa: D102

    def infos(self, dataset: Any) -> Iterable[dict]: ...  # noqa: D102


_Image = tuple[dict, TargetsSource | None]


@dataclass(frozen=True, eq=False)
class TargetsJoin:
    """The N images of one or more datasets, in their order, each with its row in the targets that are about it.

    No image is loaded, and answers are read only when one of the matrices (N, Q) is asked for.

    Attributes:
        paths: Path or URL of each image, N.
        labels: Class of each image, (N,) int64; -1 for an image without exactly one class.
        classes: Names of the C classes; their numbers if they have no names.
        sources: The targets about each image, N; None for an image whose pipeline loads no answers.
        rows: Row of each image in its targets, (N,) int64; -1 if it has none.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    sources: tuple[TargetsSource | None, ...]
    rows: np.ndarray

    @classmethod
    def of(cls, images: Iterable[_Image], classes: Sequence[str] | None) -> 'TargetsJoin':
        """Look up the rows.

        Args:
            images: The annotation of each image (``img_path``, ``gt_label``), and the targets that are about it.
            classes: Names of the C classes.

        Raises:
            ConfigError: An image lies outside the folder that the keys of its targets are relative to.
        """
        paths, sources = [], []
        labels, rows = array('q'), array('q')
        for info, source in images:
            path, label = info['img_path'], info.get('gt_label')
            row = None if source is None else source.targets.find(source.key(path))
            paths.append(path)
            sources.append(source)
            labels.append(int(label) if isinstance(label, ONE_CLASS) else -1)
            rows.append(-1 if row is None else row)
        names = classes or map(str, range(max(labels, default=-1) + 1))
        return cls(tuple(paths), np.array(labels), tuple(names), tuple(sources), np.array(rows))

    @classmethod
    def of_dataset(cls, dataset: Any, source: TargetsSource) -> 'TargetsJoin':
        """Look up the images of a dataset, which may lack classes, in one source."""
        return cls.of(((info, source) for info in source.infos(dataset)), _class_names(dataset))

    @property
    def questions(self) -> QuestionSet | None:
        """The Q questions; None if no pipeline loads answers."""
        return _common_questions(self.sources)

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
        """Label mass, p(yes) + p(no) of the annotator's full softmax, (N, Q) float32; NaN where it is not known.

        A low mass means that the annotator wanted to say something other than yes or no.
        """
        matrix = np.full((len(self.paths), len(self.questions or ())), np.nan, np.float32)
        for images, targets, logprobs in self._blocks():
            matrix[images] = targets.mass_of(logprobs)
        return matrix

    @cached_property
    def answered(self) -> np.ndarray:
        """Whether an image has an answer to every question, (N,) bool."""
        answered = np.zeros(len(self.paths), bool)
        for images, _, logprobs in self._blocks():
            answered[images] = ~np.isnan(logprobs).any(axis=(1, 2))
        return answered

    @property
    def has_answers(self) -> bool:
        """Whether any image has an answer to any question."""
        return any(not np.isnan(logprobs).all() for _, _, logprobs in self._blocks())

    def annotated(self) -> 'TargetsJoin':
        """Return the join of those images that have a row.

        Raises:
            DataError: None has.
        """
        found = self.rows >= 0
        if not found.any():
            places = ', '.join(sorted({str(source.targets.path) for source in self.sources if source}))
            raise DataError(f'{places} has no answers about any of the {len(found)} training images')
        return TargetsJoin(
            tuple(compress(self.paths, found)),
            self.labels[found],
            self.classes,
            tuple(compress(self.sources, found)),
            self.rows[found],
        )

    def keys(self, images: Iterable[int]) -> list[str]:
        """Return the keys of images that have a source, by their indices."""
        found = ((self.sources[index], self.paths[index]) for index in images)
        return [source.key(path) for source, path in found if source]

    def describe(self, lacking: np.ndarray, what: str) -> str:
        """Return a message with the number and the first keys of images that lack something; '' if there are none.

        Args:
            lacking: Whether an image lacks it, (N,) bool.
            what: What it is, such as 'no targets in FOLDER'.
        """
        if not lacking.any():
            return ''
        keys = '\n  '.join(sorted(set(self.keys(np.flatnonzero(lacking))))[:LISTED])
        about = REGIONS if any(getattr(source, 'about', IMAGES) == REGIONS for source in self.sources) else IMAGES
        return f'{lacking.sum()} of {len(lacking)} {about} have {what}:\n  {keys}'

    def _matrix(self, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return ``function`` of the log-probabilities (n, Q, 2) of the images as one matrix, (N, Q)."""
        matrix = np.full((len(self.paths), len(self.questions or ())), np.nan, np.float32)
        for images, _, logprobs in self._blocks():
            matrix[images] = function(logprobs)
        return matrix

    def _blocks(self) -> Iterator[tuple[np.ndarray, Any, np.ndarray]]:
        """Yield indices of images that have a row, (n,), with their targets and log-probabilities, (n, Q, 2)."""
        for source in {source for source in self.sources if source}:
            own = np.fromiter((other is source for other in self.sources), bool, len(self.sources))
            images = np.flatnonzero(own & (self.rows >= 0))
            step = max(1, BLOCK_BYTES // (8 * len(source.targets.questions)))
            for start in range(0, len(images), step):
                block = images[start : start + step]
                yield block, source.targets, source.targets.logprobs_at(self.rows[block])


def join_dataset(dataset: Any) -> TargetsJoin:
    """Join a classification dataset, in the order of its items, with the answers that its pipelines load, if any.

    Args:
        dataset: A dataset, or a wrapper, whose pipelines may have ``makd.LoadAspectTargets``.

    Raises:
        ConfigError: The pipelines load answers to different questions.
        DataError: An image does not have exactly one class.
    """
    pairs = list(target_transforms(dataset, LoadAspectTargets))
    _common_questions(transform for _, transform in pairs)
    # A wrapper may repeat and reorder images, and does not say which inner dataset an item comes from.
    source_of = {info['img_path']: transform for inner, transform in pairs for info in _infos(inner)}
    images = ((info, source_of.get(info['img_path'])) for info in _infos(dataset))
    return TargetsJoin.of(_of_one_class(images), _class_names(dataset))


def join_training_set(dataset: Any, kind: type[LoadAnswers] = LoadAspectTargets) -> TargetsJoin:
    """Join the labelled images of a training set, each once even if a wrapper repeats it, with their answers.

    Args:
        dataset: The training set, or a wrapper.
        kind: The transform that loads the answers; with ``LoadRegionAspects``, they are joined with regions.

    Raises:
        ConfigError: No pipeline loads answers, or they load answers to different questions.
        DataError: An image does not have exactly one class.
    """
    pairs = training_transforms(labelled_part(dataset), kind)
    _common_questions(transform for _, transform in pairs)
    images = ((info, transform) for inner, transform in pairs for info in transform.infos(inner))
    labelled = (image for image in images if image[0].get('gt_label') != UNKNOWN)
    return TargetsJoin.of(_of_one_class(labelled), _class_names(dataset))


def identity_of(dataset: Any) -> Identity:
    """Return the classes of a dataset, and the questions that its pipelines load answers to.

    Raises:
        ConfigError: They load answers to different questions, or parts of the dataset have other classes.
    """
    about_images, about_regions = (
        _common_questions(transform for _, transform in target_transforms(dataset, kind))
        for kind in (LoadAspectTargets, LoadRegionAspects)
    )
    identity = Identity(getattr(dataset, 'metainfo', {}), about_images, about_regions)
    for part in leaf_datasets(labelled_part(dataset)):  # a wrapper has the metainfo of its first part
        check_same('one part of the dataset', identity, 'another', Identity(getattr(part, 'metainfo', {})))
    return identity


def _common_questions(sources: Iterable[TargetsSource | None]) -> QuestionSet | None:
    found = [source for source in dict.fromkeys(sources) if source]
    for other in found[1:]:
        check_questions(
            str(found[0].targets.path),
            found[0].targets.questions,
            str(other.targets.path),
            other.targets.questions,
            'Parts of one dataset need answers to the same questions in the same order: question_ids=[...] of '
            f'makd.{type(other).__name__} chooses them.',
        )
    return found[0].targets.questions if found else None


def _infos(dataset: Any) -> Iterator[dict]:
    return map(dataset.get_data_info, range(len(dataset)))


def _class_names(dataset: Any) -> Sequence[str] | None:
    return getattr(dataset, 'metainfo', {}).get('classes')


def _of_one_class(images: Iterable[_Image]) -> Iterator[_Image]:
    for info, source in images:
        label = info.get('gt_label')
        if not isinstance(label, ONE_CLASS) or label == UNKNOWN:
            raise DataError(f'{info["img_path"]} has gt_label={label!r:.30}: each image must have exactly one class')
        yield info, source


@dataclass(frozen=True)
class AnsweredImages:
    """Paths and classes of the N images of a targets folder.

    Attributes:
        paths: Path or URL of each image, N; '' for an image that is in no dataset.
        labels: Class of each image, (N,) int64; -1 for an image that is in no dataset.
        classes: Names of the C classes; '' for the images that a dataset lists without a class.
        by_folder: Whether the folders of the keys stand in for classes, because no dataset knows any.
    """

    paths: tuple[str, ...]
    labels: np.ndarray
    classes: tuple[str, ...]
    by_folder: bool


@dataclass(frozen=True, eq=False)
class _TargetsBelowRoots:
    """Targets whose keys are relative to any of several folders."""

    targets: AspectTargets
    roots: Sequence[str]

    def key(self, img_path: str) -> str:
        """Return the key of an image; '', which is never a key, if it has none below any root."""
        for root in self.roots:
            try:
                key = image_key(img_path, os.path.join(root, ''))
            except ConfigError:  # outside this root
                continue
            if key in self.targets:
                return key
        return ''

    def infos(self, dataset: Any) -> Iterable[dict]:
        """Return the images, or the regions, of a dataset."""
        return region_infos(dataset) if self.targets.about == REGIONS else _infos(dataset)


def images_of_folder(targets: AspectTargets, root: str) -> AnsweredImages:
    """Take ``root`` as the folder that the keys are relative to, and the folders of the keys as classes."""
    return _by_folder(targets, [os.path.join(root, key) for key in targets.keys])


def images_of_datasets(targets: AspectTargets, datasets: Iterable[Any], roots: Sequence[str]) -> AnsweredImages:
    """Look for the images in datasets, which know their classes; if none does, the folders of the keys are classes.

    Args:
        targets: The answers.
        datasets: Datasets of mmpretrain or mmdet, or wrappers. No image is loaded.
        roots: The folders that keys may be relative to.

    Raises:
        DataError: None of the datasets' images has a key in ``targets``.
    """
    source = _TargetsBelowRoots(targets, roots)
    joins = [TargetsJoin.of_dataset(leaf, source) for dataset in datasets for leaf in leaf_datasets(dataset)]
    paths = [''] * len(targets)
    known: dict[int, tuple[int, str]] = {}
    for join in joins:
        for index in np.flatnonzero(join.rows >= 0):
            row, label = int(join.rows[index]), int(join.labels[index])
            paths[row] = join.paths[index]
            if label >= 0:
                known[row] = label, join.classes[label]
    if not any(paths):
        raise DataError(
            f'none of the {sum(len(join.paths) for join in joins)} images of the datasets has answers in '
            f'{targets.path}, whose keys look like {targets.keys[0]!r} (looked for relative to '
            f'{", ".join(map(repr, roots))}). Name a config that loads or made these answers, or the folder that the '
            'keys are relative to.'
        )
    if not known:
        return _by_folder(targets, paths)
    return _grouped([known.get(row, (-1, '')) if path else None for row, path in enumerate(paths)], paths, False)


def _by_folder(targets: AspectTargets, paths: Sequence[str]) -> AnsweredImages:
    folders = [(0, key.rpartition('/')[0]) if path else None for key, path in zip(targets.keys, paths)]
    return _grouped(folders, paths, True)


def _grouped(class_of: Sequence[tuple[int, str] | None], paths: Sequence[str], by_folder: bool) -> AnsweredImages:
    """Number the classes by their label and name: classes of two datasets may share either."""
    classes = sorted({class_ for class_ in class_of if class_ is not None})
    index = {class_: number for number, class_ in enumerate(classes)}
    labels = np.array([-1 if class_ is None else index[class_] for class_ in class_of], np.int64)
    return AnsweredImages(tuple(paths), labels, tuple(name for _, name in classes), by_folder)
