"""An annotator in this process: any image-text-to-text model of transformers."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from logging import WARNING
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log
from PIL import Image
from torch import Tensor

from makd.annotation.annotators.base import Annotator, Answers, load_questions
from makd.annotation.annotators.prefix_scorer import PrefixScorer
from makd.annotation.annotators.prompts import fill, resolve_prompt
from makd.annotation.annotators.yes_no import pair_ids
from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.ranges import Count
from makd.registry import MODELS

_DUMMY_SIZES = ((336, 336), (480, 300))


@dataclass(frozen=True)
class Preparer:
    """Turns an image into the inputs of the prefix; picklable, for loader workers.

    Attributes:
        processor: The model's processor.
        prompts: A single prompt if all questions share the image, otherwise all of them.
        tail: How many tokens at the end of each prompt belong to the suffix and are cut off.
        arguments: Further arguments of the processor.
    """

    processor: Any
    prompts: tuple[str, ...]
    tail: int
    arguments: Mapping[str, Any]

    def __call__(self, image: Image.Image) -> list[dict[str, Tensor]]:
        """Return the inputs of each prompt without its tail, as tensors on the CPU."""
        return [self._cut(self.whole(prompt, image)) for prompt in self.prompts]

    def whole(self, prompt: str, image: Image.Image) -> dict[str, Tensor]:
        """Return the inputs of a whole prompt."""
        bos = self.processor.tokenizer.bos_token
        once = {'add_special_tokens': False} if bos is not None and prompt.startswith(bos) else {}
        return dict(self.processor(text=[prompt], images=[image], return_tensors='pt', **once, **self.arguments))

    def ids(self, prompt: str, image: Image.Image) -> list[int]:
        """Return the token ids of a whole prompt."""
        return self.whole(prompt, image)['input_ids'][0].tolist()

    def _cut(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        shape = inputs['input_ids'].shape
        return {key: value[:, : -self.tail] if value.shape == shape else value for key, value in inputs.items()}


class HFAnnotatorBase(Annotator):
    """A model, its chat template and a scorer; a subclass sets ``scorer`` and ``_preparer`` (see :meth:`_split`).

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
        ConfigError: The model does not exist or is of another kind, or an argument does not fit it.
    """

    scorer: PrefixScorer
    _preparer: Preparer

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
        self.model, self.processor = _load(model, revision, dtype, attn_implementation, device_map, trust_remote_code)
        self._source = {'model': model, 'revision': revision, 'weights': _weights_id(model, self.model.config)}

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
        """The part of the work that the processor does, for loader workers."""
        return self._preparer

    def chat(self, text: str) -> str:
        """Return the whole prompt: the image, then ``text``, up to the place where the model begins to write.

        Raises:
            ConfigError: The checkpoint has no chat template.
        """
        turns: list[dict[str, Any]] = []
        if self.system_prompt is not None:
            turns.append({'role': 'system', 'content': [{'type': 'text', 'text': self.system_prompt}]})
        turns.append({'role': 'user', 'content': [{'type': 'image'}, {'type': 'text', 'text': text}]})
        try:
            return self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        except (ValueError, AttributeError) as error:
            raise ConfigError(
                f'{self._source["model"]}: its processor cannot make a prompt ({error}). Take a checkpoint whose '
                'processor has a chat template; those for transformers usually end with -hf.'
            ) from None

    def start(self, inputs: Any) -> dict[str, Any]:
        """Check the scorer against a plain forward.

        Raises:
            ConfigError: They differ and ``on_failed_check`` is 'stop'.
        """
        if len(inputs) > 1:
            return {'scoring': 'naive', 'because': "the chat template puts the image behind the questions' text"}
        report = self.scorer.self_check(inputs[0])
        if report['scoring'] == 'naive':
            message = (
                f'{self._source["model"]}: logits after the shared prefix differ from a plain forward by '
                f'{report["error_of_copied"]:.2g}, and the tolerance is {report["tolerance"]:.2g}'
            )
            if self.on_failed_check == 'stop':
                raise ConfigError(f"{message}. Set on_failed_check='naive' to score each question separately.")
            print_log(f'{message}: each question is scored separately, which is slow.', 'current', WARNING)
        return report

    def answer(self, inputs: list[Any]) -> list[Answers]:
        """Answer all questions about some images; those whose inputs have equal shapes are batched."""
        answers: list[Answers | None] = [None] * len(inputs)
        for group in _of_equal_shape(inputs):
            for index, answer in zip(group, self._answer_batch([inputs[index] for index in group])):
                answers[index] = answer
        return answers  # type: ignore[return-value]

    def _answer_batch(self, images: list[list[dict[str, Tensor]]]) -> list[Answers]:
        try:
            batches = [{key: torch.cat([x[key] for x in prompt]) for key in prompt[0]} for prompt in zip(*images)]
            scores = torch.cat([self.scorer.score(batch) for batch in batches], dim=1)
        except torch.OutOfMemoryError:
            if len(images) == 1:
                unanswered = torch.full((len(self.questions), 2), torch.nan).numpy()
                return [Answers(unanswered, 'there is not enough memory for this image and one question')]
            half = len(images) // 2
            return self._answer_batch(images[:half]) + self._answer_batch(images[half:])
        return [Answers(self._finish(of_image).numpy()) for of_image in scores]

    def _finish(self, scores: Tensor) -> Tensor:
        """Turn the scores of an image into log p(yes) and log p(no), (Q, 2)."""
        return scores

    def _split(self, prompts: Sequence[str], prefix_of: str | None = None) -> tuple[list[list[int]], Preparer]:
        """Split prompts into their common prefix and Q suffixes, and check that the suffixes depend on no image.

        Args:
            prompts: Q whole prompts.
            prefix_of: A text that all of them begin with; its last token goes to the suffixes. Defaults to None: the
                longest common prefix.
        """
        preparer = Preparer(self.processor, tuple(prompts), 1, self.processor_arguments)
        first, second = (Image.new('RGB', size, (124, 117, 104)) for size in _DUMMY_SIZES)
        tokenized = [preparer.ids(prompt, first) for prompt in prompts]
        length = _common_length(tokenized) if prefix_of is None else len(preparer.ids(prefix_of, first)) - 1
        suffixes = [ids[length:] for ids in tokenized]
        image_ids = set(getattr(self.processor, 'image_token_ids', None) or [self.model.config.image_token_id])
        if any(image_ids & set(suffix) for suffix in suffixes):
            print_log(
                f'{self._source["model"]}: its chat template puts the image after the text, so questions share no '
                'prefix: each is scored separately, which is slow.',
                'current',
                WARNING,
            )
            (end,) = {ids[-1] for ids in tokenized}  # all prompts end with the same cue for the model to write
            return [[end]], preparer
        preparer = replace(preparer, prompts=tuple(prompts[:1]), tail=len(suffixes[0]))
        prefix = preparer(second)[0]['input_ids'][0].tolist()
        for prompt, suffix in zip(prompts, suffixes):
            if preparer.ids(prompt, second) != prefix + suffix:
                raise ConfigError(
                    f'{self._source["model"]}: its processor tokenizes the prompt {prompt!r} differently for different '
                    'images, so the prompts have no common prefix. Please report it.'
                )
        return suffixes, preparer


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
        suffixes, self._preparer = self._split(prompts)
        self.scorer = PrefixScorer(self.model, suffixes, self._read, chunk_size=self.chunk_size)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers."""
        names = self.processor.tokenizer.convert_ids_to_tokens
        return {**super().identity, 'answers': [dict(zip(map(str, ids), names(ids))) for ids in self.answer_ids]}

    def _read(self, logits: Tensor, suffix: Tensor, position: Tensor) -> Tensor:
        """Return log p(yes) and log p(no) of the full softmax, (R, 2)."""
        total = logits.logsumexp(dim=-1)
        return torch.stack([logits[:, ids].logsumexp(dim=-1) - total for ids in self.answer_ids], dim=-1)


def _load(
    name: str,
    revision: str | None,
    dtype: str,
    attn_implementation: str | None,
    device_map: str | Mapping[str, Any] | None,
    trust_remote_code: bool,
) -> tuple[Any, Any]:
    """Return model and processor."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    if dtype not in ('auto', 'bfloat16', 'float16', 'float32'):
        raise ConfigError(f"dtype={dtype!r} must be 'auto', 'bfloat16', 'float16' or 'float32'.")
    source = dict(revision=revision, trust_remote_code=trust_remote_code)
    try:
        processor = AutoProcessor.from_pretrained(name, **source)
        model = AutoModelForImageTextToText.from_pretrained(
            name,
            dtype=dtype,
            attn_implementation=attn_implementation,
            device_map=device_map,
            use_safetensors=True,  # a pickle runs whatever code its author put there
            **source,
        )
    except (OSError, ValueError, ImportError) as error:
        raise ConfigError(
            f'transformers cannot load model={name!r} (revision={revision!r}) as an image-text-to-text model: {error}\n'
            'Give a folder with config, processor and safetensors, or a name on the hub (HF_TOKEN for a gated model; '
            'trust_remote_code=True for a checkpoint that needs its own code).'
        ) from None
    return (model if device_map is not None else model.to(get_device())).eval(), processor


def _weights_id(name: str, config: Any) -> str | None:
    """Return the commit on the hub, or a hash of a local folder's files: of their sizes, first and last MiB."""
    folder = Path(name)
    if not folder.is_dir():
        return getattr(config, '_commit_hash', None)
    digest = hashlib.sha256()
    files = [path for pattern in ('*.json', '*.jinja', '*.safetensors') for path in folder.glob(pattern)]
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f'{path.name} {size}\n'.encode())
        with path.open('rb') as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return f'sha256:{digest.hexdigest()[:32]}'


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
