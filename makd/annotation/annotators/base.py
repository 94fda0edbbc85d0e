"""What an annotator is: images in, log p(yes) and log p(no) of every question out."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from PIL.Image import Image

from makd.annotation.answers import Answers
from makd.annotation.usage import Usage
from makd.questions import QuestionSet

# The file format keeps the names of the first release: answers from before and after the renaming may be mixed.
_NAMES_IN_META = {
    'HFAnnotator': 'HFAspectTeacher',
    'HFClassAnnotator': 'HFClassTeacher',
    'OpenAIAnnotator': 'OpenAIAspectTeacher',
}


class AnnotatorInfo(ABC):
    """What an annotation run has to know about its annotator, which may be in other processes.

    Args:
        questions: The questions about every image.

    Attributes:
        has_label_mass: Whether p(yes) + p(no) says anything; False if the annotator gives P(yes) only.
    """

    has_label_mass = True

    def __init__(self, questions: QuestionSet) -> None:
        self.questions = questions

    @property
    @abstractmethod
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers (model, prompt, precision), as JSON values."""

    @property
    def usage(self) -> Usage | None:
        """The costs of this rank's answers so far, if they cost more than time."""
        return None


class Annotator(AnnotatorInfo):
    """A multimodal LLM that answers yes/no questions about images; it places itself on the rank's device.

    Args:
        questions: The questions about every image.
    """

    @property
    def name_in_meta(self) -> str:
        """The name of the annotator's class in ``meta.json``."""
        return _NAMES_IN_META.get(type(self).__name__, type(self).__name__)

    @property
    @abstractmethod
    def preparer(self) -> Callable[[Image], Any]:
        """A light, picklable function from an RGB image to what :meth:`answer` takes; loader workers call it."""

    def start(self, image: Image) -> dict[str, Any]:
        """Get ready for a run, and check the first image's answers. ``preparer`` may be another one from here on.

        Args:
            image: The first image of the dataset that can be read and prepared, RGB.

        Returns:
            A report of JSON values, which is stored with the answers.
        """
        return {}

    @abstractmethod
    def answer(self, inputs: list[Any]) -> list[Answers]:
        """Answer all questions about some images.

        Args:
            inputs: One element per image, as returned by ``preparer``.

        Returns:
            The answers, in the same order.

        Raises:
            AnnotatorStopped: There is no point in going on to the next image.
        """


def load_questions(questions: QuestionSet | str, top: int | None = None) -> QuestionSet:
    """Return the first ``top`` questions of a set, or of the JSON file that it is saved in.

    Raises:
        QuestionsError: The file cannot be read, or ``top`` is out of range.
    """
    if not isinstance(questions, QuestionSet):
        questions = QuestionSet.load(questions)
    return questions if top is None else questions.top(top)
