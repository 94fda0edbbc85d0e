"""An annotator on OpenAI's Decisions API."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from makd.annotation.annotators.probability_annotator import REFUSED, ProbabilityAnnotator
from makd.annotation.annotators.prompts import fill
from makd.questions import Question, QuestionSet
from makd.registry import MODELS


@MODELS.register_module()
class DecisionsAnnotator(ProbabilityAnnotator):
    """A decision model of OpenAI: ``POST /decisions``, up to 400 questions about an image in one request.

    Each question is a predicate with its id as its name, and answers are matched by that name. Needs no GPU: the key
    comes from the environment (OPENAI_API_KEY), and the images leave the machine.

    Args:
        client: See :class:`ProbabilityAnnotator`; for its budget, set ``price_per_million_tokens`` and ``max_dollars``.
        questions: See :class:`ProbabilityAnnotator`.
        detail: How finely the model looks at an image, which sets the price: 'low', 'high', 'original' or 'auto'.
        **options: See :class:`ProbabilityAnnotator`.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        questions: QuestionSet | str,
        detail: Literal['low', 'high', 'auto', 'original'] = 'auto',
        **options: Any,
    ) -> None:
        super().__init__(client, questions, **options)
        self.detail = detail

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers, as far as the client knows it."""
        identity = super().identity
        return {**identity, 'image': {**identity['image'], 'detail': self.detail}}

    def request(self, image: str, questions: Sequence[Question]) -> Mapping[str, object]:
        """Ask some questions about one image; see :meth:`ProbabilityAnnotator.request`."""
        picture = {'type': 'input_image', 'image_url': image, 'detail': self.detail}
        reply = self.client.decide(
            input=[{'role': 'user', 'content': [picture]}],
            questions=[
                {'type': 'predicate', 'name': question.id, 'instructions': fill(self.template, question.text)}
                for question in questions
            ],
        )
        named = [
            answer for answer in reply['answers'] if isinstance(answer, dict) and isinstance(answer.get('name'), str)
        ]
        # Two answers of one name: nobody can say which is the right one.
        times = Counter(answer['name'] for answer in named)
        return {answer['name']: _value(answer) for answer in named if times[answer['name']] == 1}


def _value(answer: Mapping[str, Any]) -> object:
    kind = answer.get('type')
    if kind == 'predicate':
        return answer.get('probability')
    return REFUSED if kind == 'refusal' else f'the answer is of the type {kind!r:.40}'
