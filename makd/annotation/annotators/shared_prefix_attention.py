"""Attention of many short suffixes to a prefix that they share, and of each to itself.

The suffixes stand one behind the other in one sequence, without padding. All their queries meet the prefix's keys and
values in one matrix product, as in Hydragen (Juravsky et al., arXiv 2402.05099, section 3), where the prefix would
otherwise have to be copied for each suffix.
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
    """Where the tokens of n suffixes stand in one sequence of T tokens, and where in a padded (n, longest) array.

    Args:
        lengths: The suffixes' lengths, whose sum is T.
        device: Where the indices are needed.

    Attributes:
        suffix: (T,) which suffix a token belongs to.
        position: (T,) which of its tokens it is.
        token: (n, longest) which token of the sequence it is, any where there is none.
    """

    def __init__(self, lengths: Sequence[int], device: Any) -> None:
        sizes = torch.tensor(lengths)
        start = sizes.cumsum(0) - sizes
        self.suffix = torch.repeat_interleave(sizes).to(device)
        self.position = torch.cat([torch.arange(length) for length in lengths]).to(device)
        last = sizes[:, None] - 1
        self.token = (start[:, None] + torch.arange(max(lengths)).minimum(last)).to(device)


class SharedPrefixLayer(DynamicLayer):
    """A cache layer that adds prefix and packing to the suffixes' keys as an attribute, and keeps no state of theirs.

    Args:
        layer: The layer that the prefill filled: keys and values (B, heads, length, dim).
        packing: Where the suffixes stand.
    """

    def __init__(self, layer: Any, packing: Packing) -> None:
        super().__init__()
        self.keys, self.values, self.is_initialized = layer.keys, layer.values, True
        self.packing = packing

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Return the suffixes' states, with what :func:`shared_prefix_attention` needs beside them."""
        key_states.behind = (self.keys, self.values, self.packing)  # type: ignore[attr-defined]
        return key_states, value_states


def can_share(cache: Cache) -> bool:
    """Tell whether each layer is a plain one, neither a sliding window nor linear attention."""
    return all(type(layer) is DynamicLayer for layer in cache.layers)


@contextmanager
def behind(cache: Cache, packing: Packing, attentions: Sequence[Any]) -> Iterator[Cache]:
    """Give a cache that shows the states of ``cache`` to packed suffixes, and let these modules attend so."""
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
    """Attend to the prefix, and causally to one's own suffix; an attention function of transformers.

    Args:
        module: The attention module.
        query: (B, heads, T, dim), the n packed suffixes of B images.
        key: (B, heads of keys, T, dim), from :class:`SharedPrefixLayer`.
        value: As ``key``.
        attention_mask: Not used: there is no padding.
        scaling: Factor of the scores. Defaults to None: 1 / sqrt(dim).
        dropout: Not used.
        softcap: Must be None.
        s_aux: Must be None.
        **kwargs: Not used.

    Returns:
        (B, T, heads, dim), and None for the weights.

    Raises:
        NotImplementedError: The model caps its scores, has attention sinks, or changes the keys that its cache gave.
    """
    if softcap is not None or s_aux is not None or not hasattr(key, 'behind'):
        raise NotImplementedError(f'{type(module).__name__} does not attend in the ordinary way')
    prefix_key, prefix_value, at = key.behind
    batch, heads, tokens, dim = query.shape
    groups, shared = prefix_key.shape[1:3]  # query heads are in groups that share a head of keys
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
    from_prefix = (to_prefix.to(value.dtype).flatten(2, 3) @ prefix_value).view_as(query)
    from_itself = (to_itself.to(value.dtype)[:, :, :, at.token] @ values)[:, :, :, at.suffix, at.position]
    mixed = ((from_prefix + from_itself) / total).to(value.dtype).view(batch, heads, tokens, dim)
    return mixed.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, shared_prefix_attention)
