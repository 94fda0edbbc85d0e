"""What an annotator is: images in, log p(yes) and log p(no) of every question out."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.model import BaseModel
from PIL.Image import Image

from makd.errors import ConfigError
from makd.questions import QuestionSet


@dataclass(frozen=True)
class Answers:
    """An annotator's answers about one image.

    Attributes:
        logprobs: (Q, 2) float32, [log p(yes), log p(no)] of the full softmax; NaN where there is no answer.
        reason: Why answers are missing, or None.
        bounded: How many of the values are only an upper bound (a server that shows the likeliest tokens only).
    """

    logprobs: np.ndarray
    reason: str | None = None
    bounded: int = 0


class Annotator(BaseModel):
    """A multimodal LLM that answers yes/no questions about images.

    Args:
        questions: What is asked about every image.
    """

    def __init__(self, questions: QuestionSet) -> None:
        super().__init__()
        self.questions = questions

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Everything beside the questions that decides the answers (model, prompt, precision), as JSON values."""

    @property
    @abstractmethod
    def preparer(self) -> Callable[[Image], Any]:
        """A light, picklable function from an RGB image to what :meth:`answer` takes; loader workers call it."""

    @property
    def usage(self) -> str | None:
        """What answering has cost this rank so far, for the summary, if it costs more than time."""
        return None

    def start(self, inputs: Any) -> dict[str, Any]:
        """Get ready for a run, and check oneself on the first image.

        Args:
            inputs: The first readable image of the data set, as ``preparer`` gave it.

        Returns:
            A report of JSON values, which is stored with the answers.
        """
        return {}

    @abstractmethod
    def answer(self, inputs: list[Any]) -> list[Answers]:
        """Answer all questions about some images.

        Args:
            inputs: One element an image, as ``preparer`` gave it.

        Returns:
            The answers, in the same order.

        Raises:
            AnnotatorStopped: There is no point in going on to the next image.
        """

    def forward(self, inputs: list[Any], data_samples: None = None, mode: str = 'predict') -> list[Answers]:
        """Answer, under the signature that mmengine's loops know."""
        if mode != 'predict':
            raise ConfigError(f'{type(self).__name__}: mode={mode!r} has no meaning; an annotator only answers.')
        return self.answer(inputs)

    def init_weights(self) -> None:
        """Keep the weights: mmengine would call a Hugging Face model's ``init_weights``, which draws new ones."""


def load_questions(questions: QuestionSet | str, top: int | None = None) -> QuestionSet:
    """Return the first ``top`` questions of a set, or of the JSON file that it is saved in.

    Raises:
        QuestionsError: The file cannot be read, or ``top`` is out of range.
    """
    if not isinstance(questions, QuestionSet):
        questions = QuestionSet.load(questions)
    return questions if top is None else questions.top(top)
