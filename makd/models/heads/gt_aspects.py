"""The aspect targets of a batch, for every module with aspect outputs."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from makd.errors import ConfigError


def check_num_aspects(owner: object, num_aspects: Any, field: str) -> None:
    """Raise a ConfigError that names the config field unless the number of questions is a positive integer."""
    _check_count(owner, num_aspects, field, 'questions in the targets')


def check_num_classes(owner: object, num_classes: Any, field: str) -> None:
    """Raise a ConfigError that names the config field unless the number of classes is a positive integer."""
    _check_count(owner, num_classes, field, 'classes in the dataset')


def _check_count(owner: object, count: Any, field: str, of: str) -> None:
    if not isinstance(count, int) or count < 1:
        raise ConfigError(
            f'{type(owner).__name__}: {field.rpartition(".")[2]}={count!r} (config field {field}) must be the number '
            f'of {of}, a positive integer.'
        )


def stack_gt_aspects(owner: Any, data_samples: Sequence[BaseDataElement], aspect_logits: Tensor, field: str) -> Tensor:
    """Stack ``gt_aspects`` of the samples on the device of the logits.

    Args:
        owner: The head, for messages.
        data_samples: N samples.
        aspect_logits: The head's aspect logits, (N, Q).
        field: The config field of ``num_aspects``, for messages.

    Returns:
        P(yes) in [0, 1], (N, Q), NaN where there is no answer.

    Raises:
        ConfigError: A sample has no aspect targets, or not as many as the head.
    """
    name = type(owner).__name__
    if any('gt_aspects' not in sample for sample in data_samples):
        raise ConfigError(
            f'{name}: a training sample has no gt_aspects. End the pipeline of '
            "train_dataloader.dataset with dict(type='makd.LoadAspectTargets', targets=..., data_root=...)."
        )
    target = torch.stack([sample.gt_aspects for sample in data_samples])
    if target.shape[1] != aspect_logits.shape[1]:
        raise ConfigError(
            f'{name}: the targets answer {target.shape[1]} questions, the head has '
            f'num_aspects={aspect_logits.shape[1]}. Set {field}={target.shape[1]}.'
        )
    return target.to(aspect_logits.device, non_blocking=True)


def region_aspects(owner: Any, gt_instances: BaseDataElement, field: str) -> Tensor:
    """Return the answers about the objects of an image.

    Args:
        owner: The head, for messages.
        gt_instances: G objects.
        field: The config field of ``num_aspects``, for messages.

    Returns:
        P(yes) in [0, 1], (G, Q), NaN where there is no answer.

    Raises:
        ConfigError: There are none, or not as many as the head.
    """
    name = type(owner).__name__
    if 'aspects' not in gt_instances:
        raise ConfigError(
            f'{name}: a training sample has no answers about its objects. Put the pipeline of train_dataloader.dataset '
            "into dict(type='makd.LoadRegionAspects', targets=..., data_root=..., transforms=[...])."
        )
    answers = gt_instances.aspects
    if answers.shape[1] != owner.num_aspects:
        raise ConfigError(
            f'{name}: the targets answer {answers.shape[1]} questions, the head has num_aspects={owner.num_aspects}. '
            f'Set {field}={answers.shape[1]}.'
        )
    return answers
