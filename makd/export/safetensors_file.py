"""Weights as a safetensors file, which holds no code."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from makd.files import atomic_file


def write_safetensors(weights: Mapping[str, Tensor], config: str, classes: Sequence[str] | None, out: Path) -> None:
    """Write a state dict, after it has been read back.

    Args:
        weights: The state dict.
        config: Text of the config that builds its model; it is the file's metadata ``config``.
        classes: Names of the classes, if they are known; metadata ``classes``, as JSON.
        out: The file.

    Raises:
        AssertionError: A tensor has changed; then nothing is written.
    """
    metadata = dict(format='pt', config=config)
    if classes is not None:
        metadata['classes'] = json.dumps(list(classes), ensure_ascii=False)
    content = save({key: value.contiguous() for key, value in weights.items()}, metadata)
    torch.testing.assert_close(load(content), dict(weights), rtol=0, atol=0)
    with atomic_file(out) as file:
        file.write(content)
