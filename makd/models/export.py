"""Take the aspects off a trained student: what is left is a plain mmpretrain classifier."""

import inspect
from collections.abc import Mapping

from torch import Tensor

from makd.errors import ConfigError
from makd.models.classifiers import DistillImageClassifier
from makd.models.heads import MaKDHeadMixin
from makd.registry import MODELS


def plain_config(model: Mapping) -> dict:
    """Return the config of the plain classifier in a student's ``model`` config.

    A MaKD head becomes the mmpretrain head that it is made of, and ``makd.DistillImageClassifier`` becomes
    ``ImageClassifier``.

    Raises:
        ConfigError: If the model has neither, or a MaKD head that computes its logits in a way of its own.
    """
    model, head = dict(model), dict(model['head'])
    head_class = MODELS.get(head['type'])
    distilled = MODELS.get(model['type']) is DistillImageClassifier
    widened = head_class is not None and issubclass(head_class, MaKDHeadMixin)
    if not (distilled or widened):
        raise ConfigError(
            f'model.type={model["type"]!r}, model.head.type={head["type"]!r}: it is a plain model already.'
        )
    if widened:
        order = head_class.__mro__
        above = order[: order.index(MaKDHeadMixin)]
        if any({'__init__', 'forward', 'pre_logits'} & vars(cls).keys() for cls in above):
            raise ConfigError(
                f'model.head.type={head["type"]!r} has a __init__, forward or pre_logits of its own: no plain head has.'
            )
        head['type'] = order[len(above) + 1].__name__
        for key in _own_arguments(MaKDHeadMixin) - {'num_classes'}:
            head.pop(key, None)
    if distilled:
        model['type'] = 'ImageClassifier'
        for key in _own_arguments(DistillImageClassifier):
            model.pop(key, None)
    return {**model, 'head': head}


def plain_state_dict(student: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the student's weights in the shapes of the plain model: the first C of the C + Q rows of its last layer.

    Args:
        student (Mapping): State dict of the student.
        plain (Mapping): State dict of the plain model, for its keys and shapes.

    Raises:
        ConfigError: If the two differ in more than the number of rows.
    """
    if student.keys() != plain.keys():
        raise ConfigError(
            f'The checkpoint does not belong to this config: keys {sorted(student.keys() ^ plain.keys())[:10]} are in '
            'one of the two only.'
        )
    weights = {}
    for key, wanted in plain.items():
        rows = student[key][: len(wanted)] if wanted.dim() else student[key]
        if rows.shape != wanted.shape:
            raise ConfigError(
                f'The checkpoint does not belong to this config: {key} has shape {tuple(student[key].shape)}, in '
                f'the plain model {tuple(wanted.shape)}.'
            )
        weights[key] = rows.clone()
    return weights


def _own_arguments(cls: type) -> set[str]:
    parameters = inspect.signature(vars(cls)['__init__']).parameters.values()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
