"""Read questions, or a choice of them, out of whatever a language model writes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from makd.questions.question_set import KINDS

_THOUGHTS = re.compile(r'<think>.*?(</think>|$)', re.DOTALL)
_FLAT_OBJECT = re.compile(r'\{[^{}]*\}')
_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_NUMBERS = re.compile(r'\[[\d\s,"]+')
_UP_TO_QUESTION_MARK = re.compile(r'[^?]*\?|[^?]+$')
_MARKER = re.compile(r'^[\s>#*_]*(?:(?:[-•]|(?:question|q)?\s*\(?\d{1,4}\s*[.):\]])[\s*_]*)*', re.IGNORECASE)
_KIND = re.compile(rf'\b({"|".join(KINDS)})\b', re.IGNORECASE)
_KIND_IN_FRONT = re.compile(rf'^[\[(*_]*({"|".join(KINDS)})[\])*_:]+\s*', re.IGNORECASE)
_SAME = 0.9

Candidate = tuple[str, str | None]


def parse_questions(text: str) -> list[Candidate]:
    """Return the candidates in a text, each with its kind if the text says it.

    JSON (whole, in a code fence, or cut off), a list with numbers or bullets, under headings or not, and bare lines are
    understood. Of prose only sentences with a question mark are taken, of a list every entry.

    Args:
        text: What a model wrote.

    Returns:
        (question, one of :data:`~makd.questions.KINDS` or None), in order.
    """
    text = _THOUGHTS.sub('', text)
    found = [entry for value in _json_values(text) for entry in _entries(value)] or list(_from_lines(text))
    return [entry for entry in found if entry[0]]


def parse_selection(text: str, questions: Sequence[str]) -> list[int]:
    """Return which questions of a numbered list a model chose.

    Args:
        text: What it wrote: numbers from 1, the questions' texts, or both, as JSON, as a list, or with commas. Where a
            question's text stands behind a number, the text counts: the number may be that of the model's own list.
        questions: The list, in order.

    Returns:
        Distinct indices from 0, in the order in which they were chosen. What is not in the list is left out.
    """
    text = _THOUGHTS.sub('', text)
    chosen: list[object] = [entry for value in _json_values(text) for entry in _leaves(value)]
    if not chosen:
        chosen = list(_NUMBERS.findall(text)) or [
            piece for line in text.splitlines() for piece in _UP_TO_QUESTION_MARK.findall(line)
        ]
    index_of = {_key(question): index for index, question in enumerate(questions)}
    indices = [index for entry in chosen for index in _indices(str(entry), index_of)]
    return list(dict.fromkeys(index for index in indices if index in range(len(questions))))


def _indices(entry: str, index_of: Mapping[str, int]) -> list[int]:
    """Return what an entry of a choice means: the question that it repeats, or else the numbers in it."""
    key = _key(entry)
    if key in index_of:
        return [index_of[key]]
    bare = re.sub(r'\b(?:questions?|no|q)(?![^\W\d_])', '', key or entry, flags=re.IGNORECASE)
    if re.search(r'[^\W\d_]', bare):
        return [index_of[close] for close in get_close_matches(key, index_of, n=1, cutoff=_SAME)]
    return [int(number) - 1 for number in re.findall(r'\d+', bare)]


def _key(text: str) -> str:
    return ' '.join(re.findall(r'\w+', _clean(text)[0].lower()))


def _json_values(text: str) -> list[Any]:
    """Return the JSON value in a text; of one that is broken, the objects or else the questions that are whole."""
    starts = [position for position in (text.find('{'), text.find('[')) if position >= 0]
    if not starts:
        return []
    try:
        return [json.JSONDecoder().raw_decode(text, min(starts))[0]]
    except ValueError:
        objects = [value for piece in _FLAT_OBJECT.findall(text) if (value := _loads(piece)) is not None]
        return objects or [value for piece in _STRING.findall(text) if '?' in (value := _loads(piece) or '')]


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _entries(value: Any, kind: Any = None) -> Iterator[Candidate]:
    """Yield the questions in a JSON value: strings and objects with a text, in lists or under their kind."""
    if isinstance(value, str):
        yield _clean(value, kind)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner, kind)
    elif isinstance(value, dict):
        text = value.get('text', value.get('question'))
        if isinstance(text, str):
            yield _clean(text, value.get('kind', kind))
        else:
            for key, inner in value.items():
                yield from _entries(inner, key if key.lower() in KINDS else kind)


def _leaves(value: Any) -> Iterator[object]:
    """Yield the numbers and texts in a JSON value."""
    if isinstance(value, dict):
        named = [value[field] for field in ('text', 'question', 'number', 'id') if field in value]
        value = named[:1] or list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _leaves(inner)
    else:
        yield value


def _from_lines(text: str) -> Iterator[Candidate]:
    heading = None
    for line in text.splitlines():
        *questions, rest = [*_UP_TO_QUESTION_MARK.findall(line), '']
        if questions and '?' not in questions[-1]:
            rest = questions.pop()
        named = match.group(1) if (match := _KIND.search(rest)) else None
        for question in questions:
            question, kind = _clean(question, named or heading)
            # In prose, what stands before the question in the same line is not part of it.
            yield re.split(r'(?<=[.!:])\s+', question)[-1], kind
        if not questions and named:
            heading = named
        elif not questions and _MARKER.match(line).group().strip('\t *_>#'):  # type: ignore[union-attr]
            yield _clean(line, heading)


def _clean(text: str, kind: Any = None) -> Candidate:
    """Put a question on one line, without number, bullet, quotes and kind."""
    text = _MARKER.sub('', ' '.join(text.split()))
    if match := _KIND_IN_FRONT.match(text):
        text, kind = text[match.end() :], match.group(1)
    kind = str(kind).lower()
    return text.strip(' *_"\'“”`'), kind if kind in KINDS else None
