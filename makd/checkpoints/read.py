"""Read a checkpoint, from any address that mmengine knows, without running code from it.

A checkpoint is a pickle, and a pickle can run any code. mmengine's own reading does not prevent it: it allows
``getattr``, through which everything can be reached, and reads a file that is refused once more without a check.
Importing this module therefore replaces the two functions through which mmengine reads all files and URLs, so that
``load_from``, ``init_cfg=dict(type='Pretrained')`` and resuming are safe as well.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import checkpoint as mmengine_checkpoint
from torch import Tensor

from makd.errors import ConfigError

TRUST = 'MAKD_TRUST_CHECKPOINT'  # names the one file whose code may run
# How files begin that people take for checkpoints, in lower case.
LOOKALIKES = {
    b'version https://git-lfs': 'a pointer of Git LFS, not the file itself: run `git lfs pull` where it comes from',
    b'<!doctype html': 'an HTML page: use the address of the file, not of the page that links to it',
    b'<html': 'an HTML page: use the address of the file, not of the page that links to it',
}


def read_checkpoint(path: str, field: str = 'checkpoint', map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a checkpoint.

    Args:
        path: Local path or URL; also ``torchvision://`` and the other addresses of mmengine.
        field: The option or config field that names it, for messages.
        map_location: As ``torch.load`` takes it.

    Returns:
        All that the checkpoint holds. It has ``state_dict``, tensors by name, and ``meta``, a dict that is empty if the
        file is a bare state dict.

    Raises:
        ConfigError: There is no such file, it is not a checkpoint or damaged, or it contains code.
    """
    try:
        content = mmengine_checkpoint.CheckpointLoader.load_checkpoint(path, map_location, logger='silent')
        return _checked(content, path)
    except FileNotFoundError:
        raise ConfigError(f'{field}: there is no checkpoint {path!r}.') from None
    except (ConfigError, OSError) as error:
        raise ConfigError(f'{field}: {error}') from error


def _checked(content: Any, path: str) -> dict[str, Any]:
    """Return the content of a file as a checkpoint; raise a ConfigError if it is none."""
    if not isinstance(content, Mapping):
        kind = f'a whole {type(content).__name__}' if isinstance(content, torch.nn.Module) else type(content).__name__
        raise ConfigError(f'{path!r} holds {kind}, not a state dict: save model.state_dict().')
    if not content:
        raise ConfigError(f'{path!r} holds an empty dict: save model.state_dict().')
    checkpoint = dict(content) if 'state_dict' in content else {'state_dict': content}
    weights, meta = checkpoint['state_dict'], checkpoint.setdefault('meta', {})
    if not _is_state_dict(weights):
        if 'state_dict' in content:
            raise ConfigError(f'{path!r}: its state_dict does not hold tensors by name: save model.state_dict().')
        nested = [key for key, value in content.items() if _is_state_dict(value)]
        hint = f': save {{"state_dict": checkpoint[{nested[0]!r}]}} to a new file' if nested else ''
        raise ConfigError(f"{path!r} has no 'state_dict'; its keys are {list(map(str, content))[:10]}{hint}.")
    if broken := [key for key, value in weights.items() if _has_nan(value)]:
        raise ConfigError(
            f'{path!r}: {len(broken)} of {len(weights)} weights are NaN or infinite, first {broken[0]!r}. Its training '
            'diverged.'
        )
    if not isinstance(meta, Mapping):
        raise ConfigError(f'{path!r}: its meta is a {type(meta).__name__}, not a dict. The file is damaged.')
    return checkpoint


def _has_nan(value: Any) -> bool:
    # A mask may hold -inf.
    return isinstance(value, Tensor) and value.is_floating_point() and bool((value.isnan() | value.isposinf()).any())


def _is_state_dict(content: Any) -> bool:
    return (
        isinstance(content, Mapping)
        and len(content) > 0
        and all(
            isinstance(key, str) and (isinstance(value, Tensor) or key.endswith('_extra_state'))
            for key, value in content.items()
        )
    )


def _load(file: Any, map_location: Any = None, weights_only: Any = None, address: str | None = None) -> Any:
    """Load a file as ``torch.load`` does, without running code from it; in place of mmengine's function.

    Args:
        file: Path of a file, or an open one.
        map_location: As ``torch.load`` takes it.
        weights_only: Not used: :data:`TRUST` alone decides.
        address: Its URL, if it has one.
    """
    name = 'the file'
    if isinstance(file, str | os.PathLike):
        name = repr(os.fspath(file)) + (f' (from {address})' if address else '')
        _refuse_lookalikes(Path(file), name)
    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(file, map_location=map_location, weights_only=not _is_trusted(file, address))
    except Exception as error:  # bytes that are no checkpoint can raise anything
        if isinstance(error, UnpicklingError) and (found := re.search(r'GLOBAL (\S+)', str(error))):
            raise ConfigError(
                f'{name} contains a Python object, {found[1]}, and reading it can run any code. Save '
                "{'state_dict': model.state_dict()} instead. If you know who made the file and trust them, "
                f'{TRUST}={address or file} in the environment reads it nevertheless.'
            ) from error
        # Not torch's text about pickles, which recommends to read them without a check.
        reason = '' if isinstance(error, UnpicklingError) else f': {str(error).strip().partition(chr(10))[0]:.200}'
        raise ConfigError(
            f'{name} is not a torch checkpoint, or damaged or cut off ({type(error).__name__}{reason}). Copy or '
            'download it again.'
        ) from error


def _load_url(url: str, model_dir: str | None = None, map_location: Any = None, progress: bool = True) -> Any:
    """Download a file, unless torch's cache has it, and load it; in place of ``torch.utils.model_zoo.load_url``."""
    folder = Path(model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints'))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _cached_name(url)
    if not file.exists():
        try:
            torch.hub.download_url_to_file(url, str(file), progress=progress)
        except OSError as error:
            raise ConfigError(f'{url} cannot be downloaded: {error}') from error
    return _load(str(file), map_location, address=url)


def _cached_name(url: str) -> str:
    """Return a file name that no other URL has: every run calls its checkpoint epoch_40.pth.

    Published files have a hash of their content in their names already, and are found where torch has put them.
    """
    name = Path(urlparse(url).path)
    if re.search(r'[-_][0-9a-f]{8}$', name.stem):
        return name.name
    return f'{name.stem}-{hashlib.sha256(url.encode()).hexdigest()[:16]}{name.suffix}'


def _refuse_lookalikes(file: Path, name: str) -> None:
    if file.stat().st_size == 0:
        raise ConfigError(f'{name} is empty: it was cut off while it was written. Copy or download it again.')
    with file.open('rb') as opened:
        head = opened.read(512).lstrip(b'\xef\xbb\xbf \t\r\n').lower()
    for beginning, what in LOOKALIKES.items():
        if head.startswith(beginning):
            raise ConfigError(f'{name} is {what}. Delete it first.')


def _is_trusted(file: Any, address: str | None) -> bool:
    trusted = os.environ.get(TRUST)
    if not trusted or not isinstance(file, str | os.PathLike):
        return False
    return trusted == address or os.path.realpath(trusted) == os.path.realpath(file)


def _harmless() -> list[Any]:
    """Return the classes and functions in checkpoints of mmengine, beside tensors, which run no code of the file."""
    # numpy 2 has moved these two functions; files name both places.
    functions = {'scalar': np.float64(0).__reduce__()[0], '_reconstruct': np.zeros(1).__reduce__()[0]}
    moved: list[Any] = [
        (function, f'numpy.{core}.multiarray.{name}')
        for name, function in functions.items()
        for core in ('core', '_core')
    ]
    numbers = {type(np.dtype(code)) for code in np.typecodes['All'] if code not in 'OVMm'}
    return [
        *moved,
        *numbers,
        np.ndarray,
        np.dtype,
        ConfigDict,
        HistoryBuffer,
        OneCycleParamScheduler,
        (_function_of_class, 'builtins.getattr'),
    ]


def _function_of_class(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` while a checkpoint is read: return the functions that mmengine's objects refer to."""
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    if owner is OneCycleParamScheduler and name in ('_annealing_cos', '_annealing_linear'):
        return getattr(owner, name)
    raise UnpicklingError(f'GLOBAL getattr({owner!r:.60}, {name!r:.60}) is not allowed')


for _name, _function in {'_safe_torch_load': _load, 'load_url': _load_url}.items():
    if not hasattr(mmengine_checkpoint, _name):
        raise ImportError(
            f'This version of mmengine does not read files by {_name}, so makd cannot make it read them safely.'
        )
    setattr(mmengine_checkpoint, _name, _function)
