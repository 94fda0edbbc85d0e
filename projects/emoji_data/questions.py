"""Yes/no questions about emoji, answered by rules over the Unicode CLDR annotations.

The rules are in ``questions.json``. CLDR gives an emoji a few keywords (``animal``, ``hump``), not an answer to every
question, so a rule also lists by name the emoji that its keywords miss (``include``) or match wrongly (``exclude``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from makd.errors import DataError

if TYPE_CHECKING:
    from projects.emoji_data.build import Emoji

RULES = Path(__file__).with_suffix('.json')


@dataclass(frozen=True)
class Rule:
    """A question and the emoji for which its answer is yes.

    Attributes:
        id: Short name of the question.
        text: The question.
        kind: One of :data:`makd.questions.KINDS`.
        subcategories: The answer is yes for every emoji of these subcategories,
        keywords: and for every emoji with one of these CLDR keywords.
        include: Names of further emoji with the answer yes.
        exclude: Names of emoji with the answer no, regardless of the other fields.
    """

    id: str
    text: str
    kind: str
    subcategories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def answer(self, name: str, subcategory: str, keywords: frozenset[str]) -> bool:
        """Return whether the answer for an emoji is yes."""
        if name in self.exclude:
            return False
        return subcategory in self.subcategories or name in self.include or not keywords.isdisjoint(self.keywords)


def load_rules() -> list[Rule]:
    """Read the rules."""
    entries: list[dict[str, Any]] = json.loads(RULES.read_text(encoding='utf-8'))
    lists = ('subcategories', 'keywords', 'include', 'exclude')
    return [Rule(**{**entry, **{field: tuple(entry.get(field, ())) for field in lists}}) for entry in entries]


def answer_all(rules: Sequence[Rule], emoji: Sequence['Emoji'], keywords: Mapping[str, frozenset[str]]) -> np.ndarray:
    """Answer every question for every emoji.

    Args:
        rules: Q rules.
        emoji: E emoji.
        keywords: CLDR keywords, keyed by the emoji's ids.

    Returns:
        (E, Q) bool, True for yes.

    Raises:
        DataError: A rule names a subcategory, keyword or emoji that does not exist.
    """
    known = {
        'subcategories': {entry.subcategory for entry in emoji},
        'keywords': frozenset().union(*keywords.values()),
        'include': {entry.name for entry in emoji},
        'exclude': {entry.name for entry in emoji},
    }
    for rule in rules:
        for field, names in known.items():
            if unknown := set(getattr(rule, field)) - names:
                raise DataError(
                    f'{RULES.name}, question "{rule.id}", {field}: no emoji has {sorted(unknown)}; correct the spelling'
                )
    return np.array(
        [[rule.answer(entry.name, entry.subcategory, keywords[entry.id]) for rule in rules] for entry in emoji]
    )


def rank(answers: np.ndarray) -> list[int]:
    """Order questions greedily, so that the first K separate as many things as possible.

    Each question maximises the entropy of the groups of things that have equal answers up to and including it. Ties go
    to the earlier question.

    Args:
        answers: (E, Q) bool.

    Returns:
        Columns of ``answers``, the most useful first.
    """
    groups = np.zeros(len(answers), dtype=np.int64)
    left, order = list(range(answers.shape[1])), []
    while left:
        split = {column: 2 * groups + answers[:, column] for column in left}
        best = max(left, key=lambda column: round(_entropy(split[column]), 9))
        groups = np.unique(split[best], return_inverse=True)[1]
        left.remove(best)
        order.append(best)
    return order


def _entropy(labels: np.ndarray) -> float:
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return -float(np.sum(shares * np.log2(shares)))


def log_probabilities(answers: np.ndarray) -> np.ndarray:
    """Return the log-probabilities of certain answers.

    Args:
        answers: (..., Q) bool.

    Returns:
        (..., Q, 2) float32, [log p(yes), log p(no)]: 0 for the answer given, minus infinity for the other.
    """
    return np.where(np.stack([answers, ~answers], axis=-1), np.float32(0), np.float32(-np.inf))
