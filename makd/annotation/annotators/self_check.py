"""How a model's suffixes are scored: in the fastest way that was shown to equal ``generate``."""

import math
from collections.abc import Sequence, Sized
from contextlib import suppress
from logging import WARNING
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor

from makd.annotation.annotators.prefix_scorer import Inputs, PrefixScorer, concatenated
from makd.errors import ConfigError

_UNLIKELY = -100.0  # a probability below 4e-44 changes no answer, however far below


def first_and_extremes(texts: Sequence[Sized]) -> list[int]:
    """Return the indices of what is compared for all: the first, the shortest and the longest."""
    by_length = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    return sorted({0, by_length[0], by_length[-1]})


def checked_suffixes(scorer: PrefixScorer) -> list[int]:
    """Return the indices of the suffixes that are compared."""
    return first_and_extremes(scorer.suffixes)


def tolerated(noise: float, rounding: float) -> float:
    """Return the difference that is no fault: a small multiple of the noise, within a range set by the rounding."""
    return min(max(4 * noise, rounding), 4 * rounding)


def score_separately(message: str, on_failed_check: str) -> None:
    """Warn that each question is scored separately from now on; or raise a ConfigError, if it is 'stop'."""
    if on_failed_check == 'stop':
        raise ConfigError(f"{message}. Set on_failed_check='naive' to score each question separately.")
    print_log(f'{message}: each question is scored separately, which is slow.', 'current', WARNING)


@torch.inference_mode()
def self_check(scorer: PrefixScorer, prompts: Sequence[Sequence[Inputs]], prefixes: Sequence[Inputs]) -> dict[str, Any]:
    """Set the scorer's mode to the fastest one whose log-probabilities are those of ``generate``.

    They are compared by the root mean square over the vocabulary, which tells a fault from rounding better than the
    largest difference does. A prefix that is shifted or cut by one token may move them by only 3e-3, so the tolerance
    comes from the model's own rounding: from what changes when ``generate`` gets the images in one batch, within a
    range that the precision sets.

    Args:
        scorer: The scorer.
        prompts: For each of two different images of one size, the whole prompts (see :meth:`PrefixScorer.score_whole`)
            of :func:`checked_suffixes`.
        prefixes: For each image, the prefix (see :meth:`PrefixScorer.score`). Empty if the prompts share none.

    Returns:
        ``scoring``, the mode; the differences ``noise`` and ``tolerance``; and for each mode that was tried,
        ``error_of_shared`` and ``error_of_copied``: its difference, or what it raised, since then it does not serve.

    Raises:
        ConfigError: ``generate`` fails, its logits are not finite, or they do not depend on the image.
    """
    name, dtype = type(scorer.model).__name__, scorer.model.dtype
    checked = checked_suffixes(scorer)
    plain = [
        [_plain(scorer, *suffix_and_prompt) for suffix_and_prompt in zip(checked, of_image)] for of_image in prompts
    ]
    if all(torch.equal(a, b) for a, b in zip(*plain)):
        raise ConfigError(
            f'{name} gives the same logits for different images, so it does not see them. Does the chat template put '
            'the image into the prompt?'
        )
    noise = 0.0
    with suppress(Exception):  # a model that takes no batches has no such noise
        for suffix, of_images, expected in zip(checked, zip(*prompts), zip(*plain)):
            together = _logprobs(scorer.generate(suffix, concatenated(of_images)))
            noise = max(noise, _difference(together, torch.stack(expected)))
    # The effect of another order of summation, if a batch shows less of it; linear attention in chunks needs most.
    rounding = 5e-5 if dtype == torch.float32 else 6 * torch.finfo(dtype).eps
    rounding *= max(float(logprobs[logprobs > _UNLIKELY].std()) for of_image in plain for logprobs in of_image)
    tolerance = tolerated(noise, rounding)
    report: dict[str, Any] = {'noise': noise, 'tolerance': tolerance}
    for scorer.mode in ('shared', 'copied') if prefixes else ():
        try:
            error = report[f'error_of_{scorer.mode}'] = _error(scorer, prefixes, plain)
        except Exception as failure:
            report[f'error_of_{scorer.mode}'] = _described(failure)
        else:
            if error <= tolerance:
                break
    else:
        scorer.mode = 'naive'
    return {'scoring': scorer.mode, **report}


def _plain(scorer: PrefixScorer, suffix: int, prompt: Inputs) -> Tensor:
    """Return the log-probabilities that ``generate`` computes, (keep, V); raise a ConfigError if it cannot."""
    name = type(scorer.model).__name__
    try:
        (logits,) = scorer.generate(suffix, prompt)
    except Exception as error:
        raise ConfigError(
            f'{name}.generate fails for the first image, so the model cannot answer: {_described(error)}'
        ) from error
    logprobs = _logprobs(logits)
    if logprobs.isnan().any():
        wrong = [name for name, weight in scorer.model.named_parameters() if not weight.isfinite().all()]
        cause = (
            f'{len(wrong)} of its weights hold NaN or infinity, beginning with {wrong[0]}: is the checkpoint damaged?'
            if wrong
            else f'though its weights are finite, so they overflow in {scorer.model.dtype}: set another dtype'
        )
        raise ConfigError(f'{name}: the logits for the first image are not finite; {cause}')
    return logprobs


def _described(error: Exception) -> str:
    """Return one short line; some messages hold whole tensors."""
    return f'{type(error).__name__}: {error}'.split('\n', 1)[0][:200]


def _error(scorer: PrefixScorer, prefixes: Sequence[Inputs], plain: Sequence[Sequence[Tensor]]) -> float:
    """Return how much the log-probabilities of some images differ from ``plain`` in the current mode."""
    error = 0.0
    try:
        for rows in scorer.rows(concatenated(prefixes)):
            for image, of_image in enumerate(plain):
                for suffix, expected in zip(checked_suffixes(scorer), of_image):
                    ours = rows.logits[(rows.image == image) & (rows.suffix == suffix)]
                    if len(ours):
                        error = max(error, _difference(_logprobs(ours), expected))
    except torch.OutOfMemoryError:
        if len(prefixes) == 1:
            raise
        return max(_error(scorer, [prefix], [of_image]) for prefix, of_image in zip(prefixes, plain))
    return error


def _logprobs(logits: Tensor) -> Tensor:
    """Return log-probabilities; some models set the logits of tokens that may not follow to the lowest number."""
    return logits.log_softmax(dim=-1).clamp(min=_UNLIKELY)


def _difference(a: Tensor, b: Tensor) -> float:
    """Return the root mean square of the differences; raise FloatingPointError if there is a NaN."""
    difference = float((a - b).square().mean().sqrt())
    if math.isnan(difference):
        raise FloatingPointError('the logits are not finite')
    return difference
