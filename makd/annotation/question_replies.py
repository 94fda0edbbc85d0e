"""The forms in which a language model is asked to reply, and a fall-back for servers that ignore them."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, Field, ValidationError

from makd.questions.question_set import KINDS

_THOUGHTS = re.compile(r'<think>.*?(</think>|$)', re.DOTALL)
_KIND = re.compile(rf'[\[(]({"|".join(KINDS)})[\])]', re.IGNORECASE)
_LETTER = re.compile(r'[^\W\d_]')
_MARKER = re.compile(r'^\W*(?:(?:question|q)?\s*\d{1,4}[.):\]]\W*)?', re.IGNORECASE)
# Up to a question mark, with a kind in brackets; or an entry of a list.
_IN_TEXT = re.compile(r'[^?\n]+\?(?:[ *]*[\[(]\w+[\])])?|^\s*(?:[-*•]|\d+[.)])\s.+', re.MULTILINE)


# The docstrings of these models are part of the schema that the server gets.
class WrittenQuestion(BaseModel):
    """A yes/no question and its kind."""

    text: str
    kind: Annotated[str, Field(json_schema_extra={'enum': list(KINDS)})]  # an ignoring server may write any text


class WrittenQuestions(BaseModel):
    """The requested questions."""

    questions: list[WrittenQuestion]


class Selection(BaseModel):
    """The numbers of the selected questions, the best first."""

    selected: list[int]


def read_questions(reply: str) -> list[tuple[str, str | None]]:
    """Return the questions in a reply, in order.

    Without structured output, this is what the JSON in the reply contains, even if it is cut off, or else what looks
    like a question or an entry of a list.

    Returns:
        (question, one of :data:`~makd.questions.KINDS` or None).
    """
    reply = _THOUGHTS.sub('', reply)
    try:
        entries = [(question.text, question.kind) for question in WrittenQuestions.model_validate_json(reply).questions]
    except ValidationError:
        entries = [entry for entry in _json_entries(reply) if _LETTER.search(entry[0])]
        entries = entries or [(text, '') for text in _IN_TEXT.findall(reply)]
    return [cleaned for entry in entries if (cleaned := _clean(*entry))[0]]


def read_selection(reply: str, questions: Sequence[str]) -> list[int]:
    """Return which questions of a numbered list a reply selects.

    Without structured output, an entry of the reply that repeats the text of a question stands for this question, and
    other entries for their numbers: models that repeat questions often number them anew.

    Returns:
        Distinct indices from 0, the best first.
    """
    reply = _THOUGHTS.sub('', reply)
    try:
        numbers = Selection.model_validate_json(reply).selected
    except ValidationError:
        texts = {_words(question): number for number, question in enumerate(questions, start=1)}
        numbers = []
        for entry in [text for text, _ in _json_entries(reply)] or reply.splitlines():
            if repeated := [text for text in texts if text in _words(entry)]:
                numbers.append(texts[max(repeated, key=len)])
            elif not _LETTER.search(listed := entry.rpartition(':')[2]):
                numbers += map(int, re.findall(r'\d+', _MARKER.sub('', listed) or listed))
    return list(dict.fromkeys(number - 1 for number in numbers if 1 <= number <= len(questions)))


def _json_entries(text: str) -> list[tuple[str, str]]:
    """Return the texts, each with its kind or '', of all JSON values in a reply; the last one may be cut off."""
    entries: list[tuple[str, str]] = []
    position = 0
    while start := re.compile(r'[{\[]').search(text, position):
        try:
            value, position = json.JSONDecoder().raw_decode(text, start.start())
        except ValueError:
            position = start.end()
            try:
                value = pydantic_core.from_json(text[start.start() :], allow_partial=True)
            except ValueError:
                continue
            position = len(text)
        entries += _texts(value, '')
    return entries


def _texts(value: Any, kind: str) -> Iterator[tuple[str, str]]:
    """Yield the texts and numbers of a JSON value; of an object, only those that may be a question or its number."""
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner, kind)
    elif isinstance(value, dict):
        kind = str(value.get('kind', kind))
        for key, inner in value.items():
            is_name = isinstance(inner, str) and '?' not in inner and _LETTER.search(inner)
            if not is_name or key in ('text', 'question'):
                yield from _texts(inner, key if key.lower() in KINDS else kind)
    elif isinstance(value, str | int):
        yield str(value), kind


def _words(text: str) -> str:
    return ' '.join(re.findall(r'\w+', text.lower()))


def _clean(text: str, kind: str) -> tuple[str, str | None]:
    """Return a question without number, bullet, quotes, kind and what follows it; and its kind."""
    if match := _KIND.search(text):
        text, kind = _KIND.sub('', text), match.group(1)
    text = _MARKER.sub('', ' '.join(text.split()))
    text = text[: text.rfind('?') + 1] or text
    kind = kind.lower()
    return text.strip(' *_"\'“”`'), kind if kind in KINDS else None
