"""An annotator on a server: any model with an OpenAI-compatible interface that shows log-probabilities."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, as_completed
from logging import WARNING
from typing import Any

import numpy as np
from mmengine.logging import print_log
from PIL import Image

from makd.annotation.annotators.data_url import plain_image
from makd.annotation.annotators.prompts import fill
from makd.annotation.annotators.request_pool import check_replies, request_pool
from makd.annotation.annotators.server_annotator import ServerAnnotator
from makd.annotation.annotators.server_logprobs import Reading, by_id, by_text
from makd.annotation.answers import Answers
from makd.errors import AnnotatorStopped, ConfigError, RequestRefused, ServerError
from makd.questions import QuestionSet
from makd.ranges import Count
from makd.registry import MODELS

_CERTAIN = 16.0  # beyond, P is 0 or 1 in float32


@MODELS.register_module()
class OpenAIAnnotator(ServerAnnotator):
    """Any model on a server that speaks OpenAI's protocol: OpenAI, vLLM, SGLang, llama.cpp and others.

    Each question is a request with the image first, for one token and its log-probabilities. The first question about
    an image is sent alone, then the others together, so that the server finds the image in its prefix cache.

    Servers show the 20 likeliest tokens. If one of the two answers is not among them, the log-probability of the last
    one, an upper bound, takes its place and is counted; if neither is, there is no answer. vLLM looks up any token on
    request (``logprob_token_ids``), and then no value is a bound; a trial at the start finds out whether it does.

    Args:
        client: See :class:`~makd.annotation.annotators.server_annotator.ServerAnnotator`.
        questions: See there.
        top: See there.
        prompt: See there.
        system_prompt: Text of the system's turn. Defaults to None: there is none.
        answers: The words for yes and no; each must be a single token.
        case_variants: Add the probabilities of both words in other cases and with a leading space.
        top_logprobs: How many tokens to request. OpenAI and vLLM allow 20, SGLang and llama.cpp more.
        parameters: Further fields of each request, such as ``dict(chat_template_kwargs=dict(enable_thinking=False))``;
            a value of None removes ``temperature`` (0) or ``max_tokens`` (1).
        **options: ``image_format``, ``max_side`` and ``concurrency``, see there.

    Raises:
        ConfigError: An argument has no meaning, or the key is absent.
    """

    def __init__(
        self,
        client: Mapping[str, Any],
        questions: QuestionSet | str,
        top: Count | None = None,
        prompt: str = 'bare',
        system_prompt: str | None = None,
        answers: Sequence[str] = ('Yes', 'No'),
        case_variants: bool = False,
        top_logprobs: Count = 20,
        parameters: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(client, questions, top, prompt, **options)
        if len(answers) != 2 or answers[0] == answers[1]:
            raise ConfigError(f'answers={answers!r} must be two words, for yes and for no.')
        if top_logprobs < 2:
            raise ConfigError(f'top_logprobs={top_logprobs} must be at least 2.')
        self.system_prompt = system_prompt
        self.answers = tuple(answers)
        self.case_variants = case_variants
        self.top_logprobs = top_logprobs
        fields = {'temperature': 0, 'max_tokens': 1, **(parameters or {})}
        self._fields = {key: value for key, value in fields.items() if value is not None}
        self._tokens = by_text(self.answers, case_variants, top_logprobs)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers, as far as the client knows it."""
        return {
            **super().identity,
            'system_prompt': self.system_prompt,
            'answers': list(self.answers),
            'case_variants': self.case_variants,
            'top_logprobs': self.top_logprobs,
            'parameters': self._fields,
        }

    def start(self, image: Image.Image) -> dict[str, Any]:
        """Find out which log-probabilities the server shows, and whether it answers at all.

        Raises:
            ConfigError: The server takes no images, or shows no log-probabilities of the model, but none or those after
                the temperature.
            AnnotatorStopped: The server does not answer.
        """
        self.client.announce()
        try:
            text_only = self._turns(self.questions[0].text)
            found = by_id(self.client, self.answers, self.case_variants, text_only, **self._fields)
            self._tokens = found or self._tokens
            url = self.preparer(image)
            reply = self._first_reply(url)
            reading = self._tokens.read(reply)
            if reading.tokens < 2:
                raise ConfigError(
                    f'{self.client} shows {reading.tokens} tokens with their log-probabilities, and at least 2 are '
                    'needed. Use a server that shows them (llama-cpp-python: with --logits_all true), and a model '
                    'without hidden reasoning. If it gives the likeliest token all of the probability, as some do at '
                    'temperature 0, set parameters=dict(temperature=1).'
                )
            self._check_temperature(url, reading)
        except ServerError as error:
            raise AnnotatorStopped(str(error)) from None
        if reading.reason is not None:
            print_log(
                f'{self.client}: {reading.reason}, for the first question about the first image. If this continues, '
                "set prompt='yes_no', case_variants=True, or the answers as the model writes them.",
                'current',
                WARNING,
            )
        return {
            'logprobs_by': 'text' if found is None else 'token id',
            'tokens_shown': reading.tokens,
            'server_model': str(reply.get('model')),
        }

    def answer(self, inputs: list[str]) -> list[Answers]:
        """Answer all questions about some images.

        An image or a question that the server refuses gets a reason instead of answers.

        Raises:
            AnnotatorStopped: The server is gone, refuses the key, or the budget is spent.
        """
        replies: list[list[Future[Reading]]] = [[] for _ in inputs]
        with request_pool(self.client, self.concurrency) as pool:
            firsts = {pool.submit(self._ask, url, self.questions[0].text): index for index, url in enumerate(inputs)}
            for first in as_completed(firsts):
                index = firsts[first]
                replies[index].append(first)
                if first.exception() is None:
                    replies[index] += [pool.submit(self._ask, inputs[index], text) for text in self.questions.texts[1:]]
        # Once the client has given up, queued requests fail immediately.
        answers = [self._collect(of_image) for of_image in replies]
        check_replies(self.client, (reply for of_image in replies for reply in of_image), answers)
        return answers

    def _collect(self, replies: Sequence['Future[Reading]']) -> Answers:
        readings = []
        for reply in replies:
            try:
                readings.append(reply.result())
            except ServerError as error:
                readings.append(Reading(reason=str(error)))
        logprobs = np.full((len(self.questions), 2), np.nan, np.float32)
        logprobs[: len(readings)] = [reading.pair for reading in readings]
        reasons = dict.fromkeys(reading.reason for reading in readings if reading.reason is not None)
        return Answers(logprobs, '; '.join(reasons) or None, sum(reading.bounded for reading in readings))

    def _ask(self, url: str, question: str) -> Reading:
        return self._tokens.read(self._reply(url, question))

    def _reply(self, url: str, question: str, **fields: Any) -> dict[str, Any]:
        return self.client.chat(self._turns(question, url), **{**self._fields, **fields}, **self._tokens.request)

    def _check_temperature(self, url: str, reading: Reading) -> None:
        """Raise a ConfigError if a pair as good as certain is less so at temperature 1: the server divides by it."""
        odds = abs(reading.pair[0] - reading.pair[1])
        if not odds > _CERTAIN:
            return
        try:
            yes, no = self._tokens.read(self._first_reply(url, temperature=1)).pair
        except ConfigError:
            return  # no other temperature is allowed
        if not odds < 1.5 * abs(yes - no):
            raise ConfigError(
                f'{self.client} changes log-probabilities by the temperature: for the first question, those of yes and '
                f'no differ by {odds:.3g}, and at temperature 1 by {abs(yes - no):.3g}. Set '
                'parameters=dict(temperature=1), which gives those of the model.'
            )

    def _first_reply(self, url: str, **fields: Any) -> dict[str, Any]:
        """Return the reply to the first question.

        It is about a plain image if the server refuses the given one, or says nothing about it, as content filters do.
        """
        question = self.questions[0].text
        refusal = None
        try:
            reply = self._reply(url, question, **fields)
            if self._tokens.read(reply).tokens:
                return reply
        except RequestRefused as error:
            refusal = error
        try:
            return self._reply(self.preparer(plain_image()), question, **fields)
        except RequestRefused as error:
            raise ConfigError(
                f'{refusal or error}\nThat was the first question about the first image, and a plain image was '
                'refused, too: does the model take images, and the server these fields (parameters, top_logprobs)?'
            ) from None

    def _turns(self, question: str, url: str | None = None) -> list[dict[str, Any]]:
        content: Any = fill(self.template, question)
        if url is not None:
            content = [{'type': 'image_url', 'image_url': {'url': url}}, {'type': 'text', 'text': content}]
        system = [] if self.system_prompt is None else [{'role': 'system', 'content': self.system_prompt}]
        return [*system, {'role': 'user', 'content': content}]
