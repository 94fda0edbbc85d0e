"""Find out that a resumed training would not follow the schedule of its config."""

import ast
import math
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from makd.errors import ConfigError

# Fields whose values a resumed optimizer and its schedulers take from the checkpoint, whatever the config says.
KEPT = (
    'optim_wrapper.optimizer.', 'optim_wrapper.paramwise_cfg.', 'optim_wrapper.constructor', 'param_scheduler',
    'auto_scale_lr.enable', 'train_cfg.by_epoch', 'train_cfg.max_epochs', 'train_cfg.max_iters',
)  # fmt: skip


def check_same_schedule(stored: Mapping[str, Any], cfg: Config, path: str) -> None:
    """Raise a ConfigError if a checkpoint's schedule differs from a config's.

    A resumed training continues with the checkpoint's learning rate, milestones and end, after which the learning rate
    no longer changes; another number of epochs is therefore allowed only if nothing is scheduled.

    Args:
        stored: The checkpoint's schedule, from :func:`read_schedule`.
        cfg: The config of the resumed training.
        path: The checkpoint, for messages.

    Raises:
        ConfigError: The message names each field in which they differ, with both values.
    """
    given = read_schedule(cfg.pretty_text) or {}
    lines = [
        f'{field}: {stored.get(field)!r} in the checkpoint, {given.get(field)!r} in the config'
        for field in {**stored, **given}
        if stored.get(field) != given.get(field)
    ]
    if lines:
        raise ConfigError(
            f'--resume: {path!r} has another schedule than {cfg.filename or "the config"}, and would keep it:\n  '
            + '\n  '.join(lines)
            + '\nResume with the values of the checkpoint, or begin a new training from its weights with --cfg-options '
            'load_from=PATH.'
        )


def check_same_steps(epochs: int, steps: int, steps_per_epoch: int, schedulers: Any, path: str) -> None:
    """Raise a ConfigError if a schedule counts steps, and an epoch has another number of them than before.

    Args:
        epochs: Epochs that the checkpoint has finished.
        steps: Steps that it has made.
        steps_per_epoch: Steps of an epoch now.
        schedulers: The config of the schedulers: None, one or a list.
        path: The checkpoint, for messages.

    Raises:
        ConfigError: Batch size, number of ranks or dataset are others, and a scheduler would end elsewhere.
    """
    if epochs * steps_per_epoch <= steps < (epochs + 1) * steps_per_epoch:
        return
    for scheduler in [schedulers] if isinstance(schedulers, Mapping) else schedulers or ():
        converted = scheduler.get('convert_to_iter_based')
        unfinished = not scheduler.get('by_epoch', True) and scheduler.get('end', math.inf) > steps
        if converted or unfinished:
            raise ConfigError(
                f'--resume: {path!r} made {steps} steps in {epochs} epochs, and an epoch has {steps_per_epoch} steps '
                f'now: {scheduler.get("type")} in param_scheduler counts steps, and would end elsewhere. Resume with '
                'the batch size, the number of ranks and the dataset of before, or begin a new training from its '
                'weights with --cfg-options load_from=PATH.'
            )


def read_schedule(text: str) -> dict[str, Any] | None:
    """Return the values of the fields ``KEPT``, by field, in the text of a config, which is not run.

    Returns:
        The values; None if the text is not that of a config with a training.
    """
    values: dict[str, Any] = {}
    try:
        for node in ast.parse(text).body:
            if not isinstance(node, ast.Assign):
                continue
            name = node.targets[0]
            if isinstance(name, ast.Name) and any(field.startswith(name.id) for field in KEPT):
                values.update(_leaves(_literal(node.value), name.id))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not any(field.startswith('optim_wrapper.') for field in values):
        return None
    kept = {field: value for field, value in values.items() if field.startswith(KEPT)}
    if not any(field.startswith('param_scheduler.') for field in kept):
        kept = {field: value for field, value in kept.items() if not field.startswith('train_cfg.')}
    return {'auto_scale_lr.enable': False, **kept}


def _literal(node: ast.expr) -> Any:
    """Return the value of an expression that consists of literals and ``dict(...)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict':
        pairs = {keyword.arg: _literal(keyword.value) for keyword in node.keywords}
        return {**(_literal(node.args[0]) if node.args else {}), **pairs}
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values) if key is not None}
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(element) for element in node.elts]
    if isinstance(node, ast.Name) and node.id == 'inf':
        return math.inf
    return ast.literal_eval(node)


def _leaves(value: Any, field: str) -> Iterator[tuple[str, Any]]:
    """Yield the fields below a value that are not dicts, such as 'param_scheduler.0.milestones', with their values."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f'{field}.{key}')
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f'{field}.{index}')
    else:
        yield field, value
