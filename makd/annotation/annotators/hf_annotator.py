"""An annotator in this process: any image-text-to-text model of transformers."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from logging import WARNING
from typing import Any

import torch
from mmengine.logging import print_log
from PIL import Image, ImageOps
from torch import Tensor

from makd.annotation.annotators.base import Annotator, Answers, load_questions
from makd.annotation.annotators.chat_template import chat, check_questions
from makd.annotation.annotators.hf_checkpoint import load_model, load_processor, weights_id
from makd.annotation.annotators.prefix_scorer import PrefixScorer, Read, concatenated
from makd.annotation.annotators.prompts import fill, resolve_prompt
from makd.annotation.annotators.self_check import checked_suffixes, score_separately, self_check
from makd.annotation.annotators.yes_no import pair_ids
from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.ranges import Count
from makd.registry import MODELS

_DUMMY_SIZES = ((336, 336), (480, 300))


@dataclass(frozen=True)
class Preparer:
    """Turns an image into the inputs of prompts; picklable, for loader workers.

    Attributes:
        processor: The model's processor.
        prompts: The prompts.
        arguments: Further arguments of the processor.
        tail: How many tokens at the end of each prompt belong to the suffix and are cut off.
    """

    processor: Any
    prompts: tuple[str, ...]
    arguments: Mapping[str, Any]
    tail: int = 0

    def __call__(self, image: Image.Image) -> list[dict[str, Tensor]]:
        """Return the inputs of each prompt without its tail, as tensors on the CPU."""
        inputs = {prompt: self._cut(self.whole(prompt, image)) for prompt in dict.fromkeys(self.prompts)}
        return [inputs[prompt] for prompt in self.prompts]

    def whole(self, prompt: str, image: Image.Image) -> dict[str, Tensor]:
        """Return the inputs of a whole prompt."""
        bos = self.processor.tokenizer.bos_token
        once = {'add_special_tokens': False} if bos is not None and prompt.startswith(bos) else {}
        return dict(self.processor(text=[prompt], images=[image], return_tensors='pt', **once, **self.arguments))

    def ids(self, prompt: str, image: Image.Image) -> list[int]:
        """Return the token ids of a whole prompt."""
        return self.whole(prompt, image)['input_ids'][0].tolist()

    def _cut(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        # The ids, and whatever else has a value for each token: masks, token types, or a mask of images for each token.
        shape = inputs['input_ids'].shape
        return {
            key: value[:, : shape[1] - self.tail] if value.shape[:2] == shape else value
            for key, value in inputs.items()
        }


class HFAnnotatorBase(Annotator):
    """A model, its chat template and a scorer, which a subclass sets up (see :meth:`_set_up`).

    Args:
        model: Name on the Hugging Face hub, or a folder with the weights as safetensors.
        questions: The questions about every image.
        prompt: Text of the user's turn; ``{question}`` stands for the question.
        revision: Commit, tag or branch on the hub. Defaults to None: the newest.
        system_prompt: Text of the system's turn. Defaults to None: the template's own.
        dtype: 'auto' (the checkpoint's), 'bfloat16', 'float16' or 'float32'.
        attn_implementation: 'sdpa', 'flash_attention_2', 'eager'; None lets transformers choose.
        device_map: Spreads the model over several devices, for example 'auto' (needs accelerate). Defaults to None: the
            rank's device.
        processor: Arguments of the processor's call, such as ``dict(max_patches=6)``, which bounds InternVL's tiles.
        chunk_size: Questions times images per batch.
        trust_remote_code: Run Python code that comes with the checkpoint.
        on_failed_check: After a failed self-check, 'naive' scores each question in a forward of its own, with a
            warning, and 'stop' raises an error.

    Raises:
        ConfigError: The model does not exist or is of another kind, an argument does not fit it, or its chat template
            leaves out the image or a text.
        QuestionsError: A question holds a special token.
    """

    scorer: PrefixScorer
    _whole: Preparer
    _prefix: Preparer | None

    def __init__(
        self,
        model: str,
        questions: QuestionSet,
        prompt: str,
        revision: str | None = None,
        system_prompt: str | None = None,
        dtype: str = 'auto',
        attn_implementation: str | None = None,
        device_map: str | Mapping[str, Any] | None = None,
        processor: Mapping[str, Any] | None = None,
        chunk_size: Count = 20,
        trust_remote_code: bool = False,
        on_failed_check: str = 'naive',
    ) -> None:
        super().__init__(questions)
        if on_failed_check not in ('naive', 'stop'):
            raise ConfigError(f"on_failed_check={on_failed_check!r} must be 'naive' or 'stop'.")
        # Forked loader workers use the tokenizer, whose threads would not survive the fork.
        os.environ.setdefault('TOKENIZERS_PARALLELISM', 'false')
        self.template = prompt
        self.system_prompt = system_prompt
        self.chunk_size = chunk_size
        self.on_failed_check = on_failed_check
        self.processor_arguments = dict(processor or {})
        self.processor = load_processor(model, revision, trust_remote_code)
        check_questions(self.processor, model, questions)
        self.model = load_model(model, revision, dtype, attn_implementation, device_map, trust_remote_code)
        self._source: dict[str, Any] = {
            'model': model,
            'revision': revision,
            'weights': weights_id(model, self.model.config),
        }

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers."""
        return {
            'type': self.name_in_meta,
            **self._source,
            'dtype': str(self.model.dtype).removeprefix('torch.'),
            'attention': self.model.config._attn_implementation,
            'prompt': self.chat(self.template),
            'processor': self.processor_arguments,
        }

    @property
    def preparer(self) -> Callable[[Image.Image], Any]:
        """The part of the work that the processor does, for loader workers; :meth:`start` may change it."""
        return self._whole if self.scorer.mode == 'naive' or self._prefix is None else self._prefix

    def chat(self, text: str) -> str:
        """Return the whole prompt: the image, then ``text``, up to the place where the model begins to write.

        Raises:
            ConfigError: The checkpoint's chat template is missing, or leaves out a part.
        """
        return chat(self.processor, self._source['model'], text, self.system_prompt)

    def start(self, image: Image.Image) -> dict[str, Any]:
        """Choose how questions are scored, by what equals the model's ``generate`` on this image and on its negative.

        Raises:
            ConfigError: ``generate`` fails or does not depend on the image; or its logits are not finite, or differ
                after a shared prefix and ``on_failed_check`` is 'stop'.
        """
        images = (image, ImageOps.invert(image))
        prompts = [self._whole.prompts[suffix] for suffix in checked_suffixes(self.scorer)]
        whole = replace(self._whole, prompts=tuple(prompts))
        prefixes = [] if self._prefix is None else [self._prefix(of)[0] for of in images]
        report = self_check(self.scorer, [whole(of) for of in images], prefixes)
        if self._prefix is None:
            return {**report, 'because': "the chat template puts the image behind the questions' text"}
        if report['scoring'] == 'naive':
            errors = ', '.join(f'{mode}: {report[f"error_of_{mode}"]}' for mode in ('shared', 'copied'))
            score_separately(
                f'{self._source["model"]}: log-probabilities after the prefix differ from those of generate '
                f'({errors}), and the tolerance is {report["tolerance"]:.2g}',
                self.on_failed_check,
            )
        return report

    def answer(self, inputs: list[Any]) -> list[Answers]:
        """Answer all questions about some images, after :meth:`start`; inputs of equal shapes are batched."""
        naive = self.scorer.mode == 'naive'
        answers: list[Answers | None] = [None] * len(inputs)
        for group in [[index] for index in range(len(inputs))] if naive else _of_equal_shape(inputs):
            for index, answer in zip(group, self._answer_batch([inputs[index] for index in group])):
                answers[index] = answer
        return answers  # type: ignore[return-value]

    def _answer_batch(self, images: list[list[dict[str, Tensor]]]) -> list[Answers]:
        try:
            if self.scorer.mode == 'naive':
                scores = self.scorer.score_whole(*images)
            else:
                scores = self.scorer.score(concatenated([prefix for (prefix,) in images]))
        except torch.OutOfMemoryError:
            if len(images) == 1:
                unanswered = torch.full((len(self.questions), 2), torch.nan).numpy()
                return [Answers(unanswered, 'there is not enough memory for this image and one question')]
            half = len(images) // 2
            return self._answer_batch(images[:half]) + self._answer_batch(images[half:])
        return [_answers(self._finish(of_image)) for of_image in scores]

    def _finish(self, scores: Tensor) -> Tensor:
        """Turn the scores of an image into log p(yes) and log p(no), (Q, 2)."""
        return scores

    def _set_up(self, read: Read, prompts: Sequence[str], names: Sequence[str] | None = None) -> None:
        """Split prompts into their common prefix and Q suffixes, which depend on no image, and make the scorer.

        Args:
            read: See :class:`~makd.annotation.annotators.prefix_scorer.PrefixScorer`.
            prompts: Q whole prompts.
            names: Q texts that follow the prompts, of which every token is scored, and the one after them. Defaults to
                None: only the token after the prompts is scored.

        Raises:
            ConfigError: The processor leaves out the image, or the tokens of a text depend on what they should not.
        """
        source = self._source['model']
        self._whole = Preparer(self.processor, tuple(prompts), self.processor_arguments)
        texts = [prompt + name for prompt, name in zip(prompts, names or [''] * len(prompts))]
        first, second = (Image.new('RGB', size, (124, 117, 104)) for size in _DUMMY_SIZES)
        try:
            asked = [inputs['input_ids'][0].tolist() for inputs in self._whole(first)]
            tokenized = asked if names is None else [self._whole.ids(text, first) for text in texts]
        except Exception as error:  # whatever a processor raises
            raise ConfigError(
                f'{source}: its processor fails for an image and the prompt {prompts[0]!r} ({type(error).__name__}: '
                f'{error}). Does the chat template put one image into the prompt?'
            ) from error
        for text, before, ids in zip(texts, asked, tokenized):
            if ids[: len(before)] != before:
                raise ConfigError(f'{source}: in {text!r}, the tokens of the prompt depend on the name after it.')
        image_ids = _image_ids(self.processor, self.model.config)
        if image_ids and not image_ids & set(asked[0]):
            raise ConfigError(f'{source}: its chat template leaves out the image. It made the prompt {prompts[0]!r}.')
        length = min(_common_length(tokenized), *(len(before) - 1 for before in asked))
        suffixes = [ids[length:] for ids in tokenized]
        keep = [len(ids) - len(before) + 1 for ids, before in zip(tokenized, asked)]
        self.scorer = PrefixScorer(self.model, suffixes, read, keep, self.chunk_size)
        if any(image_ids & set(suffix) for suffix in suffixes):
            print_log(
                f'{source}: its chat template puts the image after the text, so questions share no prefix: each is '
                'scored separately, which is slow.',
                'current',
                WARNING,
            )
            self._prefix = None
            return
        self._prefix = replace(self._whole, prompts=tuple(texts[:1]), tail=len(suffixes[0]))
        prefix = self._prefix(second)[0]['input_ids'][0].tolist()
        for text, suffix in zip(texts, suffixes):
            if self._whole.ids(text, second) != prefix + suffix:
                raise ConfigError(
                    f'{source}: its processor tokenizes the prompt {text!r} differently for different images, so the '
                    'prompts have no common prefix. Please report it.'
                )


@MODELS.register_module()
class HFAnnotator(HFAnnotatorBase):
    """Any model that transformers loads as ``AutoModelForImageTextToText``, prompted by its processor's chat template.

    P(yes) is the paper's Eq. 1, from the logits of the token after the prompt. All prompts about an image begin with
    the image and the template's text, which are computed once per image
    (:class:`~makd.annotation.annotators.prefix_scorer.PrefixScorer`); a run checks that on its first image.

    Args:
        model: Name on the Hugging Face hub, or a folder with the weights as safetensors.
        questions: A question set, or the path of its JSON file.
        top: Ask only the first ``top`` questions.
        prompt: 'bare' (the paper's), 'yes_no', or a text with ``{question}`` in it.
        answers: The words for yes and no; each must be a single token after the prompt.
        case_variants: Add the probabilities of both words in other cases and with a leading space.
        **kwargs: Arguments of :class:`HFAnnotatorBase`, which says what is raised.

    Raises:
        QuestionsError: The questions cannot be read.
    """

    def __init__(
        self,
        model: str,
        questions: QuestionSet | str,
        top: Count | None = None,
        prompt: str = 'bare',
        answers: Sequence[str] = ('Yes', 'No'),
        case_variants: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, load_questions(questions, top), resolve_prompt(prompt), **kwargs)
        prompts = [self.chat(fill(self.template, text)) for text in self.questions.texts]
        self.answer_ids = pair_ids(self.processor.tokenizer, prompts[0], answers, case_variants)
        self._set_up(self._read, prompts)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers."""
        names = self.processor.tokenizer.convert_ids_to_tokens
        return {**super().identity, 'answers': [dict(zip(map(str, ids), names(ids))) for ids in self.answer_ids]}

    def _read(self, logits: Tensor, suffix: Tensor, position: Tensor) -> Tensor:
        """Return log p(yes) and log p(no) of the full softmax, (R, 2)."""
        total = logits.logsumexp(dim=-1)
        return torch.stack([logits[:, ids].logsumexp(dim=-1) - total for ids in self.answer_ids], dim=-1)


def _image_ids(processor: Any, config: Any) -> set[int]:
    """Return the ids of the tokens that stand for an image, under any of the names that they have in transformers."""
    ids: set[int] = set()
    for source in (processor, config):
        for name in ('image_token_id', 'image_token_index'):
            ids |= {id_} if isinstance(id_ := getattr(source, name, None), int) else set()
        ids |= set(getattr(source, 'image_token_ids', None) or ())
    return ids


def _answers(logprobs: Tensor) -> Answers:
    """Return the log-probabilities of an image, (Q, 2), as answers."""
    return Answers(logprobs.numpy(), "the model's logits are not finite" if logprobs.isnan().any() else None)


def _common_length(sequences: Sequence[Sequence[int]]) -> int:
    """Return the length of the longest common prefix that leaves at least one token of each sequence."""
    shortest = min(map(len, sequences)) - 1
    first = sequences[0]
    differs = (i for i in range(shortest) if any(sequence[i] != first[i] for sequence in sequences))
    return next(differs, shortest)


def _of_equal_shape(inputs: Sequence[Sequence[Mapping[str, Tensor]]]) -> list[list[int]]:
    """Group the indices of images whose inputs can be concatenated."""
    groups: dict[Any, list[int]] = {}
    for index, prompts in enumerate(inputs):
        shapes = tuple(tuple(sorted((key, value.shape[1:]) for key, value in prompt.items())) for prompt in prompts)
        groups.setdefault(shapes, []).append(index)
    return list(groups.values())
