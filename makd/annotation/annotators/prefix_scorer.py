"""One prefill an image, all questions batched behind it.

The prompts of an image differ in their last tokens only: the question. So the image and everything else that they share
goes through the model once, and its keys and values serve every question.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from makd.annotation.annotators.shared_prefix_attention import Packing, behind, can_share
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
    """Scores suffixes behind the prefix that they share.

    Only the hidden states that are read go through the language-model head.

    Args:
        model: A transformers image-text-to-text model.
        suffixes: Q lists of token ids, none of them empty.
        read: What to read from logits: a function of (logits (R, V) float32, suffix (R,), position (R,)) with values
            (R, K). The values of the positions of a suffix are summed.
        keep: How many positions at the end of each suffix are read, Q numbers. Defaults to one of each.
        chunk_size: Suffixes times images in a batch. Halved, and kept so, when the memory does not suffice.

    Attributes:
        mode: How suffixes are scored, which :meth:`self_check` chooses: 'shared', all of them attend to the one prefix
            (see :mod:`~makd.annotation.annotators.shared_prefix_attention`); 'copied', for sliding windows, linear
            attention and attention of a model's own: a row for each suffix, batched by length, after a copy of the
            prefix's cache, padded on the right without a mask, since causality keeps what comes later from what is
            read; 'naive', each suffix in a forward of its own, with the image. Initially 'copied', which always works.
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
        # Models with rotary positions of their own for images keep the shift between positions and tokens here.
        self._with_rope_deltas = next((m for m in model.modules() if hasattr(m, 'rope_deltas')), None)
        self._attentions = [m for m in model.modules() if hasattr(m, 'layer_idx') and hasattr(m, 'config')]

    @torch.inference_mode()
    def score(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Score every suffix for B images.

        Args:
            inputs: What the processor gives, for the prefix only: input_ids (B, length), not padded, and the rest.

        Returns:
            (B, Q, K) float32 on the CPU.

        Raises:
            torch.OutOfMemoryError: The memory does not suffice for one row.
        """
        inputs = self._on_device(inputs)
        scores: Tensor | None = None
        for rows in self._naive(inputs) if self.mode == 'naive' else self._behind_prefix(inputs):
            values = self.read(rows.logits, rows.suffix, rows.position)
            if scores is None:
                scores = values.new_zeros(len(inputs['input_ids']), len(self.suffixes), values.shape[-1])
            scores.index_put_((rows.image, rows.suffix), values, accumulate=True)
        assert scores is not None
        return scores.cpu()

    @torch.inference_mode()
    def self_check(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """Set ``mode`` to the fastest that gives what a plain forward of the whole prompt gives.

        Compared are the first, the shortest and the longest suffix, by the root mean square over the vocabulary, which
        tells a fault from rounding better than the largest difference does. A prefix that is shifted or cut by one
        token may move logits by 3e-3 only, so the tolerance comes from the model's own noise: what a second row in the
        batch, or padding behind it, changes in a plain forward.

        Args:
            inputs: Those of one image (see :meth:`score`).

        Returns:
            ``scoring``, the mode, and the differences in logits: ``noise``, ``tolerance`` and, of each mode that was
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
        # What another order of summation may cost, where the computations above happen to repeat each other exactly.
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
        """Return how much the logits differ from those of plain forwards, in the mode that is set."""
        error = 0.0
        try:
            for rows in self._behind_prefix(inputs):
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

    def _behind_prefix(self, inputs: dict[str, Tensor]) -> Iterator[Rows]:
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
            chunk = self._by_length[start : start + math.ceil(left / chunks)]  # all about equally large
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
        """Return the logits of some suffixes, one behind the other in the sequence of each of ``count`` images."""
        device = self.model.device
        at = Packing([len(self.suffixes[suffix]) for suffix in chunk], device)
        ids = torch.tensor([id_ for suffix in chunk for id_ in self.suffixes[suffix]], device=device)
        left = torch.tensor([len(self.suffixes[s]) - self.keep[s] for s in chunk], device=device)[at.suffix]
        read = at.position >= left
        with behind(cache, at, self._attentions) as shared:
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
        """Return the logits of some suffixes, each a row behind a copy of the prefix of one of ``count`` images."""
        device = self.model.device
        sizes = torch.tensor([len(self.suffixes[suffix]) for suffix in chunk], device=device).repeat(count)[:, None]
        keep = torch.tensor([self.keep[suffix] for suffix in chunk], device=device).repeat(count)[:, None]
        longest = int(sizes.max())
        # Padded with each suffix's own last token, which no model takes for a special one.
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
        behind = prefix.new_tensor(ids).expand(len(prefix), -1)
        whole = dict(inputs)
        for key, value in inputs.items():
            if value.shape == prefix.shape:  # a value for each token: the ids, masks, token types
                fill = behind if key == 'input_ids' else torch.full_like(behind, int(key == 'attention_mask'))
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
    """Return positions (B, T) as the model wants them: (3, B, T), shifted, where images have rotary positions."""
    return positions if deltas is None else (positions + deltas.view(-1, 1)).expand(3, *positions.shape)


def _grid(rows: int, columns: int, device: Any) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each element of a (rows, columns) array, flattened."""
    index = torch.arange(rows * columns, device=device)
    return index // columns, index % columns


def _twice(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs of a batch with the same image twice."""
    return {key: torch.cat([value, value]) for key, value in inputs.items()}


def _difference(a: Tensor, b: Tensor) -> float:
    """Return the root mean square of the differences; infinity if there is a NaN."""
    difference = float((a - b).square().mean().sqrt())
    return difference if difference == difference else float('inf')
