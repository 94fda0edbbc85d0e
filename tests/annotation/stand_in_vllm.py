"""The part of vLLM that the annotator uses, with the signatures of 0.33, and a prefix cache that may be at fault."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

__version__ = '0.33.0'
VOCABULARY = 600


@dataclass
class SamplingParams:
    max_tokens: int | None = 16
    temperature: float = 1.0
    logprob_token_ids: list[int] | None = None
    detokenize: bool = True


@dataclass
class Logprob:
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


def logprobs_of(image, prompt):
    """Return the log-probabilities of the token after a prompt about an image."""
    seed = [int(np.asarray(image, np.int64).sum()), *prompt.encode()]
    logits = np.random.default_rng(seed).normal(size=VOCABULARY)
    return logits - np.logaddexp.reduce(logits)


@dataclass
class LLM:
    """Answers as :func:`logprobs_of` says. A cache at fault takes the first image of all for each later one."""

    arguments: dict = field(default_factory=dict)
    faulty = False
    longest = 10_000

    def __init__(self, model, *, revision=None, dtype='auto', quantization=None, **arguments):
        self.arguments = {
            'model': model,
            'revision': revision,
            'dtype': dtype,
            'quantization': quantization,
            **arguments,
        }
        self.calls = []
        self.cached = None
        config = SimpleNamespace(hf_config=SimpleNamespace(), dtype='torch.float32', quantization=quantization)
        self.llm_engine = SimpleNamespace(model_config=config)

    def generate(
        self,
        prompts,
        sampling_params=None,
        *,
        use_tqdm=True,
        lora_request=None,
        priority=None,
        tokenization_kwargs=None,
        mm_processor_kwargs=None,
    ):
        self.calls.append((prompts, sampling_params, tokenization_kwargs))
        if any(max(prompt['multi_modal_data']['image'].size) > self.longest for prompt in prompts):
            raise ValueError('The decoder prompt is longer than the maximum model length\nand more')
        outputs = []
        for prompt in prompts:
            image = prompt['multi_modal_data']['image']
            if 'cache_salt' not in prompt:
                self.cached = self.cached or image
                image = self.cached if self.faulty else image
            logprobs = logprobs_of(image, prompt['prompt'])
            ids = {int(logprobs.argmax()), *sampling_params.logprob_token_ids}
            shown = {id_: Logprob(float(logprobs[id_])) for id_ in ids}
            outputs.append(SimpleNamespace(outputs=[SimpleNamespace(logprobs=[shown])]))
        return outputs
