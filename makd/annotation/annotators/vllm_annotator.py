"""An annotator on vLLM in this process, for large models: tensor parallelism, FP8, continuous batching."""

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from makd.annotation.annotators.base import Annotator, Answers, load_questions
from makd.annotation.annotators.chat_template import chat, check_questions
from makd.annotation.annotators.hf_checkpoint import load_processor, weights_id
from makd.annotation.annotators.prompts import fill, resolve_prompt
from makd.annotation.annotators.self_check import first_and_extremes, score_separately, tolerated
from makd.annotation.annotators.yes_no import pair_ids
from makd.errors import ConfigError
from makd.questions import QuestionSet
from makd.ranges import Count
from makd.registry import MODELS

_OLDEST = '0.20'  # the first with logprob_token_ids
_EPSILON = {'float32': 1.2e-7, 'float16': 9.8e-4, 'bfloat16': 7.8e-3}

# Arguments of the engine that set memory and speed. All others may change answers, and are part of the identity.
_WITHOUT_EFFECT = {
    *('block_size', 'cpu_offload_gb', 'disable_log_stats', 'enforce_eager', 'gpu_memory_utilization'),
    *('kv_cache_memory_bytes', 'max_model_len', 'max_num_batched_tokens', 'max_num_seqs'),
}


@MODELS.register_module()
class VLLMAnnotator(Annotator):
    """Any multimodal model that vLLM runs, on all GPUs of one machine.

    Each question is a prompt of which one token is generated, and vLLM returns the log-probabilities of the tokens of
    the two answers (``logprob_token_ids``), however unlikely they are. The first question about an image is asked
    before the others, which find the image in vLLM's prefix cache.

    Wrong results of multimodal models under prefix caching have been reported (vllm#20261, vllm#21016). So the first
    image and its negative are asked about with and without it at the start; if the answers differ, no prompt shares a
    cache with another, or the run stops.

    Args:
        model: Name on the Hugging Face hub, or a folder with the weights, the processor and its chat template.
        questions: A question set, or the path of its JSON file.
        top: Ask only the first ``top`` questions.
        prompt: 'bare' (the paper's), 'yes_no', or a text with ``{question}`` in it.
        system_prompt: Text of the system's turn. Defaults to None: the template's own.
        answers: The words for yes and no; each must be a single token after the prompt.
        case_variants: Add the probabilities of both words in other cases and with a leading space.
        revision: Commit, tag or branch on the hub. Defaults to None: the newest.
        dtype: 'auto' (the checkpoint's), 'bfloat16', 'float16' or 'float32'.
        quantization: vLLM's name of a quantization, such as 'fp8'. Defaults to None: that of the checkpoint.
        tensor_parallel_size: GPUs that share the model.
        processor: Arguments of the model's processor (``mm_processor_kwargs``).
        engine: Further arguments of ``vllm.LLM``, such as ``dict(max_model_len=4096, gpu_memory_utilization=0.9)``.
        trust_remote_code: Run Python code that comes with the checkpoint.
        on_failed_check: After a failed self-check, 'naive' lets no prompts share a prefix, with a warning, and 'stop'
            raises an error.

    Raises:
        ConfigError: vLLM is absent or older than 0.20, cannot load the model, or an argument has no meaning; or there
            are several ranks, since vLLM itself uses several GPUs.
        QuestionsError: The questions cannot be read, or one holds a special token.
    """

    def __init__(
        self,
        model: str,
        questions: QuestionSet | str,
        top: Count | None = None,
        prompt: str = 'bare',
        system_prompt: str | None = None,
        answers: Sequence[str] = ('Yes', 'No'),
        case_variants: bool = False,
        revision: str | None = None,
        dtype: str = 'auto',
        quantization: str | None = None,
        tensor_parallel_size: Count = 1,
        processor: Mapping[str, Any] | None = None,
        engine: Mapping[str, Any] | None = None,
        trust_remote_code: bool = False,
        on_failed_check: str = 'naive',
    ) -> None:
        super().__init__(load_questions(questions, top))
        if on_failed_check not in ('naive', 'stop'):
            raise ConfigError(f"on_failed_check={on_failed_check!r} must be 'naive' or 'stop'.")
        if int(os.environ.get('WORLD_SIZE', '1')) > 1:
            raise ConfigError(
                f'makd.VLLMAnnotator on WORLD_SIZE={os.environ["WORLD_SIZE"]} ranks: vLLM uses the GPUs of a machine '
                'itself. Start one process (tensor_parallel_size=...), or several with --launcher ray.'
            )
        vllm = _import_vllm()
        self.on_failed_check = on_failed_check
        self.template = resolve_prompt(prompt)
        loaded = load_processor(model, revision, trust_remote_code)
        check_questions(loaded, model, self.questions)
        texts = (fill(self.template, text) for text in self.questions.texts)
        self.prompts = [chat(loaded, model, text, system_prompt) for text in texts]
        self.answer_ids = pair_ids(loaded.tokenizer, self.prompts[0], answers, case_variants)
        self._names = loaded.tokenizer.convert_ids_to_tokens
        bos = loaded.tokenizer.bos_token
        # The template has written the token that begins a text, which vLLM's tokenizer would write again.
        self._once = {'add_special_tokens': False} if bos is not None and self.prompts[0].startswith(bos) else None
        try:
            self.llm = vllm.LLM(
                model=model,
                revision=revision,
                tokenizer_revision=revision,
                dtype=dtype,
                quantization=quantization,
                tensor_parallel_size=tensor_parallel_size,
                mm_processor_kwargs=dict(processor or {}) or None,
                trust_remote_code=trust_remote_code,
                enable_prefix_caching=True,
                limit_mm_per_prompt={'image': 1},
                **(engine or {}),
            )
        except (ValueError, TypeError, RuntimeError, OSError) as error:
            raise ConfigError(
                f'vLLM {vllm.__version__} cannot load model={model!r} (revision={revision!r}): {error}\n'
                'Its own log above has the cause; `engine` has its further arguments, such as max_model_len.'
            ) from error
        self._sampling = vllm.SamplingParams(
            max_tokens=1,
            temperature=0,
            logprob_token_ids=sorted({id_ for ids in self.answer_ids for id_ in ids}),
            detokenize=False,
        )
        config = self.llm.llm_engine.model_config
        self._source = {
            'model': model,
            'revision': revision,
            'weights': weights_id(model, config.hf_config),
            'dtype': str(config.dtype).removeprefix('torch.'),
            'quantization': config.quantization,
        }
        self._processor = dict(processor or {})
        self._engine = {key: value for key, value in (engine or {}).items() if key not in _WITHOUT_EFFECT}
        self._salts = count()
        self._version = vllm.__version__
        self.shares_prefixes = True

    @property
    def identity(self) -> dict[str, Any]:
        """Everything besides the questions that decides the answers."""
        return {
            'type': self.name_in_meta,
            **self._source,
            'prompt': self.prompts[0].replace(self.questions[0].text, '{question}'),
            'processor': self._processor,
            'engine': self._engine,
            'answers': [dict(zip(map(str, ids), self._names(ids))) for ids in self.answer_ids],
        }

    @property
    def preparer(self) -> Callable[[Image.Image], Image.Image]:
        """The image itself: vLLM's own processor prepares it."""
        return Image.Image.copy

    def start(self, image: Image.Image) -> dict[str, Any]:
        """Compare answers with and without prefix caching, about the first image and its negative.

        The tolerance comes from rounding: from what changes if the prompts without caching are sent together, not one
        by one, within a range that the precision sets.

        Raises:
            ConfigError: The answers do not depend on the image; or they differ and ``on_failed_check`` is 'stop'.
        """
        images = [image, ImageOps.invert(image)]
        checked = first_and_extremes(self.prompts)
        pairs = [(of, question) for of in images for question in checked]
        alone = np.concatenate([self._ask([pair], share=False) for pair in pairs])
        together = self._ask(pairs, share=False)
        cached = self._answer_all(images)[:, checked].reshape(-1, 2)
        half = len(checked)
        if np.array_equal(alone[:half], alone[half:]):
            raise ConfigError(
                f'{self._source["model"]} gives the same answers about an image and its negative, so it does not see '
                'them. Does the chat template put the image into the prompt?'
            )
        noise, error = float(abs(together - alone).max()), float(abs(cached - alone).max())
        rounding = 6 * _EPSILON.get(self._source['dtype'], _EPSILON['bfloat16']) * max(1.0, float(abs(alone).max()))
        tolerance = tolerated(noise, rounding)
        if not error <= tolerance:  # or NaN
            self.shares_prefixes = False
            score_separately(
                f'{self._source["model"]}: log-probabilities with prefix caching differ from those without by '
                f'{error:.3g}, and the tolerance is {tolerance:.2g}',
                self.on_failed_check,
            )
        return {
            'scoring': 'prefix caching' if self.shares_prefixes else 'naive',
            'noise': noise,
            'tolerance': tolerance,
            'error': error,
            'vllm': self._version,
        }

    def answer(self, inputs: list[Image.Image]) -> list[Answers]:
        """Answer all questions about some images; an image that vLLM refuses gets a reason instead of answers."""
        try:
            answered = self._answer_all(inputs)
        except ValueError as error:  # of one image, for example because its prompt is longer than max_model_len
            if len(inputs) == 1:
                return [Answers.missing(len(self.questions), str(error).split('\n', 1)[0])]
            return [answers for image in inputs for answers in self.answer([image])]
        return [Answers(logprobs, 'the model gave NaN' if np.isnan(logprobs).any() else None) for logprobs in answered]

    def _answer_all(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Return log p(yes) and log p(no), (N, Q, 2): of the first question first, then of the others together."""
        share = self.shares_prefixes
        first = self._ask([(image, 0) for image in images], share).reshape(len(images), 1, 2)
        if len(self.prompts) == 1:
            return first
        rest = [(image, question) for image in images for question in range(1, len(self.prompts))]
        return np.concatenate([first, self._ask(rest, share).reshape(len(images), -1, 2)], axis=1)

    def _ask(self, pairs: Sequence[tuple[Image.Image, int]], share: bool) -> np.ndarray:
        """Ask about images, each with the index of a question: (n, 2) float32.

        Args:
            pairs: Images and questions.
            share: Whether prompts may share a cached prefix. Otherwise each has a salt, a part of its cache's key.
        """
        requests: list[dict[str, Any]] = []
        for image, question in pairs:
            request = {'prompt': self.prompts[question], 'multi_modal_data': {'image': image}}
            requests.append(request if share else {**request, 'cache_salt': f'makd-{next(self._salts)}'})
        outputs = self.llm.generate(requests, self._sampling, use_tqdm=False, tokenization_kwargs=self._once)
        return np.array([self._read(output.outputs[0].logprobs[0]) for output in outputs], np.float32)

    def _read(self, logprobs: Mapping[int, Any]) -> list[float]:
        """Return log p(yes) and log p(no) of the full softmax, from log-probabilities by token id."""
        # Rounding may take a sum a little above 0.
        return [min(float(np.logaddexp.reduce([logprobs[id_].logprob for id_ in ids])), 0.0) for ids in self.answer_ids]


def _import_vllm() -> Any:
    """Return the package; raise a ConfigError if it is absent, or too old to return the tokens that are wanted."""
    try:
        import vllm
    except ImportError as error:
        raise ConfigError(
            f'makd.VLLMAnnotator needs vLLM {_OLDEST} or later, which cannot be imported ({error}): pip install vllm, '
            'in an environment of its own (it pins torch and transformers)'
        ) from None
    if not hasattr(vllm.SamplingParams(max_tokens=1), 'logprob_token_ids'):
        raise ConfigError(
            f'vLLM {vllm.__version__} cannot return the log-probabilities of given tokens (logprob_token_ids): install '
            f'{_OLDEST} or later, or serve the model and use makd.OpenAIAnnotator'
        )
    return vllm
