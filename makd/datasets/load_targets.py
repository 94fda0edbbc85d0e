"""The transforms that give each image what a targets folder has about it."""

import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from makd.datasets.dataset_wrappers import walk_datasets
from makd.datasets.packed_path import packed_path
from makd.datasets.walk_transforms import walk_transforms
from makd.errors import ConfigError, TargetsError
from makd.labels import UNKNOWN, mark_unlabelled
from makd.ranges import Count
from makd.registry import TRANSFORMS
from makd.targets import AspectTargets
from makd.targets.image_key import image_key
from makd.targets.region_key import IMAGES, REGIONS

FLOOR = -100.0  # float32 has no probability below e^-104


class LoadTargets(BaseTransform):
    """Set a field of a packed data sample to what a targets folder has about its image.

    It stands after ``PackInputs`` or ``PackDetInputs`` and reads nothing but the sample's ``img_path``, so one
    transform serves classification and detection. A label of -1 is marked as unknown. An image's key is its path
    relative to ``data_root``. A subclass names the field and looks its value up.

    Args:
        targets: ``AspectTargets``; ``AblateAspectTargetsHook`` puts a control in their place.
        data_root: The folder that the targets' keys are relative to.

    Raises:
        ConfigError: While loading, no ``img_path`` is packed.
    """

    field: str
    content: str  # what the field holds, for messages
    remedy: str  # how to load it, for messages

    def __init__(self, targets: Any, data_root: str) -> None:
        self.targets = targets
        self.data_root = os.path.join(data_root, '')

    def key(self, img_path: str) -> str:
        """Return the targets' key of an image: its POSIX path relative to ``data_root``."""
        return image_key(img_path, self.data_root)

    def infos(self, dataset: Any) -> Iterator[dict]:
        """Yield the annotation of each image of a dataset that ``field`` is set for: ``img_path`` and ``gt_label``."""
        return map(dataset.get_data_info, range(len(dataset)))

    def transform(self, results: dict) -> dict | None:
        """Set the field on ``results['data_samples']``."""
        data_sample: Any = results.get('data_samples')
        path = packed_path(data_sample, f'makd.{type(self).__name__}')
        data_sample.set_field(self.look_up(self.key(path)), self.field)
        if 'gt_label' in data_sample and (data_sample.gt_label == UNKNOWN).any():
            mark_unlabelled(data_sample)
        return results

    @abstractmethod
    def look_up(self, key: str) -> torch.Tensor:
        """Return the value of the field for the image of this key."""

    def __repr__(self) -> str:
        return f'{type(self).__name__}(targets={str(self.targets.path)!r}, data_root={self.data_root!r})'


class LoadAnswers(LoadTargets):
    """The common part of the transforms that load answers to questions.

    Args:
        targets: A targets folder (see ``makd.targets.AspectTargets``).
        data_root: The folder that the targets' keys are relative to.
        missing: 'error' to refuse an image or region without targets, or 'ignore' to give it NaN, which the loss leaves
            out.
        top: Take only the first ``top`` questions.
        question_ids: Take only these questions, in this order.

    Raises:
        ConfigError: ``missing`` has another value, or the answers are about something else; while loading, an image
            lies outside ``data_root``.
        TargetsError: The folder is absent or damaged; while loading, an image or region has no targets.
    """

    content = 'aspect targets'
    remedy = "End it with dict(type='makd.LoadAspectTargets', targets=..., data_root=...)."
    about: str

    def __init__(
        self,
        targets: str,
        data_root: str,
        missing: str = 'error',
        top: Count | None = None,
        question_ids: Sequence[str] | None = None,
    ) -> None:
        if missing not in ('error', 'ignore'):
            raise ConfigError(f"makd.{type(self).__name__}: missing={missing!r} must be 'error' or 'ignore'.")
        answers = AspectTargets.open(targets)
        if answers.about != self.about:
            other = {IMAGES: 'makd.LoadAspectTargets', REGIONS: 'makd.LoadRegionAspects'}[answers.about]
            raise ConfigError(
                f'makd.{type(self).__name__}: {targets} has answers about {answers.about}, not {self.about}, with keys '
                f'like {answers.keys[0]!r}: {other} loads them.'
            )
        super().__init__(answers.select(question_ids=question_ids, top=top), data_root)
        self.missing = missing

    @property
    def num_aspects(self) -> int:
        """Q, the number of questions that each target answers."""
        return len(self.targets.questions)

    def look_up(self, key: str) -> torch.Tensor:
        """Return P(yes) of each question, (Q,) float32."""
        if self.missing == 'ignore' and key not in self.targets:
            return torch.full((self.num_aspects,), torch.nan)
        return torch.from_numpy(self.targets.probability(key))


@TRANSFORMS.register_module()
class LoadAspectTargets(LoadAnswers):
    """Set ``gt_aspects``, the annotator's P(yes) for each question, on a packed data sample.

    Required key: ``data_samples`` (with ``img_path``). Modified: ``data_samples.gt_aspects``, a float32 tensor (Q,) in
    [0, 1]; NaN where the annotator has no answer.

    Args:
        **kwargs: Arguments of ``LoadAnswers``: ``targets`` about images, ``data_root``, ``missing``, ``top``,
            ``question_ids``.
    """

    field = 'gt_aspects'
    about = IMAGES


@TRANSFORMS.register_module()
class LoadTeacherLogits(LoadTargets):
    """Set ``teacher_logits``, a teacher's log p(class), on a packed data sample (paper section 5.1, Table 7).

    The targets hold what a teacher answered when it was asked for the class (``makd.HFClassAnnotator``): their
    questions are the names of the classes. ``makd.DistillImageClassifier`` with ``teacher=None`` learns them, and
    ``makd.TeacherLogitsHook`` puts them into the order of the dataset's classes.

    Required key: ``data_samples`` (with ``img_path``). Modified: ``data_samples.teacher_logits``, a float32 tensor (C,)
    in [-100, 0].

    Args:
        targets: A targets folder.
        data_root: The folder that the targets' keys are relative to.

    Raises:
        ConfigError: While loading, the classes have not been put in order, or an image lies outside ``data_root``.
        TargetsError: The folder is absent or damaged; while loading, an image has no answers.
    """

    field = 'teacher_logits'
    content = 'teacher logits'
    remedy = "End it with dict(type='makd.LoadTeacherLogits', targets=..., data_root=...)."

    def __init__(self, targets: str, data_root: str) -> None:
        super().__init__(AspectTargets.open(targets), data_root)
        self._ordered = False

    def order(self, classes: Sequence[str]) -> None:
        """Put the logits into the order of the dataset's classes.

        Raises:
            ConfigError: The teacher was asked about other classes.
        """
        known = self.targets.questions.ids
        if missing := [name for name in classes if name not in known]:
            close = get_close_matches(missing[0], known, n=1)
            hint = f' It has {close[0]!r}.' if close else ''
            raise ConfigError(
                f'{self.targets.path} has no answers for {len(missing)} of {len(classes)} classes of the dataset, '
                f'first {missing[0]!r}.{hint} Ask the teacher about the classes by the names that the dataset gives '
                'them.'
            )
        if surplus := [name for name in known if name not in set(classes)]:
            raise ConfigError(
                f'{self.targets.path} has answers for {len(surplus)} classes that the dataset does not have, first '
                f'{surplus[0]!r}, so its probabilities are spread over too many classes. Ask the teacher about the '
                "dataset's classes only."
            )
        self.targets = self.targets.select(question_ids=classes)
        self._ordered = True

    def look_up(self, key: str) -> torch.Tensor:
        """Return log p(class), (C,) float32."""
        if not self._ordered:
            raise ConfigError(
                "makd.LoadTeacherLogits does not know the order of the dataset's classes: add "
                "dict(type='makd.TeacherLogitsHook') to custom_hooks."
            )
        logp = self.targets.logprobs_of(key)[:, 0]
        if np.isnan(logp).any():
            raise TargetsError(
                f'{self.targets.path} lacks answers about the image {key!r}: annotate it again, or leave it out'
            )
        return torch.from_numpy(np.maximum(logp, np.float32(FLOOR)))


_Transform = TypeVar('_Transform', bound=LoadTargets)


def target_transforms(dataset: Any, kind: type[_Transform]) -> Iterator[tuple[Any, _Transform]]:
    """Yield each dataset that has a transform of this kind, with the transform: the dataset itself or inner ones."""
    for inner in walk_datasets(dataset):
        for transform in walk_transforms(getattr(inner, 'pipeline', None)):
            if isinstance(transform, kind):
                yield inner, transform


def training_transforms(dataset: Any, kind: type[_Transform]) -> list[tuple[Any, _Transform]]:
    """Return ``target_transforms`` of the training set; raise a ConfigError if there are none."""
    pairs = list(target_transforms(dataset, kind))
    if not pairs:
        raise ConfigError(f'No pipeline of train_dataloader.dataset has {kind.content}. {kind.remedy}')
    return pairs
