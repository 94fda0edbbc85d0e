"""The questions that a multimodal LLM answers about each image."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from makd.errors import QuestionsError
from makd.files import parse_json, read_text, write_text

KINDS = ('visual', 'categorical', 'environmental', 'abstract')


@dataclass(frozen=True)
class Question:
    """A yes/no question about an image.

    Attributes:
        id: Short name, unique in its set, for selections, Parquet columns and reports.
        text: The question as the annotator reads it, on one line.
        kind: One of :data:`KINDS`, the kinds of aspects in the paper's section 3.2, or None.
    """

    id: str
    text: str
    kind: str | None = None


class QuestionSet:
    """An ordered set of questions. Its order is the order of the aspects in targets, heads and metrics.

    Two sets are equal if they have the same :attr:`hash`, that is, the same ids and texts in the same order; kinds and
    metadata do not count.

    Args:
        questions: At least one question, with unique ids and unique texts.
        metadata: Where the questions come from, as JSON values.

    Raises:
        QuestionsError: There is no question, or a question is invalid or occurs twice.
    """

    def __init__(self, questions: Iterable[Question], metadata: Mapping[str, Any] | None = None) -> None:
        self._questions = tuple(questions)
        self.metadata = dict(metadata or {})
        _check(self._questions)

    def __len__(self) -> int:
        return len(self._questions)

    def __iter__(self) -> Iterator[Question]:
        return iter(self._questions)

    def __getitem__(self, index: int) -> Question:
        return self._questions[index]

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, QuestionSet) else NotImplemented

    def __hash__(self) -> int:
        return int(self.hash[:15], 16)

    def __repr__(self) -> str:
        return f'QuestionSet({len(self)} questions, hash {self.hash[:12]})'

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, in order."""
        return tuple(question.id for question in self)

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts, in order."""
        return tuple(question.text for question in self)

    @property
    def hash(self) -> str:
        """SHA-256, as 64 hex digits, of the ordered ids and texts.

        The canonical form is the JSON array ``[["id","text"],...]`` in ASCII (other characters as ``\\uXXXX``), without
        spaces between the tokens.
        """
        pairs = [[question.id, question.text] for question in self]
        return hashlib.sha256(json.dumps(pairs, separators=(',', ':')).encode('ascii')).hexdigest()

    def select(self, ids: Iterable[str]) -> 'QuestionSet':
        """Keep the questions with these ids, in the order given.

        Raises:
            QuestionsError: An id is unknown or occurs twice, or there are no ids.
        """
        by_id = {question.id: question for question in self}
        ids = tuple(ids)
        for unknown in (id_ for id_ in ids if id_ not in by_id):
            close = get_close_matches(str(unknown), by_id) or list(by_id)[:3]
            raise QuestionsError(
                f'there is no question {unknown!r} among the {len(self)}; close to it: {_quoted(close)}'
            )
        return QuestionSet((by_id[id_] for id_ in ids), self.metadata)

    def top(self, k: int) -> 'QuestionSet':
        """Keep the first ``k`` questions, 1 <= k <= Q.

        Raises:
            QuestionsError: ``k`` is out of range.
        """
        if not 1 <= k <= len(self):
            raise QuestionsError(f'cannot take the top {k} of {len(self)} questions: choose from 1 to {len(self)}')
        return QuestionSet(self._questions[:k], self.metadata)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: ``{"questions": [{"id": ..., "text": ..., "kind": ...}, ...], "metadata": {...}}``."""
        entries = []
        for question in self:
            entry = {'id': question.id, 'text': question.text}
            entries.append(entry if question.kind is None else {**entry, 'kind': question.kind})
        return {'questions': entries, 'metadata': self.metadata}

    @classmethod
    def from_dict(cls, content: object) -> 'QuestionSet':
        """Make a set from its JSON form, see :meth:`to_dict`; ``metadata`` is optional.

        Raises:
            QuestionsError: The structure is different, or a question is invalid or occurs twice.
        """
        if not isinstance(content, dict) or not isinstance(content.get('questions'), list):
            raise QuestionsError('expected {"questions": [{"id": ..., "text": ...}, ...]}, got ' + _shown(content))
        if unknown := sorted(content.keys() - {'questions', 'metadata'}):
            raise QuestionsError(f'unknown field {unknown[0]!r} beside "questions": put it under "metadata"')
        if not isinstance(metadata := content.get('metadata', {}), dict):
            raise QuestionsError(f'"metadata" must be a JSON object, got {_shown(metadata)}')
        if not _is_unicode(json.dumps(metadata, ensure_ascii=False)):
            raise QuestionsError('"metadata" has one half of a surrogate pair, which cannot be written as UTF-8')
        return cls((_parse(index, entry) for index, entry in enumerate(content['questions'])), metadata)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the set as JSON. An existing file is replaced atomically."""
        write_text(Path(path), json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + '\n')

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> 'QuestionSet':
        """Read a JSON file that :meth:`save` or a person wrote.

        Raises:
            QuestionsError: The file is missing, is not JSON, or is not a set of questions (see :meth:`from_dict`).
        """
        text = read_text(path, QuestionsError)
        try:
            content = parse_json(text, path, QuestionsError)
        except QuestionsError as error:
            hint = '' if text[:1] in ('{', '[') else '; QuestionSet.from_text reads a file with one question per line'
            raise QuestionsError(f'{error}{hint}') from None
        try:
            return cls.from_dict(content)
        except QuestionsError as error:
            raise QuestionsError(f'{path}: {error}') from None

    @classmethod
    def from_text(cls, path: str | os.PathLike[str]) -> 'QuestionSet':
        """Read a text file with one question per line, as the paper's authors release; empty lines are skipped.

        The questions get the ids ``q1``, ``q2``, ... in order.

        Raises:
            QuestionsError: The file is missing, empty, or has a question twice.
        """
        texts = [line.strip() for line in read_text(path, QuestionsError).split('\n') if line.strip()]
        try:
            return cls(Question(f'q{number}', text) for number, text in enumerate(texts, start=1))
        except QuestionsError as error:
            raise QuestionsError(f'{path}: {error}') from None


def _check(questions: tuple[Question, ...]) -> None:
    if not questions:
        raise QuestionsError('there are no questions: give at least one')
    index_of: dict[tuple[str, str], int] = {}
    for index, question in enumerate(questions):
        for field in ('id', 'text'):
            value = getattr(question, field)
            place = f'questions[{index}] ({question.id!r})'
            if not isinstance(value, str) or not value.strip() or '\n' in value or not _is_unicode(value):
                raise QuestionsError(f'{place}: {field} must be one line of text, not empty, got {value!r}')
            first = index_of.setdefault((field, ' '.join(value.split())), index)
            if first != index:
                raise QuestionsError(
                    f'{place}: {field} {value!r} is also the {field} of questions[{first}]; change or drop one of them'
                )
        if question.kind is not None and question.kind not in KINDS:
            raise QuestionsError(
                f'{place}: unknown kind {question.kind!r}; choose from {_quoted(KINDS)}, or leave it out'
            )


def _is_unicode(text: str) -> bool:
    """Return whether a text can be written as UTF-8: JSON may hold one half of a surrogate pair."""
    return not any('\ud800' <= character <= '\udfff' for character in text)


def _parse(index: int, entry: object) -> Question:
    if not isinstance(entry, dict):
        raise QuestionsError(f'questions[{index}]: expected {{"id": ..., "text": ...}}, got {_shown(entry)}')
    if missing := [field for field in ('id', 'text') if field not in entry]:
        raise QuestionsError(f'questions[{index}]: the field {missing[0]!r} is missing; add it')
    if unknown := sorted(entry.keys() - {'id', 'text', 'kind'}):
        raise QuestionsError(f'questions[{index}]: unknown field {unknown[0]!r}; the fields are id, text and kind')
    return Question(**entry)


def _quoted(names: Iterable[str]) -> str:
    return ', '.join(repr(name) for name in names)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f'{text[:57]}...'
