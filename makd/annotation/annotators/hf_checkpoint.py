"""A checkpoint of transformers: its processor, its model, and the identity of its weights."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.device import get_device

from makd.errors import ConfigError


def load_processor(name: str, revision: str | None, trust_remote_code: bool) -> Any:
    """Return the processor of a checkpoint.

    Raises:
        ConfigError: It cannot be loaded, or processes either text or images.
    """
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(name, revision=revision, trust_remote_code=trust_remote_code)
    except (OSError, ValueError, ImportError) as error:
        raise _cannot_load(name, revision, error) from None
    if not hasattr(processor, 'tokenizer'):
        raise _cannot_load(name, revision, 'it has no processor of both text and images')
    return processor


def load_model(
    name: str,
    revision: str | None,
    dtype: str,
    attn_implementation: str | None,
    device_map: str | Mapping[str, Any] | None,
    trust_remote_code: bool,
) -> Any:
    """Return the model of a checkpoint, on the rank's device or spread by ``device_map``, in evaluation mode.

    Raises:
        ConfigError: It cannot be loaded, or is of another kind.
    """
    from transformers import AutoModelForImageTextToText

    if dtype not in ('auto', 'bfloat16', 'float16', 'float32'):
        raise ConfigError(f"dtype={dtype!r} must be 'auto', 'bfloat16', 'float16' or 'float32'.")
    try:
        model = AutoModelForImageTextToText.from_pretrained(
            name,
            revision=revision,
            trust_remote_code=trust_remote_code,
            dtype=dtype,
            attn_implementation=attn_implementation,
            device_map=device_map,
            use_safetensors=True,  # a pickle runs whatever code its author put there
        )
    except (OSError, ValueError, ImportError) as error:
        raise _cannot_load(name, revision, error) from None
    if model.config.is_encoder_decoder:
        raise _cannot_load(name, revision, 'it is an encoder-decoder, which does not go on where the prompt ends')
    return (model if device_map is not None else model.to(get_device())).eval()


def _cannot_load(name: str, revision: str | None, reason: object) -> ConfigError:
    return ConfigError(
        f'transformers cannot load model={name!r} (revision={revision!r}) as an image-text-to-text model: {reason}\n'
        'Give a folder with config, processor and safetensors, or a name on the hub (HF_TOKEN for a gated model; '
        'trust_remote_code=True for a checkpoint that needs its own code).'
    )


def weights_id(name: str, config: Any) -> str | None:
    """Return the commit on the hub, or a hash of a local folder's files: of their sizes, first and last MiB."""
    folder = Path(name)
    if not folder.is_dir():
        return getattr(config, '_commit_hash', None)
    digest = hashlib.sha256()
    files = [path for pattern in ('*.json', '*.jinja', '*.safetensors') for path in folder.glob(pattern)]
    for path in sorted(files):
        size = path.stat().st_size
        digest.update(f'{path.name} {size}\n'.encode())
        with path.open('rb') as file:
            digest.update(file.read(1 << 20))
            file.seek(max(0, size - (1 << 20)))
            digest.update(file.read())
    return f'sha256:{digest.hexdigest()[:32]}'
