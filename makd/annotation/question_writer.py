"""A language model writes questions from the names of the classes, and selects the best (paper section 3.1)."""

import logging
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import zip_longest
from math import ceil
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from makd.annotation.openai_client import OpenAIClient
from makd.annotation.question_filter import QuestionFilter, content_words
from makd.annotation.question_replies import Selection, WrittenQuestions, read_questions, read_selection
from makd.errors import ConfigError, QuestionsError, RequestRefused
from makd.files import atomic_file
from makd.questions.question_set import Question, QuestionSet

_logger = logging.getLogger(__name__)

# The paper's words, section 3.1.
SYSTEM = 'You are a good question maker.'
DATASET = 'The dataset consists of {num_classes} classes and images. The class list is as follows: {classes}'
GENERATE = (
    'Generate {number} feature-specific Yes or No questions, focusing on clear and distinct aspects of the objects in '
    'the images in the dataset.'
)
RANK = (
    'Select {number} of the most relevant and distinct questions from the list, focusing on various key features that '
    'distinguish different class in the dataset.'
)

# What the paper says about them, and the form of the reply.
ASPECTS = (
    'Consider visual, categorical, environmental and abstract aspects, such as shape, color and background. Yes or no '
    'must answer each question from the image alone.'
)
NO_NAMES = 'Do not use the name of a class in a question.'
_FORMS: dict[type[BaseModel], str] = {
    WrittenQuestions: 'Answer in JSON: {"questions": [{"text": the question, "kind": "visual" or ...}, ...]}.',
    Selection: 'Answer in JSON with the numbers of your selection, the best first: {"selected": [number, ...]}.',
}
_CHARACTERS_PER_TOKEN = 3  # fewer than in English, so that the estimate errs on the safe side
_SHOWN = 300  # characters of a dropped question
_SHARE_OF_CLASSES = 2 / 3  # of a prompt; the rest is for the questions that were written before


class _Progress(BaseModel):
    """What has been written so far; saved after each reply, so that a failure costs one request.

    Attributes:
        order: Everything that decides what is asked; progress with another order is not resumed.
        questions: The accepted questions.
        dropped: The others, as ``{'text': ..., 'reason': ...}``.
        server_models: Names that the server gave the model.
    """

    order: dict[str, Any]
    questions: list[Question] = []
    dropped: list[dict[str, str]] = []
    server_models: list[str] = []

    @classmethod
    def resume(cls, order: dict[str, Any], path: Path | None) -> '_Progress':
        """Return the progress in a file if it has this order, or else a new one."""
        if path is not None and path.is_file():
            try:
                saved = cls.model_validate_json(path.read_bytes())
            except ValueError:
                saved = cls(order={})
            if saved.order == order:
                _logger.info('resuming with the %d questions in %s', len(saved.questions), path)
                return saved
            _logger.warning('%s is for another model, list of classes or setting: it is not used', path)
        return cls(order=order)


@dataclass
class QuestionWriter:
    """Let a language model write yes/no questions about the classes of a dataset, and select the best.

    The model is asked for ``num_generated`` questions. Replies that are not yes/no questions, name a class or repeat
    another question are dropped, and replacements are requested. Then the model ranks the questions, and the first
    ``num_selected`` are kept in its order. Lists that are too long for one prompt are dealt out over several, like
    cards, so that each prompt has classes from the whole list.

    Args:
        client: Client of the model's server.
        num_generated: N, the questions to select from. Defaults to the paper's 100.
        num_selected: Q, the questions to keep. Defaults to the paper's 50.
        seed: Seed of the first request, sent to the server; not all servers use it.
        similarity: Share of common words at which two questions count as the same
            (:class:`~makd.annotation.question_filter.QuestionFilter`).
        class_names: 'drop' questions that contain the name of a class, or 'keep' them, for classes whose names are
            everyday words, such as 'eye'.
        structured: Request JSON by ``response_format``, unless the server rejects it. Otherwise the prompt alone asks
            for JSON.
        max_prompt_tokens: Longest prompt, estimated at three characters per token.
        max_rounds: How often to ask for missing questions.
        parameters: Further fields of each request, such as ``dict(temperature=1.0, max_tokens=4000)``.

    Raises:
        ConfigError: An argument is invalid.
    """

    client: OpenAIClient
    num_generated: int = 100
    num_selected: int = 50
    seed: int = 0
    similarity: float = 0.9
    class_names: str = 'drop'
    structured: bool = True
    max_prompt_tokens: int = 8000
    max_rounds: int = 5
    parameters: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.num_selected <= self.num_generated:
            raise ConfigError(
                f'num_selected={self.num_selected} must be from 1 to num_generated={self.num_generated}: the selected '
                'questions are some of the generated ones.'
            )
        if self.class_names not in ('drop', 'keep'):
            raise ConfigError(f"class_names={self.class_names!r} must be 'drop' or 'keep'.")
        if self.max_rounds < 1 or self.max_prompt_tokens < 100:
            raise ConfigError('max_rounds must be at least 1, and max_prompt_tokens at least 100.')
        # llama-cpp-python knows only the second; the last is for servers without structured output.
        self._outputs = ['json_schema', 'json_object', 'text'] if self.structured else ['text']
        self._num_requests = 0

    def write(self, classes: Sequence[str], progress_file: Path | None = None) -> QuestionSet:
        """Write and select questions.

        Args:
            classes: The names of the classes.
            progress_file: Keeps the generated questions if the server fails; the next call resumes from it. The caller
                removes it.

        Returns:
            At most ``num_selected`` questions, the best first; a warning is logged if there are fewer. The metadata has
            model, prompts, seed, date, counts, and the dropped questions with their reasons.

        Raises:
            QuestionsError: The model wrote no usable question.
            ServerError: The server can no longer be used.
        """
        progress = _Progress.resume(self._order(classes), progress_file)
        for _ in self._generate(progress, classes):
            if progress_file is not None:
                with atomic_file(progress_file) as file:
                    file.write(progress.model_dump_json(indent=2).encode())
        written, dropped = progress.questions, progress.dropped
        if not written:
            reasons = '; '.join(f'{entry["text"]!r}: {entry["reason"]}' for entry in dropped[:3])
            raise QuestionsError(
                f'{self.client.model} wrote no usable question in {self.max_rounds} rounds ({reasons or "nothing"}). '
                'Use a larger model, or write the questions by hand, one per line.'
            )
        if len(written) < self.num_generated:
            counts = (len(written), self.num_generated, self.max_rounds, len(dropped))
            _logger.warning('the model wrote %d usable questions instead of %d in %d rounds; %d were dropped', *counts)
        ranked = self._rank(progress, classes)
        # A selection that is too short is filled up: a person reviews the list and can do better than with fewer.
        selected = [*ranked, *(question for question in written if question not in ranked)][: self.num_selected]
        if added := len(selected) - len(ranked):
            order = 'follow in the order in which they were written'
            _logger.warning('the model selected %d questions; %d more %s', len(ranked), added, order)
        if len(selected) < self.num_selected:
            _logger.warning('there are %d questions instead of %d', len(selected), self.num_selected)
        return QuestionSet(selected, self._metadata(progress, len(ranked)))

    def prompts(self, classes: Sequence[str]) -> list[str]:
        """Return the first prompts, without asking: those for questions, and one for the selection."""
        parts = self._split(classes)
        number = ceil(self.num_generated / len(parts))
        prompts = [self._generate_prompt(len(classes), part, number, ()) for part in parts]
        return [*prompts, self._rank_prompt(classes, ['...'], self.num_selected)]

    def _generate(self, progress: _Progress, classes: Sequence[str]) -> Iterator[None]:
        """Add questions to ``progress`` until there are enough, and stop after each reply."""
        taken = progress.questions
        question_filter = QuestionFilter(classes if self.class_names == 'drop' else (), self.similarity)
        parts = self._split(classes)
        for round_ in range(self.max_rounds):
            for index, part in enumerate(parts):
                missing = self.num_generated - len(taken)
                if missing == 0:
                    return
                number = ceil(missing / (len(parts) - index))
                texts = [question.text for question in taken]
                prompt = self._generate_prompt(len(classes), part, number, texts)
                candidates = read_questions(self._ask(prompt, WrittenQuestions, progress))
                # Small models go on and on: most of what exceeds the number is not read.
                for text, kind in candidates[: 2 * number]:
                    reason = question_filter.reason_against(text, (question.text for question in taken))
                    if reason is not None:
                        progress.dropped.append({'text': text[:_SHOWN], 'reason': reason})
                    elif len(taken) < len(texts) + number:
                        taken.append(Question(_id(text, {question.id for question in taken}), text, kind))
                _logger.info('round %d: %d of %d questions', round_ + 1, len(taken), self.num_generated)
                yield

    def _rank(self, progress: _Progress, classes: Sequence[str]) -> list[Question]:
        """Return the questions that the model selects, the best first; at most ``num_selected``."""
        questions = progress.questions
        groups = _deal(questions, lambda group: self._fits('\n'.join(q.text for q in group), _SHARE_OF_CLASSES))
        ranked = []
        for group in groups:
            number = min(len(group), ceil(self.num_selected * len(group) / len(questions)))
            ranked.append(self._select(group, number, progress, classes))
        merged = (question for place in zip_longest(*ranked) for question in place if question is not None)
        return list(merged)[: self.num_selected]

    def _select(
        self, questions: Sequence[Question], number: int, progress: _Progress, classes: Sequence[str]
    ) -> list[Question]:
        selected: list[Question] = []
        for _ in range(self.max_rounds):
            rest = [question for question in questions if question not in selected]
            texts = [question.text for question in rest]
            missing = number - len(selected)
            if missing == 0:
                break
            reply = self._ask(self._rank_prompt(classes, texts, missing), Selection, progress)
            selected += [rest[index] for index in read_selection(reply, texts)[:missing]]
        return selected

    def _generate_prompt(self, num_classes: int, part: Sequence[str], number: int, written: Sequence[str]) -> str:
        names = f' {NO_NAMES}' if self.class_names == 'drop' else ''
        dataset = DATASET.format(num_classes=num_classes, classes=_listed(part))
        text = f'{dataset}, {GENERATE.format(number=number)}\n{ASPECTS}{names}'
        if written:
            text += '\nDo not repeat these questions:'
            # The latest first: they are the likeliest to be written again.
            for question in reversed(written):
                if not self._fits(f'{text}\n{question}'):
                    break
                text += f'\n{question}'
        return text

    def _rank_prompt(self, classes: Sequence[str], questions: Sequence[str], number: int) -> str:
        numbered = '\n'.join(f'{index}. {question}' for index, question in enumerate(questions, start=1))
        # As many classes as fit, from all over the list.
        shown = _deal(classes, lambda part: self._fits(numbered + _listed(part), 0.9))[0]
        of_them = '' if len(shown) == len(classes) else f' ({len(shown)} of them)'
        dataset = DATASET.format(num_classes=len(classes), classes=f'{_listed(shown)}{of_them}.')
        return f'{dataset}\n{numbered}\n{RANK.format(number=number)}'

    def _ask(self, prompt: str, form: type[BaseModel], progress: _Progress) -> str:
        """Return the content of the model's reply; it is empty if the model refuses."""
        # A new seed for each request, or the same prompt would bring the same reply.
        parameters = {'seed': self.seed + self._num_requests, **(self.parameters or {})}
        self._num_requests += 1
        turns = [{'role': 'system', 'content': SYSTEM}, {'role': 'user', 'content': f'{prompt}\n{_FORMS[form]}'}]
        requests: dict[str, dict[str, Any]] = {
            'json_schema': {'form': form},
            'json_object': {'response_format': {'type': 'json_object', 'schema': form.model_json_schema()}},
            'text': {},
        }
        while True:
            try:
                reply = self.client.chat(turns, **requests[self._outputs[0]], **parameters)
                break
            except RequestRefused as refusal:
                if len(self._outputs) == 1:
                    raise
                del self._outputs[0]
                _logger.info('%s; asking for %s instead', refusal, self._outputs[0])
        if (server_model := str(reply.get('model'))) not in progress.server_models:
            progress.server_models.append(server_model)
        content = reply['choices'][0]['message'].get('content')
        return content if isinstance(content, str) else ''

    def _split(self, classes: Sequence[str]) -> list[list[str]]:
        return _deal(classes, lambda part: self._fits(_listed(part), _SHARE_OF_CLASSES))

    def _fits(self, text: str, share: float = 1) -> bool:
        return len(text) <= share * self.max_prompt_tokens * _CHARACTERS_PER_TOKEN

    def _order(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return what decides the generated questions."""
        if not classes:
            raise ConfigError('There are no classes to write questions about.')
        settings = {name: getattr(self, name) for name in ('num_generated', 'seed', 'similarity', 'class_names')}
        model = {'model': self.client.model, 'classes': list(classes)}
        return {**model, **settings, 'parameters': dict(self.parameters or {})}

    def _metadata(self, progress: _Progress, num_ranked: int) -> dict[str, Any]:
        return {
            **progress.order,
            'classes': len(progress.order['classes']),
            'server_models': progress.server_models,
            'system_prompt': SYSTEM,
            'prompts': {'generate': f'{DATASET}, {GENERATE}', 'rank': RANK},
            'date': datetime.now(timezone.utc).strftime('%Y-%m-%d'),
            'usage': self.client.usage.counts,
            'generated': len(progress.questions),
            'ranked': num_ranked,
            'dropped': progress.dropped,
        }


def _listed(classes: Sequence[str]) -> str:
    # ImageNet's names have commas in them.
    return f'[{("; " if any("," in name for name in classes) else ", ").join(classes)}]'


def _deal(items: Sequence[Any], fits: Callable[[list[Any]], bool]) -> list[list[Any]]:
    """Deal items out over as few parts as it takes until each fits, or holds one item."""
    for number in range(1, len(items)):
        parts = [list(items[start::number]) for start in range(number)]
        if all(map(fits, parts)):
            return parts
    return [[item] for item in items]


def _id(text: str, taken: set[str]) -> str:
    """Return a short name for a question: its first four words that carry meaning, in ASCII."""
    words = unicodedata.normalize('NFKD', ' '.join(content_words(text)[:4])).encode('ascii', 'ignore').decode()
    name = '_'.join(re.findall('[a-z0-9]+', words)) or 'q'
    candidates = [name, *(f'{name}_{number}' for number in range(2, len(taken) + 2))]
    return next(candidate for candidate in candidates if candidate not in taken)
