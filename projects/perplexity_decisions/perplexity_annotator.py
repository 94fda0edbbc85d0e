"""An annotator on Perplexity's Decisions API."""

from collections.abc import Mapping, Sequence
from typing import Any

from makd.annotation.annotators import ProbabilityAnnotator
from makd.annotation.annotators.prompts import fill
from makd.questions import Question, QuestionSet
from makd.ranges import Count
from makd.registry import MODELS


@MODELS.register_module()
class PerplexityDecisionsAnnotator(ProbabilityAnnotator):
    """A decision model of Perplexity: ``POST /v1/decisions``, up to 128 questions about an image in one request.

    Images may have at most 2,048 tiles of 32 x 32 pixels: ``max_side=1440`` keeps every shape below that.

    Args:
        client: See :class:`~makd.annotation.annotators.ProbabilityAnnotator`.
        questions: See there.
        max_questions: Questions per request.
        max_side: Larger images are shrunk to this many pixels on their longer side.
        **options: See there.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        questions: QuestionSet | str,
        max_questions: Count = 128,
        max_side: Count = 1440,
        **options: Any,
    ) -> None:
        super().__init__(client, questions, max_questions=max_questions, max_side=max_side, **options)

    def request(self, image: str, questions: Sequence[Question]) -> Mapping[str, object]:
        """Ask some questions about one image. Perplexity calls a yes/no question and its probability 'noul'."""
        reply = self.client.decide(
            state=[{'type': 'image_url', 'image_url': {'url': image}}],
            questions={
                question.id: {'type': 'noul', 'instructions': fill(self.template, question.text)}
                for question in questions
            },
        )
        return {id_: answer.get('noul') for id_, answer in reply['answers'].items() if isinstance(answer, dict)}
