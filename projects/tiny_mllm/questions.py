"""The questions that the tiny MLLM learns to read, and the answers of each lesson."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from projects.tiny_mllm.pictures import Lesson

# Words used for at least this many different things are asked about; rarer ones would only be memorised.
MIN_THINGS = 6
# P(yes) where people used a word and where they did not, which does not mean that it is wrong.
SAID, UNSAID = 0.9, 0.04
TEMPLATES = ('Is it {a} {word}?', 'Is there {a} {word}?', 'Does it have to do with {word}?', 'Can you see {a} {word}?')
WORDS_SHARE = 0.25


class QuestionBank:
    """The shared questions, followed by the questions made from each word.

    Args:
        texts: The Q shared questions.
        lessons: The lessons, with their words and their answers to the shared questions.

    Attributes:
        texts: All questions: the Q shared, then ``len(TEMPLATES)`` for each of the W words.
        words: The W words.
        answers: (N, Q) float32, P(yes) of the shared questions; NaN where nobody answered.
        said: (N, W) bool, which words people use for each lesson.
    """

    def __init__(self, texts: Sequence[str], lessons: Sequence[Lesson]) -> None:
        things = defaultdict(set)
        for lesson in lessons:
            for word in lesson.words:
                things[word].add(PurePosixPath(lesson.key).name)
        self.words = sorted(word for word, named in things.items() if len(named) >= MIN_THINGS)
        self.texts = [*texts, *(ask(template, word) for word in self.words for template in TEMPLATES)]
        nobody = np.full(len(texts), np.nan, np.float32)
        self.answers = np.stack([nobody if lesson.answers is None else lesson.answers for lesson in lessons])
        self.said = np.array([[word in lesson.words for word in self.words] for lesson in lessons])
        self.answered = np.isfinite(self.answers[:, 0])
        self._word_rate = self.said.mean(0)
        yes = self.answers > 0.5
        rate = (yes.sum(0) + 1) / (self.answered.sum() + 2)
        self._rarity = np.where(yes, 1 / rate, 1 / (1 - rate))

    def draw(self, lesson: int, count: int, rng: np.random.Generator, balanced: bool) -> tuple[np.ndarray, np.ndarray]:
        """Draw questions about a lesson.

        A share of ``WORDS_SHARE`` is about words, half of which people used for the lesson. If nobody answered the
        shared questions, all questions are about words.

        Args:
            lesson: Row of the lesson.
            count: Number of questions.
            rng: Source of randomness.
            balanced: Draw the shared questions so that each gets about as many yes as no over all lessons, instead of
                uniformly.

        Returns:
            Indices into ``texts``, (count,), and P(yes) of each, (count,) float32.
        """
        on_words = round(count * WORDS_SHARE) if self.answered[lesson] else count
        shared = self.answers.shape[1]
        asked = _choose(self._rarity[lesson] if balanced else np.ones(shared), count - on_words, rng)
        # Words are always balanced: a word is drawn as often for lessons without it as for lessons with it.
        said = self.said[lesson]
        positive = _choose(said / self._word_rate, min(on_words // 2, said.sum()), rng)
        negative = _choose(~said * self._word_rate, on_words - len(positive), rng)
        on = np.r_[positive, negative]
        indices = shared + on * len(TEMPLATES) + rng.integers(len(TEMPLATES), size=on_words)
        targets = np.r_[self.answers[lesson, asked], np.where(said[on], SAID, UNSAID)]
        return np.r_[asked, indices], targets.astype(np.float32)


def ask(template: str, word: str) -> str:
    """Return the question of a template about a word."""
    return template.format(a='an' if word[0] in 'aeiou' else 'a', word=word)


def _choose(weights: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(len(weights), count, replace=False, p=weights / weights.sum()) if count else np.zeros(0, np.int64)
