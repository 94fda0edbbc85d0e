"""A language model writes questions from the names of the classes, and chooses the best (paper section 3.1)."""

import json
import logging
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from itertools import chain, zip_longest
from math import ceil
from pathlib import Path
from typing import Any

from makd.annotation.openai_client import OpenAIClient
from makd.annotation.question_filter import QuestionFilter, content_words
from makd.annotation.question_replies import parse_questions, parse_selection
from makd.errors import ConfigError, QuestionsError, RequestRefused
from makd.files import atomic_file
from makd.questions.question_set import KINDS, Question, QuestionSet

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

# What the paper says around them, and the form of the answer.
ASPECTS = (
    'Consider visual, categorical, environmental and abstract aspects, such as shape, color and background. Yes or no '
    'must answer each question from the image alone.'
)
NO_NAMES = 'Do not use the name of a class in a question.'
_CHARACTERS_A_TOKEN = 3  # fewer than English has, so that the estimate errs on the safe side
_SHOWN = 300  # characters of a dropped question
_SHARE_OF_CLASSES = 2 / 3  # of a prompt; the rest is for the questions that are there already


@dataclass(frozen=True)
class _Form:
    """In which form a reply is asked for.

    Attributes:
        in_lines: The words that ask for text.
        in_json: The words that ask for JSON.
        field: The one field of the JSON object, an array.
        items: The JSON schema of its items.
    """

    in_lines: str
    in_json: str
    field: str
    items: Mapping[str, Any]

    def request(self, way: str) -> dict[str, Any]:
        """Return the field ``response_format`` of a request, in OpenAI's way or in llama.cpp's older one."""
        schema = {
            'type': 'object',
            'properties': {self.field: {'type': 'array', 'items': self.items}},
            'required': [self.field],
            'additionalProperties': False,
        }
        if way == 'json_object':
            return {'type': way, 'schema': schema}
        return {'type': way, 'json_schema': {'name': self.field, 'strict': True, 'schema': schema}}


_QUESTIONS = _Form(
    'Write one question a line, with its kind in brackets: (visual), (categorical), (environmental) or (abstract).',
    'Answer in JSON: {"questions": [{"text": the question, "kind": "visual", "categorical", ...}, ...]}.',
    'questions',
    {
        'type': 'object',
        'properties': {'text': {'type': 'string'}, 'kind': {'type': 'string', 'enum': list(KINDS)}},
        'required': ['text', 'kind'],
        'additionalProperties': False,
    },
)
_SELECTION = _Form(
    'Write only the numbers of the selected questions, the best first, with commas between them.',
    'Answer in JSON with the numbers of the selected questions, the best first: {"selected": [number, ...]}.',
    'selected',
    {'type': 'integer'},
)


@dataclass
class _Progress:
    """What has been written so far; saved after each reply, so that a failure costs one request.

    Attributes:
        order: Everything that decides what is asked; what was saved under another order is not used.
        questions: The questions that were taken.
        dropped: ``{'text': ..., 'reason': ...}`` of those that were not.
        server_models: What the server called the model.
    """

    order: dict[str, Any]
    questions: list[Question] = field(default_factory=list)
    dropped: list[dict[str, str]] = field(default_factory=list)
    server_models: list[str] = field(default_factory=list)

    def save(self, path: Path | None) -> None:
        if path is not None:
            with atomic_file(path) as file:
                file.write(json.dumps(asdict(self), indent=2, ensure_ascii=False).encode('utf-8'))

    def load(self, path: Path | None) -> None:
        """Take over what a file holds, if it belongs to the same order."""
        if path is None or not path.is_file():
            return
        try:
            saved = json.loads(path.read_text(encoding='utf-8'))
        except ValueError:
            saved = {}
        if saved.get('order') != self.order:
            _logger.warning('%s belongs to another model, list of classes or setting: it is not used', path)
            return
        self.questions = [Question(**entry) for entry in saved['questions']]
        self.dropped, self.server_models = saved['dropped'], saved['server_models']
        _logger.info('going on with the %d questions in %s', len(self.questions), path)


class QuestionWriter:
    """Let a language model write yes/no questions about the classes of a data set, and choose the best.

    The model is asked for ``num_generated`` questions; those that are none, name a class or repeat another are dropped
    and asked for again. Then it ranks them, and the first ``num_selected`` are kept in its order. Lists that are too
    long for one prompt are dealt out over several, like cards, so that each has classes from everywhere.

    Args:
        client: Where the model is.
        num_generated: N, the questions to choose from. Defaults to the paper's 100.
        num_selected: Q, the questions to keep. Defaults to the paper's 50.
        seed: Sent along with the requests; not all servers heed it.
        similarity: From which share of common words two questions are the same
            (:class:`~makd.annotation.question_filter.QuestionFilter`).
        class_names: 'drop' questions that contain the name of a class, or 'keep' them, for classes whose names are
            everyday words, such as 'eye'.
        structured: Ask for JSON by ``response_format``; a server that refuses all its forms is asked for lines of text.
        max_prompt_tokens: Longest prompt, estimated at three characters a token.
        max_rounds: How often to ask for what is missing.
        parameters: Further fields of each request, such as ``dict(temperature=1.0, max_tokens=4000)``.

    Raises:
        ConfigError: An argument has no meaning.
    """

    def __init__(
        self,
        client: OpenAIClient,
        num_generated: int = 100,
        num_selected: int = 50,
        seed: int = 0,
        similarity: float = 0.9,
        class_names: str = 'drop',
        structured: bool = True,
        max_prompt_tokens: int = 8000,
        max_rounds: int = 5,
        parameters: Mapping[str, Any] | None = None,
    ) -> None:
        if not 1 <= num_selected <= num_generated:
            raise ConfigError(
                f'num_selected={num_selected} must be from 1 to num_generated={num_generated}: the questions that are '
                'kept are chosen among those that are generated.'
            )
        if class_names not in ('drop', 'keep'):
            raise ConfigError(f"class_names={class_names!r} must be 'drop' or 'keep'.")
        if max_rounds < 1 or max_prompt_tokens < 100:
            raise ConfigError('max_rounds must be at least 1, and max_prompt_tokens at least 100.')
        self.client = client
        self.num_generated = num_generated
        self.num_selected = num_selected
        self.seed = seed
        self.similarity = similarity
        self.class_names = class_names
        self._ways = ['json_schema', 'json_object', 'text'] if structured else ['text']
        self.max_prompt_tokens = max_prompt_tokens
        self.max_rounds = max_rounds
        self.parameters = dict(parameters or {})
        self._asked = 0

    def write(self, classes: Sequence[str], progress_file: Path | None = None) -> QuestionSet:
        """Write and choose questions.

        Args:
            classes: The names of the classes.
            progress_file: Keeps what was generated if the server fails; the next call goes on from there. Removing it
                is left to the caller.

        Returns:
            At most ``num_selected`` questions, the best first. What is missing was said by a warning. The metadata has
            model, prompts, seed, date, counts, and the dropped questions with their reasons.

        Raises:
            QuestionsError: There is no question at all.
            ServerError: The server cannot be asked any more.
        """
        progress = _Progress(self._order(classes))
        progress.load(progress_file)
        for _ in self._generate(progress, classes):
            progress.save(progress_file)
        if not progress.questions:
            reasons = '; '.join(f'{entry["text"]!r}: {entry["reason"]}' for entry in progress.dropped[:3])
            raise QuestionsError(
                f'{self.client.model} wrote no usable question in {self.max_rounds} rounds ({reasons or "nothing"}). '
                'Take a larger model, or write the questions by hand, one a line.'
            )
        if len(progress.questions) < self.num_generated:
            _logger.warning(
                'the model wrote %d usable questions instead of %d in %d rounds; %d were dropped',
                len(progress.questions),
                self.num_generated,
                self.max_rounds,
                len(progress.dropped),
            )
        ranked = self._rank(progress, classes)
        # A choice that is too short is filled up: a person reviews the list and can do better than with fewer.
        rest = [question for question in progress.questions if question not in ranked]
        chosen = [*ranked, *rest][: self.num_selected]
        if len(ranked) < len(chosen):
            _logger.warning(
                'the model selected %d questions; %d more follow in the order in which they were written',
                len(ranked),
                len(chosen) - len(ranked),
            )
        if len(chosen) < self.num_selected:
            _logger.warning('there are %d questions instead of %d', len(chosen), self.num_selected)
        return QuestionSet(chosen, self._metadata(progress, min(len(ranked), len(chosen))))

    def prompts(self, classes: Sequence[str]) -> list[str]:
        """Return what the model is asked first, without asking: the prompts for questions, and one for the choice."""
        parts = self._split(classes)
        number = ceil(self.num_generated / len(parts))
        asked = [self._generate_prompt(len(classes), part, number, ()) for part in parts]
        return [*asked, self._rank_prompt(classes, ['...'], self.num_selected)]

    def _generate(self, progress: _Progress, classes: Sequence[str]) -> Iterator[None]:
        """Fill ``progress`` up, and stop after each reply."""
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
                candidates = parse_questions(self._ask(prompt, _QUESTIONS, progress))
                # Small models go on and on: what exceeds the order is not read.
                for text, kind in candidates[: 2 * number]:
                    reason = question_filter.reason_against(text, (question.text for question in taken))
                    if reason is not None:
                        progress.dropped.append({'text': text[:_SHOWN], 'reason': reason})
                    elif len(taken) < len(texts) + number:
                        taken.append(Question(_id(text, {question.id for question in taken}), text, kind))
                _logger.info('round %d: %d of %d questions', round_ + 1, len(taken), self.num_generated)
                yield

    def _rank(self, progress: _Progress, classes: Sequence[str]) -> list[Question]:
        """Return the questions that the model chooses, the best first; at most ``num_selected``."""
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
            reply = self._ask(self._rank_prompt(classes, texts, missing), _SELECTION, progress)
            selected += [rest[index] for index in parse_selection(reply, texts)[:missing]]
        return selected

    def _generate_prompt(self, num_classes: int, part: Sequence[str], number: int, there: Sequence[str]) -> str:
        text = DATASET.format(num_classes=num_classes, classes=_listed(part)) + ', ' + GENERATE.format(number=number)
        names = [NO_NAMES] if self.class_names == 'drop' else []
        text += '\n' + ' '.join([ASPECTS, *names])
        if there:
            text += '\nDo not repeat these questions:'
            # The latest first: they are the likeliest to be written again.
            for question in reversed(there):
                if not self._fits(f'{text}\n{question}'):
                    break
                text += f'\n{question}'
        return text

    def _rank_prompt(self, classes: Sequence[str], questions: Sequence[str], number: int) -> str:
        numbered = '\n'.join(f'{index}. {question}' for index, question in enumerate(questions, start=1))
        # As many classes as fit, from all over the list.
        shown = _deal(classes, lambda part: self._fits(numbered + _listed(part), 0.9))[0]
        of_them = '' if len(shown) == len(classes) else f' ({len(shown)} of them)'
        return '\n'.join(
            [
                DATASET.format(num_classes=len(classes), classes=f'{_listed(shown)}{of_them}.'),
                numbered,
                RANK.format(number=number),
            ]
        )

    def _ask(self, prompt: str, form: _Form, progress: _Progress) -> str:
        # Not the same seed twice, or the same prompt would bring the same reply.
        parameters = {'seed': self.seed + self._asked, **self.parameters}
        self._asked += 1
        while True:
            way = self._ways[0]
            if way == 'text':
                words, structure = form.in_lines, {}
            else:
                words, structure = form.in_json, {'response_format': form.request(way)}
            try:
                reply = self.client.chat(_turns(f'{prompt}\n{words}'), **structure, **parameters)
                break
            except RequestRefused as refusal:
                if way == 'text':
                    raise
                del self._ways[0]
                _logger.info('%s; asking for %s instead', refusal, self._ways[0])
        server_model = str(reply.get('model'))
        if server_model not in progress.server_models:
            progress.server_models.append(server_model)
        message = reply['choices'][0].get('message')
        content = message.get('content') if isinstance(message, dict) else None
        return content if isinstance(content, str) else ''

    def _split(self, classes: Sequence[str]) -> list[list[str]]:
        return _deal(classes, lambda part: self._fits(_listed(part), _SHARE_OF_CLASSES))

    def _fits(self, text: str, share: float = 1) -> bool:
        return len(text) <= share * self.max_prompt_tokens * _CHARACTERS_A_TOKEN

    def _order(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return what decides the generated questions."""
        if not classes:
            raise ConfigError('There are no classes to write questions about.')
        return {
            'model': self.client.model,
            'classes': list(classes),
            'num_generated': self.num_generated,
            'seed': self.seed,
            'similarity': self.similarity,
            'class_names': self.class_names,
            'parameters': self.parameters,
        }

    def _metadata(self, progress: _Progress, num_ranked: int) -> dict[str, Any]:
        order = {**progress.order, 'classes': len(progress.order['classes'])}
        return {
            **order,
            'server_models': progress.server_models,
            'system_prompt': SYSTEM,
            'prompts': {'generate': f'{DATASET}, {GENERATE}', 'rank': RANK},
            'date': datetime.now(timezone.utc).strftime('%Y-%m-%d'),
            'usage': asdict(self.client.usage),
            'generated': len(progress.questions),
            'ranked': num_ranked,
            'dropped': progress.dropped,
        }


def _turns(prompt: str) -> list[dict[str, str]]:
    return [{'role': 'system', 'content': SYSTEM}, {'role': 'user', 'content': prompt}]


def _listed(classes: Sequence[str]) -> str:
    # ImageNet's names have commas in them.
    return f'[{("; " if any("," in name for name in classes) else ", ").join(classes)}]'


def _deal(items: Sequence[Any], fits: Any) -> list[list[Any]]:
    """Deal items out over as few parts as it takes until each fits, or holds one item."""
    for number in range(1, len(items)):
        parts = [list(items[start::number]) for start in range(number)]
        if all(map(fits, parts)):
            return parts
    return [[item] for item in items]


def _id(text: str, taken: set[str]) -> str:
    """Return a short name for a question: its first words that say something, in ASCII."""
    words = chain.from_iterable(
        re.findall('[a-z0-9]+', unicodedata.normalize('NFKD', word).encode('ascii', 'ignore').decode())
        for word in content_words(text)[:4]
    )
    name = '_'.join(words) or 'q'
    numbered = (name if number == 1 else f'{name}_{number}' for number in range(1, len(taken) + 2))
    return next(candidate for candidate in numbered if candidate not in taken)
