"""Attention of many short suffixes to their common prefix, and of each to itself.

The suffixes follow one another in one sequence, without padding. All their queries meet the prefix's keys and values in
one matrix product, as in Hydragen (Juravsky et al., arXiv 2402.05099, section 3), instead of a copy of the prefix for
each suffix.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

NAME = 'makd_shared_prefix'


class Packing:
    """The places of the tokens of n suffixes in one sequence of T tokens and in a padded (n, longest) array.

    Args:
        lengths: The suffixes' lengths, whose sum is T.
        device: The device of the indices.

    Attributes:
        suffix: (T,) the suffix of each token.
        position: (T,) the position of each token in its suffix.
        token: (n, longest) the index of each token in the sequence; any valid index in the padding.
    """

    def __init__(self, lengths: Sequence[int], device: Any) -> None:
        sizes = torch.tensor(lengths)
        start = sizes.cumsum(0) - sizes
        self.suffix = torch.repeat_interleave(sizes).to(device)
        self.position = torch.cat([torch.arange(length) for length in lengths]).to(device)
        last = sizes[:, None] - 1
        self.token = (start[:, None] + torch.arange(max(lengths)).minimum(last)).to(device)


class SharedPrefixLayer(DynamicLayer):
    """A cache layer that attaches prefix and packing to the suffixes' keys, and stores none of the suffixes' states.

    Args:
        layer: The layer that the prefill filled: keys and values (B, heads, length, dim).
        packing: The places of the suffixes.
    """

    def __init__(self, layer: Any, packing: Packing) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = layer.keys, layer.values, True
        self.packing = packing

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return the suffixes' states; the keys carry what else :func:`shared_prefix_attention` needs."""
        key_states.after = (self.keys, self.values, self.packing)  # type: ignore[attr-defined]
        return key_states, value_states


def can_share(cache: Cache) -> bool:
    """Return whether every layer is plain: no sliding windows, no linear attention."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


@contextmanager
def after_prefix(cache: Cache, packing: Packing, attentions: Sequence[Any]) -> Iterator[Cache]:
    """Provide a cache in which packed suffixes see the states of ``cache``, and set these modules' attention to it."""
    shared = DynamicCache()
    shared.layers = [SharedPrefixLayer(layer, packing) for layer in cache.layers]
    configs = {id(module.config): module.config for module in attentions}.values()
    before = [config._attn_implementation for config in configs]
    for config in configs:
        config._attn_implementation = NAME
    try:
        yield shared
    finally:
        for config, implementation in zip(configs, before):
            config._attn_implementation = implementation


def shared_prefix_attention(
    module: Any,
    query: Tensor,
    key: Any,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend to the prefix, and causally within each suffix; an attention function of transformers.

    Args:
        module: The attention module.
        query: (B, heads, T, dim), the n packed suffixes of B images.
        key: (B, heads of keys, T, dim), from :class:`SharedPrefixLayer`.
        value: (B, heads of keys, T, value dim).
        attention_mask: Not used: there is no padding.
        scaling: Factor of the scores. Defaults to None: 1 / sqrt(dim).
        dropout: Not used.
        softcap: Must be None.
        s_aux: Must be None.
        **kwargs: Not used.

    Returns:
        (B, T, heads, value dim), and None for the weights.

    Raises:
        NotImplementedError: The model caps its scores, has attention sinks, or changes its cache's keys.
    """
    if softcap is not None or s_aux is not None or not hasattr(key, 'after'):
        raise NotImplementedError(f'{type(module).__name__} does not attend in the ordinary way')
    prefix_key, prefix_value, at = key.after
    batch, heads, tokens, dim = query.shape
    value_dim = value.shape[-1]  # multi-head latent attention has other values than keys
    groups, shared = prefix_key.shape[1:3]  # query heads come in groups that share a head of keys
    query = query.reshape(batch, groups, heads // groups, tokens, dim) * (dim**-0.5 if scaling is None else scaling)

    to_prefix = (query.flatten(2, 3) @ prefix_key.transpose(-1, -2)).float().view(*query.shape[:-1], shared)
    keys, values = (states[:, :, None, at.token] for states in (key, value))  # (B, groups, 1, n, longest, dim)
    to_itself = (query[:, :, :, at.token] @ keys.transpose(-1, -2)).float()
    later = torch.ones(*at.token.shape[1:] * 2, dtype=torch.bool, device=query.device).triu(1)
    to_itself = to_itself.masked_fill_(later, -torch.inf)[:, :, :, at.suffix, at.position]

    # One softmax over both, in place, since these are the largest arrays: (B, groups, heads / groups, T, keys).
    highest = to_prefix.amax(-1, keepdim=True).maximum(to_itself.amax(-1, keepdim=True))
    to_prefix.sub_(highest).exp_()
    to_itself.sub_(highest).exp_()
    total = to_prefix.sum(-1, keepdim=True) + to_itself.sum(-1, keepdim=True)
    from_prefix = (to_prefix.to(value.dtype).flatten(2, 3) @ prefix_value).view(*query.shape[:-1], value_dim)
    from_itself = (to_itself.to(value.dtype)[:, :, :, at.token] @ values)[:, :, :, at.suffix, at.position]
    mixed = ((from_prefix + from_itself) / total).to(value.dtype).view(batch, heads, tokens, value_dim)
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, shared_prefix_attention)
