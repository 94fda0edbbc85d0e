"""One prefill per image, and all questions batched after it.

The prompts about an image differ only in their last tokens, the question. So the image and the rest of the prefix go
through the model once, and their keys and values serve every question.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from makd.annotation.annotators.shared_prefix_attention import Packing, after_prefix, can_share
from makd.errors import ConfigError

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
        mode: How suffixes are scored, chosen by :meth:`self_check`. 'shared': all of them attend to one prefix (see
            :mod:`~makd.annotation.annotators.shared_prefix_attention`). 'copied', for sliding windows, linear attention
            and a model's own attention: a row per suffix, batched by length, after a copy of the prefix's cache, and
            padded on the right without a mask, since causality keeps the padding from the positions that are read.
            'naive': each suffix in a forward of its own, with the image. Initially 'copied', which always works.
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
        self.mode = 'copied'
        self._by_length = sorted(range(len(suffixes)), key=lambda index: len(self.suffixes[index]))
        # Models with special rotary positions for images keep the shift between positions and tokens here.
        self._with_rope_deltas = next((m for m in model.modules() if hasattr(m, 'rope_deltas')), None)
        self._attentions = [m for m in model.modules() if hasattr(m, 'layer_idx') and hasattr(m, 'config')]

    @torch.inference_mode()
    def score(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Score every suffix for B images.

        Args:
            inputs: The processor's output for the prefix only: input_ids (B, length), not padded, and the rest.

        Returns:
            (B, Q, K) float32 on the CPU.

        Raises:
            torch.OutOfMemoryError: There is not enough memory for one row.
        """
        inputs = self._on_device(inputs)
        scores: Tensor | None = None
        for rows in self._naive(inputs) if self.mode == 'naive' else self._after_prefix(inputs):
            values = self.read(rows.logits, rows.suffix, rows.position)
            if scores is None:
                scores = values.new_zeros(len(inputs['input_ids']), len(self.suffixes), values.shape[-1])
            scores.index_put_((rows.image, rows.suffix), values, accumulate=True)
        assert scores is not None
        return scores.cpu()

    @torch.inference_mode()
    def self_check(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """Set ``mode`` to the fastest one whose logits equal those of a plain forward of the whole prompt.

        The first, the shortest and the longest suffix are compared by the root mean square over the vocabulary, which
        tells a fault from rounding better than the largest difference does. A prefix that is shifted or cut by one
        token may move logits by only 3e-3, so the tolerance comes from the model's own noise: the change in a plain
        forward that a second row in the batch or padding at the end makes.

        Args:
            inputs: The inputs of one image (see :meth:`score`).

        Returns:
            ``scoring``, the mode, and the differences in logits: ``noise``, ``tolerance`` and, for each mode that was
            tried, ``error_of_shared`` and ``error_of_copied``.
        """
        inputs = self._on_device(inputs)
        checked = sorted({0, self._by_length[0], self._by_length[-1]})
        plain = {suffix: self._plain(inputs, suffix) for suffix in checked}
        noise = scale = 0.0
        for suffix, expected in plain.items():
            noise = max(noise, _difference(self._plain(inputs, suffix, padding=5), expected))
            noise = max(noise, _difference(self._plain(_twice(inputs), suffix)[: len(expected)], expected))
            scale = max(scale, float(expected.square().mean().sqrt()))
        # The effect of another order of summation, in case the computations above happen to agree exactly.
        floor = 1e-5 if self.model.dtype == torch.float32 else 6 * torch.finfo(self.model.dtype).eps
        tolerance = max(4 * noise, floor * scale)
        report: dict[str, Any] = {'noise': noise, 'tolerance': tolerance}
        for self.mode in ('shared', 'copied'):
            error = report[f'error_of_{self.mode}'] = self._error(inputs, plain)
            if error <= tolerance:
                break
        else:
            self.mode = 'naive'
        return {'scoring': self.mode, **report}

    def _error(self, inputs: dict[str, Tensor], plain: Mapping[int, Tensor]) -> float:
        """Return how much the logits differ from plain forwards in the current mode."""
        error = 0.0
        try:
            for rows in self._after_prefix(inputs):
                for suffix, expected in plain.items():
                    if len(ours := rows.logits[rows.suffix == suffix]):
                        error = max(error, _difference(ours, expected))
        except NotImplementedError:
            return float('inf')
        return error

    def _on_device(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        device, dtype = self.model.device, self.model.dtype
        moved = {key: value.to(device, non_blocking=True) for key, value in inputs.items()}
        return {key: value.to(dtype) if value.is_floating_point() else value for key, value in moved.items()}

    def _after_prefix(self, inputs: dict[str, Tensor]) -> Iterator[Rows]:
        """Yield the logits of all suffixes, a chunk at a time."""
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

    def _naive(self, inputs: dict[str, Tensor]) -> Iterator[Rows]:
        for suffix in range(len(self.suffixes)):
            logits = self._plain(inputs, suffix)
            image, position = _grid(len(inputs['input_ids']), self.keep[suffix], logits.device)
            yield Rows(logits, image, torch.full_like(image, suffix), position)

    def _plain(self, inputs: dict[str, Tensor], suffix: int, padding: int = 0) -> Tensor:
        """Return the logits of a suffix, (B * keep, V), from one forward of the whole prompt."""
        prefix = inputs['input_ids']
        ids = self.suffixes[suffix] + self.suffixes[suffix][-1:] * padding
        after = prefix.new_tensor(ids).expand(len(prefix), -1)
        whole = dict(inputs)
        for key, value in inputs.items():
            if value.shape == prefix.shape:  # a value for each token: the ids, masks, token types
                fill = after if key == 'input_ids' else torch.full_like(after, int(key == 'attention_mask'))
                whole[key] = torch.cat([value, fill.to(value.dtype)], dim=1)
        mask = torch.zeros_like(whole['input_ids'], dtype=torch.bool)
        end = mask.shape[1] - padding
        mask[:, end - self.keep[suffix] : end] = True
        return self._forward(mask, **whole, use_cache=False)

    def _forward(self, mask: Tensor, **inputs: Any) -> Tensor:
        """Return the logits (R, V) float32 at the positions of ``mask`` (rows, length), and only those."""

        def select(head: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (args[0][mask.to(args[0].device)][None], *args[1:])

        hook = self.model.get_output_embeddings().register_forward_pre_hook(select)
        try:
            return self.model(**inputs).logits[0].float()
        finally:
            hook.remove()


def _positions(positions: Tensor, deltas: Tensor | None) -> Tensor:
    """Return positions (B, T) as the model expects them: (3, B, T) and shifted if images have rotary positions."""
    return positions if deltas is None else (positions + deltas.view(-1, 1)).expand(3, *positions.shape)


def _grid(rows: int, columns: int, device: Any) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each element of a flattened (rows, columns) array."""
    index = torch.arange(rows * columns, device=device)
    return index // columns, index % columns


def _twice(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs of a batch with the same image twice."""
    return {key: torch.cat([value, value]) for key, value in inputs.items()}


def _difference(a: Tensor, b: Tensor) -> float:
    """Return the root mean square of the differences; infinity if there is a NaN."""
    difference = float((a - b).square().mean().sqrt())
    return difference if difference == difference else float('inf')
