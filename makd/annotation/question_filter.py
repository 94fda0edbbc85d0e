"""Decide which questions are worth asking."""

import re
from collections.abc import Iterable, Sequence

_LONGEST = 300
_OPEN = {'what', 'which', 'who', 'whose', 'whom', 'where', 'when', 'why', 'how'}
# Words that do not make two questions about an image different.
_EMPTY_WORDS = """
    a an the this that its it is are was does do did has have had can could would will been being of in on at with to
    for from by and as there any some one you see image picture photo photograph object objects thing class present
    visible shown depicted seen appear appears feature features featuring typically usually generally mostly primarily
    mainly clearly visibly very commonly often
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())


class QuestionFilter:
    """Find the reason to drop a question, if there is one.

    Args:
        class_names: Names that a question must not contain. Each synonym between commas counts, and so do plurals.
        similarity: Share of common words at which two questions count as the same, in (0, 1]: 2 M / T, where T is the
            number of words in both and M the number in common. Word endings, order, and words that say nothing about
            an image ('Is there a visible ...') do not count.
    """

    def __init__(self, class_names: Iterable[str] = (), similarity: float = 0.9) -> None:
        self.similarity = similarity
        self._names: dict[str, list[tuple[list[str], str]]] = {}
        for name in class_names:
            for synonym in name.split(','):
                # CUB-200 numbers its classes: 001.Black_footed_Albatross.
                if stems := _stems(re.sub(r'^\s*\d+\.', '', synonym)):
                    self._names.setdefault(stems[0], []).append((stems, synonym.strip()))

    def reason_against(self, text: str, others: Iterable[str]) -> str | None:
        """Return why to drop a question, or None.

        Args:
            text: The question.
            others: The questions that were accepted before.
        """
        words = _words(text)
        if not text.endswith('?') or len(words) < 3:
            return 'not a question'
        # 'In which ...', and 'The question is: "Which ...'
        if any(_OPEN & set(_words(part)[:2]) for part in re.split(r'[.:!"“]', text)):
            return 'not a question that yes or no answers'
        if len(text) > _LONGEST:
            return f'longer than {_LONGEST} characters'
        if name := self._class_in(_stems(text)):
            return f'names the class {name!r}'
        content = _content(text)
        for other in others:
            theirs = _content(other)
            if 2 * len(content & theirs) >= self.similarity * (len(content) + len(theirs)):
                return f'repeats {other!r}'
        return None

    def _class_in(self, stems: Sequence[str]) -> str | None:
        for start, stem in enumerate(stems):
            for name, shown in self._names.get(stem, ()):
                if list(stems[start : start + len(name)]) == name:
                    return shown
        return None


def content_words(text: str) -> list[str]:
    """Return the words of a question that say what it asks about, or else all of its words."""
    words = _words(text)
    return [word for word in words if word not in _EMPTY] or words


def _content(text: str) -> set[str]:
    return {_stem(word) for word in content_words(text)}


def _words(text: str) -> list[str]:
    return re.findall(r'[^\W_]+', text.lower().replace("'s", ''))


def _stems(text: str) -> list[str]:
    return [_stem(word) for word in _words(text)]


def _stem(word: str) -> str:
    """Remove the ending of an English word, so that wings, wing and winged become one."""
    if len(word) <= 3:
        return word
    word = re.sub(r'(?<=[^aeiou])ies$', 'y', word)
    word = re.sub(r'(?<=[sxz])es$|(?<=[cs]h)es$|(?<=[^sui])s$', '', word)
    word = re.sub(r'(?<=...)(?:ed|ing)$', '', word)
    return re.sub(r'(?<=...)e$', '', word)
