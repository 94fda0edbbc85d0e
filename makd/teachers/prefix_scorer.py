"""One prefill an image, all questions batched behind it.

The prompts of an image differ in their last tokens only: the question. So the image and everything else that they share
goes through the model once, and its keys and values serve every question.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

from makd.errors import ConfigError

# (logits (R, V) float32, suffix (R,), position (R,)) -> (R, K); position counts the positions read of a suffix.
Read = Callable[[Tensor, Tensor, Tensor], Tensor]


class Row(NamedTuple):
    """One row of a batch: a suffix behind the prefix of an image."""

    image: int
    suffix: int


class Rows(NamedTuple):
    """The logits of some rows, (R, V) float32, with the image, the suffix and the position of each, (R,)."""

    logits: Tensor
    image: Tensor
    suffix: Tensor
    position: Tensor


class SharedPrefixLayer(DynamicLayer):
    """A cache layer that shows each row the prefix of its image before the row's own states, and keeps neither.

    Args:
        layer: The layer that the prefill filled: keys and values (B, heads, length, dim).
        image: (rows,) which image each row belongs to, or None if there is only one.
    """

    def __init__(self, layer: Any, image: Tensor | None) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = layer.keys, layer.values, True  # what the base class looks at
        self._prefix: tuple[Tensor, Tensor] = layer.keys, layer.values
        self._image = image

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return prefix and new states in one."""
        keys, values = self._prefix
        return self._behind(keys, key_states), self._behind(values, value_states)

    def _behind(self, prefix: Tensor, states: Tensor) -> Tensor:
        if self._image is None:
            prefix = prefix.expand(len(states), -1, -1, -1)
        else:
            prefix = prefix.index_select(0, self._image.to(prefix.device))
        return torch.cat([prefix, states], dim=-2)


class PrefixScorer:
    """Scores suffixes behind the prefix that they share.

    Suffixes are batched by length and padded on the right without an attention mask: causality keeps what comes later
    from what is read. Only the hidden states that are read go through the language-model head. Where every layer of
    the cache is a plain one, the prefix is shown to the rows of a batch and never copied into a cache of theirs; other
    caches (sliding windows, linear attention) are copied for each batch.

    Args:
        model: A transformers image-text-to-text model.
        suffixes: Q lists of token ids, none of them empty.
        read: What to read from logits: a function of (logits (R, V) float32, suffix (R,), position (R,)) with values
            (R, K). The values of the positions of a suffix are summed.
        keep: How many positions at the end of each suffix are read, Q numbers. Defaults to one of each.
        chunk_size: Rows in a batch. Halved, and kept so, when the memory does not suffice.

    Attributes:
        naive: Score each suffix in a forward of its own, with the image. Slow; for models that fail the self-check.
    """

    def __init__(
        self,
        model: Any,
        suffixes: Sequence[Sequence[int]],
        read: Read,
        keep: Sequence[int] | None = None,
        chunk_size: int = 16,
    ) -> None:
        if chunk_size < 1:
            raise ConfigError(f'chunk_size={chunk_size} must be at least 1.')
        self.model = model
        self.suffixes = [list(suffix) for suffix in suffixes]
        self.keep = [1] * len(suffixes) if keep is None else list(keep)
        self.read = read
        self.chunk_size = chunk_size
        self.naive = False
        self._by_length = sorted(range(len(suffixes)), key=lambda index: len(self.suffixes[index]))
        # Models with rotary positions of their own for images keep the shift between positions and tokens here.
        self._with_rope_deltas = next((m for m in model.modules() if hasattr(m, 'rope_deltas')), None)

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
        for rows in self._naive(inputs) if self.naive else self._behind_prefix(inputs):
            values = self.read(rows.logits, rows.suffix, rows.position)
            if scores is None:
                scores = values.new_zeros(len(inputs['input_ids']), len(self.suffixes), values.shape[-1])
            scores.index_put_((rows.image, rows.suffix), values, accumulate=True)
        assert scores is not None
        return scores.cpu()

    @torch.inference_mode()
    def self_check(self, inputs: Mapping[str, Tensor]) -> dict[str, Any]:
        """Compare the first, the shortest and the longest suffix with a plain forward of the whole prompt.

        A prefix that is shifted or cut by one token may move logits by 3e-3 only, so the tolerance comes from the
        model's own noise: what a second row in the batch, or padding behind it, changes in a plain forward.

        Args:
            inputs: Those of one image (see :meth:`score`).

        Returns:
            ``passed``, and the largest differences of a logit: ``error`` (ours), ``noise`` and ``tolerance``.
        """
        inputs = self._on_device(inputs)
        checked = sorted({0, self._by_length[0], self._by_length[-1]})
        ours: dict[int, Tensor] = {}
        for rows in self._behind_prefix(inputs):
            for suffix in checked:
                if len(found := rows.logits[rows.suffix == suffix]):
                    ours[suffix] = found.clone()
        error = noise = scale = 0.0
        for suffix in checked:
            plain = self._plain(inputs, suffix)
            error = max(error, _difference(ours[suffix], plain))
            noise = max(noise, _difference(self._plain(inputs, suffix, padding=5), plain))
            noise = max(noise, _difference(self._plain(_twice(inputs), suffix)[: len(plain)], plain))
            scale = max(scale, float(plain.abs().max()))
        # In half precision one unit in the last place is far above the noise of a computation that happens to repeat.
        floor = 1e-5 if self.model.dtype == torch.float32 else 2 * torch.finfo(self.model.dtype).eps
        tolerance = max(4 * noise, floor * scale)
        return {'passed': error <= tolerance, 'error': error, 'noise': noise, 'tolerance': tolerance}

    def _on_device(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        device, dtype = self.model.device, self.model.dtype
        moved = {key: value.to(device, non_blocking=True) for key, value in inputs.items()}
        return {key: value.to(dtype) if value.is_floating_point() else value for key, value in moved.items()}

    def _behind_prefix(self, inputs: dict[str, Tensor]) -> Iterator[Rows]:
        """Yield the logits of all rows, a chunk at a time."""
        cache = self._prefill(inputs)
        count, length = inputs['input_ids'].shape
        deltas = getattr(self._with_rope_deltas, 'rope_deltas', None)
        # Images within suffixes, so that the rows of a chunk have about the same length.
        rows = [Row(image, suffix) for suffix in self._by_length for image in range(count)]
        start = 0
        while start < len(rows):
            chunk = rows[start : start + self.chunk_size]
            try:
                done = self._score_chunk(chunk, cache, count, length, deltas)
            except torch.OutOfMemoryError:
                if self.chunk_size == 1:
                    raise
                self.chunk_size //= 2
                continue
            yield done
            start += len(chunk)

    def _prefill(self, inputs: dict[str, Tensor]) -> Cache:
        config = self.model.config.get_text_config(decoder=True)
        if self._with_rope_deltas is not None:
            self._with_rope_deltas.rope_deltas = None
        last = torch.zeros_like(inputs['input_ids'], dtype=torch.bool)
        last[:, -1] = True
        cache = DynamicCache(config=config)
        self._forward(last, **inputs, past_key_values=cache, use_cache=True)
        return cache

    def _score_chunk(self, chunk: Sequence[Row], cache: Cache, count: int, length: int, deltas: Tensor | None) -> Rows:
        device = self.model.device
        image = torch.tensor([row.image for row in chunk], device=device)
        ids, mask = _padded([self.suffixes[row.suffix] for row in chunk], [self.keep[row.suffix] for row in chunk])
        ids, mask = ids.to(device), mask.to(device)
        if all(type(layer) is DynamicLayer for layer in cache.layers):
            behind: Any = DynamicCache()
            behind.layers = [SharedPrefixLayer(layer, image if count > 1 else None) for layer in cache.layers]
        else:
            behind = copy.deepcopy(cache)
            behind.reorder_cache(image)
        positions: dict[str, Tensor] = {}
        if deltas is not None:
            of_rows = torch.arange(length, length + ids.shape[1], device=device) + deltas.to(device)[image].view(-1, 1)
            positions['position_ids'] = of_rows.expand(3, *of_rows.shape)
        logits = self._forward(mask, input_ids=ids, past_key_values=behind, use_cache=True, **positions)
        row, column = mask.nonzero(as_tuple=True)
        suffix = torch.tensor([row.suffix for row in chunk], device=device)[row]
        first = mask.int().argmax(dim=1)[row]
        return Rows(logits, image[row], suffix, column - first)

    def _naive(self, inputs: dict[str, Tensor]) -> Iterator[Rows]:
        for suffix in range(len(self.suffixes)):
            logits = self._plain(inputs, suffix)
            image, position = _grid(len(inputs['input_ids']), self.keep[suffix], logits.device)
            yield Rows(logits, image, torch.full_like(image, suffix), position)

    def _plain(self, inputs: dict[str, Tensor], suffix: int, padding: int = 0) -> Tensor:
        """Return the logits of a suffix, (B * keep, V), from one forward of the whole prompt."""
        if self._with_rope_deltas is not None:
            self._with_rope_deltas.rope_deltas = None
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


def _padded(suffixes: Sequence[Sequence[int]], keep: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return ids (rows, longest), padded with each suffix's own last token, and the mask of what is read."""
    longest = max(map(len, suffixes))
    ids = torch.tensor([[*suffix, *[suffix[-1]] * (longest - len(suffix))] for suffix in suffixes])
    end = torch.tensor([len(suffix) for suffix in suffixes])[:, None]
    position = torch.arange(longest)[None]
    return ids, (position < end) & (position >= end - torch.tensor(keep)[:, None])


def _grid(rows: int, columns: int, device: Any) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each element of a (rows, columns) array, flattened."""
    index = torch.arange(rows * columns, device=device)
    return index // columns, index % columns


def _twice(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the inputs of a batch with the same image twice."""
    return {key: torch.cat([value, value]) for key, value in inputs.items()}


def _difference(a: Tensor, b: Tensor) -> float:
    difference = float((a - b).abs().max())
    return difference if difference == difference else float('inf')
