"""One prefill per image, and all questions batched after it.

The prompts about an image differ only in their last tokens, the question. So the image and the rest of the prefix go
through the model once, and their keys and values serve every question.
"""

import copy
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from makd.annotation.annotators.shared_prefix_attention import Packing, after_prefix, can_share
from makd.errors import ConfigError

Inputs = Mapping[str, Tensor]
# (logits (R, V) float32, suffix (R,), position (R,)) -> (R, K); position counts the positions read of a suffix.
Read = Callable[[Tensor, Tensor, Tensor], Tensor]


class Rows(NamedTuple):
    """The logits of some rows, (R, V) float32, with the image, the suffix and the position of each, (R,)."""

    logits: Tensor
    image: Tensor
    suffix: Tensor
    position: Tensor


class PrefixScorer:
    """Scores suffixes after their common prefix. Only hidden states that are read pass the language-model head.

    Args:
        model: A transformers image-text-to-text model.
        suffixes: Q non-empty lists of token ids.
        read: Reads values (R, K) from (logits (R, V) float32, suffix (R,), position (R,)). Those of a suffix's
            positions are summed.
        keep: How many positions at the end of each suffix are read, Q numbers. Defaults to None: one each.
        chunk_size: Suffixes times images per batch. Halved for good when the memory is not enough.

    Attributes:
        mode: How suffixes are scored; None until :func:`~makd.annotation.annotators.self_check.self_check` chooses.
            'shared': all of them attend to one prefix (see
            :mod:`~makd.annotation.annotators.shared_prefix_attention`). 'copied', for sliding windows, linear attention
            and a model's own attention: a row per suffix, batched by length, after a copy of the prefix's cache, and
            padded on the right without a mask, since causality keeps the padding from the positions that are read.
            'naive': each whole prompt in a call of ``generate`` (see :meth:`score_whole`).
    """

    def __init__(
        self,
        model: Any,
        suffixes: Sequence[Sequence[int]],
        read: Read,
        keep: Sequence[int] | None = None,
        chunk_size: int = 20,
    ) -> None:
        if chunk_size < 1:
            raise ConfigError(f'chunk_size={chunk_size} must be at least 1.')
        self.model = model
        self.suffixes = [list(suffix) for suffix in suffixes]
        self.keep = [1] * len(suffixes) if keep is None else list(keep)
        self.read = read
        self.chunk_size = chunk_size
        self.mode: str | None = None
        self._by_length = sorted(range(len(suffixes)), key=lambda index: len(self.suffixes[index]))
        # Models with special rotary positions for images keep the shift between positions and tokens here.
        self._with_rope_deltas = next((m for m in model.modules() if hasattr(m, 'rope_deltas')), None)
        # generate() refuses what the model has no use for, such as the token types of some tokenizers.
        takes_inputs = (model.forward, model.prepare_inputs_for_generation)
        self._accepted = {name for method in takes_inputs for name in inspect.signature(method).parameters}
        self._attentions = [m for m in model.modules() if hasattr(m, 'layer_idx') and hasattr(m, 'config')]

    @torch.inference_mode()
    def score(self, inputs: Inputs) -> Tensor:
        """Score every suffix for B images, in the mode 'shared' or 'copied'.

        Args:
            inputs: The processor's output for the prefix only: input_ids (B, length), not padded, and the rest.

        Returns:
            (B, Q, K) float32 on the CPU.

        Raises:
            torch.OutOfMemoryError: There is not enough memory for one row.
        """
        return self._summed(self.rows(inputs), len(inputs['input_ids']))

    @torch.inference_mode()
    def score_whole(self, prompts: Sequence[Inputs]) -> Tensor:
        """Score every suffix for one image, each in a call of ``generate``, which is right for every model.

        Args:
            prompts: The processor's output for prefix and suffix up to the first position that is read, Q times.

        Returns:
            (1, Q, K) float32 on the CPU.

        Raises:
            torch.OutOfMemoryError: There is not enough memory for one prompt.
        """
        rows = []
        for suffix, prompt in enumerate(prompts):
            (logits,) = self.generate(suffix, prompt)
            position = torch.arange(len(logits), device=logits.device)
            rows.append(Rows(logits, torch.zeros_like(position), torch.full_like(position, suffix), position))
        return self._summed(rows, 1)

    def _summed(self, all_rows: Iterable[Rows], count: int) -> Tensor:
        """Return what is read from the rows of ``count`` images, summed over the positions, (count, Q, K)."""
        scores: Tensor | None = None
        for rows in all_rows:
            values = self.read(rows.logits, rows.suffix, rows.position)
            if scores is None:
                scores = values.new_zeros(count, len(self.suffixes), values.shape[-1])
            scores.index_put_((rows.image, rows.suffix), values, accumulate=True)
        assert scores is not None
        return scores.cpu()

    def _on_device(self, inputs: Inputs) -> dict[str, Tensor]:
        device, dtype = self.model.device, self.model.dtype
        moved = {key: value.to(device, non_blocking=True) for key, value in inputs.items() if key in self._accepted}
        return {key: value.to(dtype) if value.is_floating_point() else value for key, value in moved.items()}

    def rows(self, inputs: Inputs) -> Iterator[Rows]:
        """Yield the logits of all suffixes after the prefix of B images, a chunk at a time; see :meth:`score`."""
        if self.mode not in ('shared', 'copied'):
            raise RuntimeError(f'scoring after a prefix was not shown to be right (mode={self.mode!r}): self_check it')
        inputs = self._on_device(inputs)
        cache = self._prefill(inputs)
        if self.mode == 'shared' and not can_share(cache):
            raise NotImplementedError('sliding windows or linear attention')
        deltas = getattr(self._with_rope_deltas, 'rope_deltas', None)
        deltas = None if deltas is None else deltas.to(self.model.device)
        count, length = inputs['input_ids'].shape
        start = 0
        while start < len(self._by_length):
            left = len(self._by_length) - start
            chunks = math.ceil(left / max(1, self.chunk_size // count))
            chunk = self._by_length[start : start + math.ceil(left / chunks)]  # of about equal size
            try:
                done = (self._packed if self.mode == 'shared' else self._padded)(chunk, cache, count, length, deltas)
            except torch.OutOfMemoryError:
                if len(chunk) == 1:
                    raise
                self.chunk_size = len(chunk) // 2 * count
                continue
            yield done
            start += len(chunk)

    def _prefill(self, inputs: dict[str, Tensor]) -> Cache:
        config = self.model.config.get_text_config(decoder=True)
        last = torch.zeros_like(inputs['input_ids'], dtype=torch.bool)
        last[:, -1] = True
        cache = DynamicCache(config=config)
        self._forward(last, **inputs, past_key_values=cache, use_cache=True)
        return cache

    def _packed(self, chunk: Sequence[int], cache: Cache, count: int, length: int, deltas: Tensor | None) -> Rows:
        """Return the logits of some suffixes, which follow one another in one sequence for each of ``count`` images."""
        device = self.model.device
        at = Packing([len(self.suffixes[suffix]) for suffix in chunk], device)
        ids = torch.tensor([id_ for suffix in chunk for id_ in self.suffixes[suffix]], device=device)
        left = torch.tensor([len(self.suffixes[s]) - self.keep[s] for s in chunk], device=device)[at.suffix]
        read = at.position >= left
        with after_prefix(cache, at, self._attentions) as shared:
            logits = self._forward(
                read.expand(count, -1),
                input_ids=ids.expand(count, -1),
                position_ids=_positions(length + at.position.expand(count, -1), deltas),
                past_key_values=shared,
                use_cache=True,
            )
        image, token = _grid(count, int(read.sum()), device)
        suffix = torch.tensor(chunk, device=device)[at.suffix[read]]
        return Rows(logits, image, suffix[token], (at.position - left)[read][token])

    def _padded(self, chunk: Sequence[int], cache: Cache, count: int, length: int, deltas: Tensor | None) -> Rows:
        """Return the logits of some suffixes, each in a row after a copy of the prefix of one of ``count`` images."""
        device = self.model.device
        sizes = torch.tensor([len(self.suffixes[suffix]) for suffix in chunk], device=device).repeat(count)[:, None]
        keep = torch.tensor([self.keep[suffix] for suffix in chunk], device=device).repeat(count)[:, None]
        longest = int(sizes.max())
        # Padded with each suffix's own last token, which no model treats as special.
        filled = [(self.suffixes[s] + self.suffixes[s][-1:] * longest)[:longest] for s in chunk]
        position = torch.arange(longest, device=device)
        read = (position < sizes) & (position >= sizes - keep)
        image, of_chunk = _grid(count, len(chunk), device)
        copied = copy.deepcopy(cache)
        copied.reorder_cache(image)  # type: ignore[arg-type]
        explicit = {}
        if deltas is not None:
            explicit['position_ids'] = _positions((length + position).expand(len(image), -1), deltas[image])
        ids = torch.tensor(filled, device=device).repeat(count, 1)
        logits = self._forward(read, input_ids=ids, past_key_values=copied, use_cache=True, **explicit)
        row, column = read.nonzero(as_tuple=True)
        suffix = torch.tensor(chunk, device=device)[of_chunk[row]]
        return Rows(logits, image[row], suffix, column - (sizes - keep)[row, 0])

    def generate(self, suffix: int, prompt: Inputs) -> Tensor:
        """Return the logits (B, keep, V) float32 that the model's ``generate`` computes for a suffix.

        Args:
            suffix: The index of the suffix, which is not generated freely but dictated.
            prompt: The processor's output for prefix and suffix up to the first position that is read, of B images.
        """
        length = prompt['input_ids'].shape[1]
        after = [*self.suffixes[suffix][len(self.suffixes[suffix]) - self.keep[suffix] + 1 :], 0]
        output = self.model.generate(
            **self._on_device(prompt),
            max_new_tokens=self.keep[suffix],
            prefix_allowed_tokens_fn=lambda _, ids: after[len(ids) - length :][:1],
            do_sample=False,
            num_beams=1,
            return_dict_in_generate=True,
            output_logits=True,
        )
        return torch.stack(output.logits, dim=1).float()

    def _forward(self, mask: Tensor, **inputs: Any) -> Tensor:
        """Return the logits (R, V) float32 at the positions of ``mask`` (rows, length), and only those."""

        def select(head: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (args[0][mask.to(args[0].device)][None], *args[1:])

        hook = self.model.get_output_embeddings().register_forward_pre_hook(select)
        try:
            return self.model(**inputs).logits[0].float()
        finally:
            hook.remove()


def concatenated(inputs: Sequence[Inputs]) -> dict[str, Tensor]:
    """Return the inputs of several images as those of a batch."""
    return {key: torch.cat([of_image[key] for of_image in inputs]) for key in inputs[0]}


def _positions(positions: Tensor, deltas: Tensor | None) -> Tensor:
    """Return positions (B, T) as the model expects them: (3, B, T) and shifted if images have rotary positions."""
    return positions if deltas is None else (positions + deltas.view(-1, 1)).expand(3, *positions.shape)


def _grid(rows: int, columns: int, device: Any) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each element of a flattened (rows, columns) array."""
    index = torch.arange(rows * columns, device=device)
    return index // columns, index % columns
