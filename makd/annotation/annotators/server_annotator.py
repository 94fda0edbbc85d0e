"""What annotators on a server have in common: a client, and images that are sent as data URLs."""

from collections.abc import Callable, Mapping
from typing import Any

from PIL import Image

from makd.annotation.annotators.base import Annotator, load_questions
from makd.annotation.annotators.data_url import DataUrl
from makd.annotation.annotators.prompts import resolve_prompt
from makd.annotation.openai_client import OpenAIClient
from makd.annotation.usage import Usage
from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.ranges import Count


class ServerAnnotator(Annotator):
    """An annotator that sends images and questions to a server.

    Args:
        client: Arguments of :class:`~makd.annotation.openai_client.OpenAIClient`: ``dict(model=..., base_url=...)``.
            Its limits apply to each rank.
        questions: A question set, or the path of its JSON file.
        top: Ask only the first ``top`` questions.
        prompt: 'bare' (the paper's: the question alone), 'yes_no', or a text with ``{question}`` in it.
        image_format: The format in which images are sent: 'jpeg' (quality 95) or 'png'.
        max_side: Larger images are shrunk to this many pixels on their longer side; None leaves all as they are.
        concurrency: Simultaneous requests.

    Raises:
        ConfigError: An argument has no meaning, or the key is absent.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        questions: QuestionSet | str,
        top: Count | None = None,
        prompt: str = 'bare',
        image_format: str = 'jpeg',
        max_side: Count | None = 1024,
        concurrency: Count = 16,
    ) -> None:
        super().__init__(load_questions(questions, top))
        if concurrency < 1:
            raise ConfigError(f'concurrency={concurrency} must be at least 1.')
        self.client = OpenAIClient(**client)
        self.template = resolve_prompt(prompt)
        self.concurrency = concurrency
        self._preparer = DataUrl(image_format, max_side)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers, as far as the client knows it."""
        return {
            'type': self.name_in_meta,
            'model': self.client.model,
            'prompt': self.template,
            'image': {'format': self._preparer.image_format, 'max_side': self._preparer.max_side},
        }

    @property
    def preparer(self) -> Callable[[Image.Image], str]:
        """The image as a data URL."""
        return self._preparer

    @property
    def usage(self) -> Usage:
        """Requests, tokens and dollars so far."""
        return self.client.usage
