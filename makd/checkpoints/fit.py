"""Load weights into the model that they belong to; say what does not fit, and why probably."""

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from makd.errors import ConfigError

_OTHER_SHAPE = re.compile(
    r'size mismatch for (\S+): copying a param with shape torch\.Size\(\[(.*?)\]\) from checkpoint, '
    r'the shape in current model is torch\.Size\(\[(.*?)\]\)'
)
SHOWN = 5  # names of weights in a message


@dataclass(frozen=True)
class Fit:
    """What of a checkpoint and a model did not match.

    Attributes:
        missing: Names of the model's weights that the checkpoint lacks.
        left_over: Names of the checkpoint's weights that the model lacks.
        other_shape: Name of a weight -> its shapes in the checkpoint and in the model.
        total: Number of the model's weights.
    """

    missing: list[str]
    left_over: list[str]
    other_shape: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    total: int

    @property
    def exact(self) -> bool:
        """Whether each weight has found its place."""
        return not (self.missing or self.left_over or self.other_shape)

    @property
    def not_loaded(self) -> list[str]:
        """Names of the model's weights that did not come from the checkpoint."""
        return [*self.missing, *self.other_shape]

    def __str__(self) -> str:
        lines = []
        if self.missing:
            lines.append(f'missing in the file, of the {self.total} of the model: {_listed(self.missing)}')
        if self.left_over:
            lines.append(f'left over in the file: {_listed(self.left_over)}')
        if self.other_shape:
            shapes = [f'{key} {theirs}, in the model {ours}' for key, (theirs, ours) in self.other_shape.items()]
            lines.append(f'of another shape: {_listed(shapes)}')
        return '\n  '.join(lines)


def load_weights(
    model: nn.Module, checkpoint: Mapping[str, Any], path: str, field: str = 'checkpoint', config: str = 'of the model'
) -> None:
    """Load weights that must fit exactly.

    Args:
        model: The model, not wrapped for several GPUs.
        checkpoint: What :func:`read_checkpoint` returns.
        path: Its path or URL, for messages.
        field: The option or config field that names it, for messages.
        config: The config that the model is built from, for messages.

    Raises:
        ConfigError: Weights are missing, left over or of another shape. The model then has a part of them.
    """
    fit = _load(model, checkpoint['state_dict'])
    if not fit.exact:
        raise ConfigError(_message(fit, model, path, field, config))


def load_matching_weights(
    model: nn.Module, checkpoint: Mapping[str, Any], path: str, field: str = 'load_from', config: str = 'of the model'
) -> Fit:
    """Load the weights that fit, as for fine-tuning, where the last layer is another one; see :func:`load_weights`.

    Returns:
        What did not fit.

    Raises:
        ConfigError: Less than half of the backbone's parameters came; of a model without ``backbone``, none.
    """
    fit = _load(model, checkpoint['state_dict'])
    parameters = {name for name, _ in model.named_parameters()}
    backbone = {name for name in parameters if name.startswith('backbone.')}
    absent = set(fit.not_loaded)
    # A first convolution for other channels, or an adapter, begins anew; a backbone of other names does not.
    if 2 * len(backbone & absent) > len(backbone) if backbone else parameters <= absent:
        raise ConfigError(_message(fit, model, path, field, config))
    return fit


def _load(model: nn.Module, weights: Mapping[str, Tensor]) -> Fit:
    metadata = getattr(weights, '_metadata', None)  # versions of layers, which some convert on loading
    if all(key.startswith('module.') for key in weights):  # saved from a model that was wrapped for several GPUs
        weights = {key.removeprefix('module.'): value for key, value in weights.items()}
    weights = dict(weights)
    other_shape: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    try:
        found = _load_state_dict(model, weights, metadata)
    except RuntimeError as error:
        other_shape = {key: (_shape(theirs), _shape(ours)) for key, theirs, ours in _OTHER_SHAPE.findall(str(error))}
        if not other_shape:
            raise
        rest = {key: value for key, value in weights.items() if key not in other_shape}
        found = _load_state_dict(model, rest, metadata)
    # BatchNorm's counters were added to torch later, and are not used unless its momentum is None.
    missing = [key for key in found.missing_keys if key not in other_shape and not key.endswith('num_batches_tracked')]
    return Fit(missing, list(found.unexpected_keys), other_shape, len(model.state_dict()))


def _load_state_dict(model: nn.Module, weights: Mapping[str, Tensor], metadata: Any) -> Any:
    state = OrderedDict(weights)
    if metadata is not None:
        state._metadata = metadata  # type: ignore[attr-defined]
    return model.load_state_dict(state, strict=False)


def _shape(numbers: str) -> tuple[int, ...]:
    return tuple(int(number) for number in numbers.split(',') if number.strip())


def _message(fit: Fit, model: nn.Module, path: str, field: str, config: str) -> str:
    guess = _renamed(fit) or _other_outputs(fit, model) or _aspect_branch(fit)
    return f'{field}: the checkpoint {path!r} does not fit the config {config}:\n  {fit}' + (
        f'\n{guess}' if guess else ''
    )


def _renamed(fit: Fit) -> str:
    """Return the guess that weights have other names, if most missing ones are there under another prefix."""
    pairs: Counter[tuple[str, str]] = Counter()
    endings: dict[str, list[str]] = {}
    for key in fit.left_over:
        for prefix, ending in _splits(key):
            endings.setdefault(ending, []).append(prefix)
    for key in fit.missing:
        # Only the longest common ending of a name tells which part differs.
        for prefix, ending in _splits(key):
            if ending in endings:
                pairs.update((theirs, prefix) for theirs in set(endings[ending]))
                break
    if not pairs:
        return ''
    (theirs, ours), number = pairs.most_common(1)[0]
    if number <= len(fit.missing) / 2:
        return ''
    begin = f'begin with {theirs!r}' if theirs else 'have no prefix'
    expected = f'begin with {ours!r}' if ours else 'have none'
    return f'Probably they are renamed: in the file the names {begin}, in the model they {expected}.'


def _splits(key: str) -> Iterable[tuple[str, str]]:
    """Yield prefix and rest of a name, the longest rest first."""
    parts = key.split('.')
    for index in range(len(parts)):
        yield ''.join(f'{part}.' for part in parts[:index]), '.'.join(parts[index:])


def _other_outputs(fit: Fit, model: nn.Module) -> str:
    """Return the guess that the last layer has another number of classes or questions."""
    if fit.missing or fit.left_over or len(fit.other_shape) > 4:
        return ''
    shapes = list(fit.other_shape.values())
    if any(not theirs or not ours or theirs[1:] != ours[1:] for theirs, ours in shapes):
        return ''
    theirs, ours = (shape[0] for shape in shapes[0])
    aspects = _num_aspects(model, next(iter(fit.other_shape)))
    if aspects and theirs == ours - aspects:
        return (
            f'Probably it is the checkpoint of a plain model with {theirs} outputs for classes, and the config that of '
            f'a MaKD student, which has outputs for {aspects} questions as well.'
        )
    guess = f'Probably the number of classes differs: {theirs} in the file, {ours} in the model'
    if theirs > ours and not aspects:
        guess += (
            f'; or it is the checkpoint of a MaKD student with {theirs - ours} questions, and the config that of a '
            'plain model'
        )
    return f'{guess}.'


def _num_aspects(model: nn.Module, weight: str) -> int:
    """Return the number of questions that the head with this weight answers; 0 if it answers none."""
    modules = dict(model.named_modules())
    owners = (modules.get(prefix.removesuffix('.')) for prefix, _ in _splits(weight) if prefix)
    return next((found for owner in owners if (found := getattr(owner, 'num_aspects', 0))), 0)


def _aspect_branch(fit: Fit) -> str:
    """Return the guess that only one of the two is a MaKD detector, whose questions have a branch of their own."""
    if fit.left_over and all(key.startswith('aspect_head.') for key in fit.left_over):
        return 'Probably it is the checkpoint of a MaKD detector, and the config that of a plain one.'
    if fit.missing and all(key.startswith('aspect_head.') for key in fit.missing):
        return 'Probably it is the checkpoint of a plain detector, and the config that of a MaKD one.'
    return ''


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f', and {len(names) - SHOWN} more' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more
