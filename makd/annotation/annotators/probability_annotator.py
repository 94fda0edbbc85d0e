"""Annotators on services that answer many questions about an image in one request, with P(yes) and no tokens."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from logging import WARNING
from typing import Any

import numpy as np
from mmengine.logging import print_log
from PIL import Image

from makd.annotation.annotators.data_url import plain_image
from makd.annotation.annotators.request_pool import check_replies, request_pool
from makd.annotation.annotators.server_annotator import ServerAnnotator
from makd.annotation.answers import Answers
from makd.errors import ConfigError
from makd.questions import Question, QuestionSet
from makd.ranges import Count, Probability
from makd.targets.logprobs import sigmoid_of_pair

REFUSED = 'the model refused to answer'
_NO_ANSWER = 'the reply lacks an answer'


class ProbabilityAnnotator(ServerAnnotator):
    """An annotator whose answers are probabilities, such as a hosted decision model: implement :meth:`request`.

    An image and up to ``max_questions`` questions are one request. log P(yes) and log(1 - P(yes)) are stored, and the
    targets have no label mass. Services round: a probability at the end of their range is only a bound, and counted
    as one. A refused question has no answer, and is not asked again.

    Nothing is reproducible to the bit on such a service. At the start the first image is asked about twice, and the
    largest difference is stored with the answers.

    Args:
        client: See :class:`~makd.annotation.annotators.server_annotator.ServerAnnotator`.
        questions: See there.
        max_questions: Questions per request; more are split evenly.
        resolution: The step that the service rounds probabilities to. A reply of 0 says that P is below half a step,
            and half a step is stored; likewise for a reply of 1.
        limits: The lowest and the highest probability that the service gives.
        **options: Its other arguments, see there.

    Raises:
        ConfigError: An argument has no meaning, or the key is absent.
    """

    has_label_mass = False

    def __init__(
        self,
        client: Mapping[str, Any],
        questions: QuestionSet | str,
        max_questions: Count = 400,
        resolution: Probability = 0.01,
        limits: Sequence[Probability] = (0.0, 1.0),
        **options: Any,
    ) -> None:
        super().__init__(client, questions, **options)
        if max_questions < 1:
            raise ConfigError(f'max_questions={max_questions} must be at least 1.')
        low, high = limits if len(limits) == 2 else (1, 0)
        self._bounds = max(low, resolution / 2), min(high, 1 - resolution / 2)
        if not 0 < self._bounds[0] < self._bounds[1] < 1:
            raise ConfigError(
                f'resolution={resolution} and limits={tuple(limits)} must leave probabilities between bounds above 0 '
                'and below 1.'
            )
        self.resolution = resolution
        self.limits = float(low), float(high)
        # Even parts: the last one would otherwise be asked in other company than the rest.
        num_requests = -(-len(self.questions) // max_questions)
        order = np.array_split(np.arange(len(self.questions)), num_requests)
        self._parts = [[self.questions[int(index)] for index in part] for part in order]

    @abstractmethod
    def request(self, image: str, questions: Sequence[Question]) -> Mapping[str, object]:
        """Ask some questions about one image in one request. Threads call it at the same time.

        Args:
            image: The image as a data URL.
            questions: At most ``max_questions`` questions, to be put to the service in the words of ``template``.

        Returns:
            P(yes) in [0, 1] for each question's id, or ``REFUSED``. Answers are matched by id: absent ids, and
            anything but a probability, become missing answers.

        Raises:
            RequestRefused: The service does not accept this request.
            ServerError: No further request would succeed.
        """

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers, as far as the client knows it."""
        return {
            **super().identity,
            'questions_per_request': [len(part) for part in self._parts],
            'resolution': self.resolution,
            'limits': list(self.limits),
        }

    def start(self, image: Image.Image) -> dict[str, Any]:
        """Ask twice about the first image, or about a plain one if the service has no answers about that one.

        Returns:
            The largest difference of two answers to one question.

        Raises:
            ConfigError: The service answers nothing about either image.
            AnnotatorStopped: The service does not answer at all.
        """
        self.client.announce()
        for asked in (image, plain_image()):
            first, second = self.answer([self.preparer(asked)] * 2)
            yes = sigmoid_of_pair(np.stack([first.logprobs, second.logprobs]))
            if np.isfinite(yes).all(axis=0).any():
                break
        else:
            raise ConfigError(
                f'{self.client} answered no question about the first image, nor about a plain one: {first.reason}. '
                'Does the model take images, and these questions?'
            )
        self._check_resolution(yes)
        return {
            'largest_difference_when_asked_twice': round(float(np.nanmax(abs(yes[0] - yes[1]))), 4),
            'served_by': sorted(self.client.served_by),
        }

    def answer(self, inputs: list[str]) -> list[Answers]:
        """Answer all questions about some images.

        An image that the service does not accept, and questions that it refuses, get a reason instead of answers.

        Raises:
            AnnotatorStopped: The service is gone, refuses the key, or the budget is spent.
        """
        replies: list[list[Future[Mapping[str, object]]]] = [[] for _ in inputs]
        with request_pool(self.client, self.concurrency) as pool:
            for image, of_image in zip(inputs, replies):
                of_image += [pool.submit(self.request, image, part) for part in self._parts]
        # Once the client has given up, queued requests fail immediately.
        answers = [self._collect(of_image) for of_image in replies]
        check_replies(self.client, (reply for of_image in replies for reply in of_image), answers)
        return answers

    def _collect(self, replies: Sequence['Future[Mapping[str, object]]']) -> Answers:
        given: dict[str, object] = {}
        for part, reply in zip(self._parts, replies):
            try:
                given |= reply.result()
            except Exception as error:  # of the service, or of a vendor's `request` that it surprises
                given |= {question.id: str(error) or repr(error) for question in part}
        probability, reasons = np.full(len(self.questions), np.nan), Counter[str]()
        for index, id_ in enumerate(self.questions.ids):
            value = given.get(id_, _NO_ANSWER)
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
                probability[index] = value
            else:
                reasons[value if isinstance(value, str) else f'{value!r:.40} is not a probability'] += 1
        bounded = (probability <= self.limits[0]) | (probability >= self.limits[1])
        probability[bounded] = probability[bounded].clip(*self._bounds)
        return Answers(
            np.stack([np.log(probability), np.log1p(-probability)], axis=-1).astype(np.float32),
            '; '.join(reasons) or None,
            int(bounded.sum()),
            refused=set(reasons) == {REFUSED},
        )

    def _check_resolution(self, yes: np.ndarray) -> None:
        """Warn if answers have more digits than they should: 0 would then stand for a smaller bound."""
        inside = yes[(yes > self._bounds[0]) & (yes < self._bounds[1])]
        steps = inside / self.resolution
        if len(inside) and (abs(steps - steps.round()) > 0.01 + 1e-6 * steps).any():  # answers are float32
            print_log(
                f'{self.client} gives probabilities such as {inside[0]:.6g}, finer than resolution={self.resolution}. '
                'Set it to the last digit that the service gives: half of it is the bound that stands for 0 and 1.',
                'current',
                WARNING,
            )
