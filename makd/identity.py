"""What the outputs of a model mean: its classes, by name, and its questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from makd.errors import ConfigError
from makd.questions import QuestionSet

# The fields of a checkpoint's ``meta`` that hold the questions about images and about regions.
QUESTIONS, REGION_QUESTIONS = 'questions', 'region_questions'
LISTED = 5  # names in a message


@dataclass(frozen=True)
class Identity:
    """What a checkpoint says about the outputs of its model.

    Attributes:
        dataset_meta: Metadata of the training set, such as ``classes``; empty if the checkpoint has none.
        questions: The Q questions about images, in the order of the aspects; None if the checkpoint does not name any.
        region_questions: Likewise about regions.
    """

    dataset_meta: Mapping[str, Any] = field(default_factory=dict)
    questions: QuestionSet | None = None
    region_questions: QuestionSet | None = None

    @classmethod
    def of_checkpoint(cls, checkpoint: Mapping[str, Any]) -> 'Identity':
        """Read the identity from a checkpoint.

        Raises:
            QuestionsError: The checkpoint's questions are damaged.
        """
        meta = checkpoint.get('meta') or {}
        about_images, about_regions = (
            None if meta.get(name) is None else QuestionSet.from_dict(meta[name])
            for name in (QUESTIONS, REGION_QUESTIONS)
        )
        dataset_meta = meta.get('dataset_meta')
        if not isinstance(dataset_meta, Mapping):  # of mmcls and mmdet before mmengine
            dataset_meta = {'classes': meta['CLASSES']} if 'CLASSES' in meta else {}
        return cls(dataset_meta, about_images, about_regions)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the C classes in the order of the outputs; None if they are not known."""
        classes = self.dataset_meta.get('classes') or self.dataset_meta.get('CLASSES')
        return tuple(classes) if isinstance(classes, Sequence) and not isinstance(classes, str) and classes else None


def check_same(owner: str, identity: Identity, other_owner: str, other: Identity) -> None:
    """Raise a ConfigError if two identities name other classes or other questions; what has no names is not compared.

    Args:
        owner: Whose identity the first one is, such as 'the checkpoint epoch_1.pth'.
        identity: The identity.
        other_owner: Whose the other is, such as 'test_dataloader.dataset'.
        other: The other.
    """
    if identity.classes is not None and other.classes is not None:
        check_classes(
            owner,
            identity.classes,
            other_owner,
            other.classes,
            'Give both the same classes in the same order (metainfo=dict(classes=[...]) of a dataset names them). '
            'tools/test.py --map-classes tests on a dataset that has only some of the classes, matched by name.',
        )
    for name, loader in ((QUESTIONS, 'makd.LoadAspectTargets'), (REGION_QUESTIONS, 'makd.LoadRegionAspects')):
        questions, others = getattr(identity, name), getattr(other, name)
        if questions is not None and others is not None:
            check_questions(
                owner,
                questions,
                other_owner,
                others,
                f'Load answers to the same questions in the same order: question_ids=[...] of {loader} chooses them.',
            )


def check_classes(
    owner: str, classes: Sequence[str], other_owner: str, other_classes: Sequence[str], remedy: str
) -> None:
    """Raise a ConfigError that says how two ordered lists of classes differ, if they do.

    Args:
        owner: Whose classes the first ones are.
        classes: Their names.
        other_owner: Whose classes the others are.
        other_classes: Their names.
        remedy: What to do about a difference, a sentence.
    """
    if difference := _difference(owner, classes, other_owner, other_classes):
        raise ConfigError(f'The classes of {owner} are not those of {other_owner}: {difference}. {remedy}')


def check_questions(
    owner: str, questions: QuestionSet, other_owner: str, other_questions: QuestionSet, remedy: str
) -> None:
    """Raise a ConfigError that says how two sets of questions differ, if they do; see :func:`check_classes`."""
    if questions == other_questions:
        return
    difference = _difference(owner, questions.ids, other_owner, other_questions.ids) or next(
        f'{a.id!r} asks {a.text!r} in {owner}, and {b.text!r} in {other_owner}'
        for a, b in zip(questions, other_questions)
        if a != b
    )
    raise ConfigError(f'The questions of {owner} are not those of {other_owner}: {difference}. {remedy}')


def _difference(owner: str, names: Sequence[str], other_owner: str, others: Sequence[str]) -> str:
    """Say how two ordered lists of names differ; '' if they do not."""
    if tuple(names) == tuple(others):
        return ''
    found = [
        f'only {whose} has {_listed(only)}'
        for whose, only in (
            (owner, [name for name in names if name not in set(others)]),
            (other_owner, [name for name in others if name not in set(names)]),
        )
        if only
    ]
    if not found and len(names) == len(others):
        number, pair = next((n, pair) for n, pair in enumerate(zip(names, others)) if pair[0] != pair[1])
        return f'the order differs, number {number} is {pair[0]!r} in {owner} and {pair[1]!r} in {other_owner}'
    return '; '.join(found) or f'{owner} has {len(names)}, {other_owner} {len(others)}, and some names occur twice'


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ', '.join(map(repr, names[:LISTED])) + (f' and {rest} more' if rest > 0 else '')
