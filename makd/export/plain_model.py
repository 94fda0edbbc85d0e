"""A plain mmpretrain or mmdet model: a trained student without its aspects and its teacher."""

import inspect
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from safetensors.torch import load, save
from torch import Tensor

from makd.errors import ConfigError
from makd.files import atomic_file
from makd.models.detectors import (
    DistillRoIHeadMixin,
    MaKDBBoxHeadMixin,
    MaKDDetectorMixin,
    MaKDDETRHeadMixin,
    MaKDRoIHeadMixin,
)
from makd.models.distill_mixin import DistillMixin
from makd.models.heads import MaKDHeadMixin
from makd.registry import MODELS

# What turns a plain model, head or RoI head into a student.
MIXINS = (
    *(DistillMixin, MaKDDetectorMixin, MaKDHeadMixin),
    *(DistillRoIHeadMixin, MaKDRoIHeadMixin, MaKDBBoxHeadMixin, MaKDDETRHeadMixin),
)
BRANCH = 'aspect_head.'  # keys of a detector's checkpoint that a plain one does not have
LOADERS = ('makd.LoadImage', 'makd.LoadImageOnBackground')  # derived from LoadImageFromFile
IDLE = 'backbone.conv2.'  # keys of mmdet's MobileNetV2 whose result a detector does not use


def plain_config(model: Mapping) -> dict:
    """Return the config of the plain model in a student's ``model`` config.

    A MaKD head becomes the mmpretrain head that it derives from, ``makd.DistillImageClassifier`` becomes
    ``ImageClassifier``, ``makd.MaKDFasterRCNN`` becomes mmdet's ``FasterRCNN``, and so on.

    Raises:
        ConfigError: The model is a plain one already, or a MaKD head computes its logits in a way of its own.
    """
    plain = dict(model)
    for key in {'head', 'roi_head', 'bbox_head'} & plain.keys():
        plain[key] = _without_mixins(plain[key], f'model.{key}')
    if 'bbox_head' in (roi_head := plain.get('roi_head', {})):
        heads, field = roi_head['bbox_head'], 'model.roi_head.bbox_head'
        roi_head['bbox_head'] = (
            _without_mixins(heads, field)
            if isinstance(heads, Mapping)
            else [_without_mixins(head, f'{field}.{stage}') for stage, head in enumerate(heads)]
        )
    plain = _without_mixins(plain, 'model')
    if plain.get('backbone', {}).get('type') == 'makd.MobileNetV2Stages':
        plain['backbone'] = {**plain['backbone'], 'type': 'MobileNetV2'}
    if plain == model:
        parts = {'model': model, **{f'model.{key}': model[key] for key in ('head', 'roi_head') if key in model}}
        types = ', '.join(f'{field}.type={part["type"]!r}' for field, part in parts.items())
        raise ConfigError(
            f'{types}: it is a plain model already, and its checkpoint one of mmpretrain or mmdet: nothing to export.'
        )
    return plain


def _without_mixins(node: Mapping, field: str) -> dict:
    """Return the config of the class that the mixins extend, without their arguments."""
    cls = MODELS.get(node['type'])
    order = () if cls is None else cls.__mro__
    places = [order.index(mixin) for mixin in MIXINS if mixin in order]
    if not places:
        return dict(node)
    above, parent = order[: max(places) + 1], order[max(places) + 1]
    own = order[: min(places)]
    if issubclass(cls, (MaKDHeadMixin, MaKDBBoxHeadMixin, MaKDDETRHeadMixin)) and any(
        {'__init__', 'forward', 'pre_logits'} & vars(base).keys() for base in own
    ):
        raise ConfigError(
            f'{field}.type={node["type"]!r} defines __init__, forward or pre_logits itself, so no plain head computes '
            'its logits.'
        )
    added = set().union(*(_own_arguments(base) for base in above)) - set(inspect.signature(parent).parameters)
    return {**{key: value for key, value in node.items() if key not in added}, 'type': parent.__name__}


def plain_state_dict(student: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the student's weights in the shapes of the plain model.

    Of the C + Q rows of a classifier's last layer, the first C are kept, likewise of a region head; of a detector, all
    but its aspect branch.

    Args:
        student: State dict of the student.
        plain: State dict of the plain model, for its keys and shapes.

    Raises:
        ConfigError: The two differ in more than the number of rows.
    """
    student = {key: value for key, value in student.items() if not key.startswith(BRANCH)}
    student.update({key: value for key, value in plain.items() if key.startswith(IDLE) and key not in student})
    if student.keys() != plain.keys():
        raise ConfigError(
            'The checkpoint does not belong to this config: only one of the two has the keys '
            f'{sorted(student.keys() ^ plain.keys())[:10]}.'
        )
    weights = {}
    for key, wanted in plain.items():
        rows = student[key][: len(wanted)] if wanted.dim() else student[key]
        if rows.shape != wanted.shape:
            raise ConfigError(
                f'The checkpoint does not belong to this config: {key} has shape {tuple(student[key].shape)}, but '
                f'{tuple(wanted.shape)} in the plain model.'
            )
        weights[key] = rows.clone()
    return weights


def plain_loader(loader: Mapping) -> dict:
    """Return the config of a detector's data loader without makd's transforms, so that mmdet alone can build it."""
    dataset = dict(loader['dataset'])
    dataset['pipeline'] = plain_pipeline(dataset['pipeline'])
    return {**loader, 'dataset': dataset}


def plain_pipeline(pipeline: Sequence[Mapping]) -> list[dict]:
    """Return the configs of transforms without makd's; its image loaders become the loader that they derive from."""
    plain = []
    for transform in pipeline:
        if transform['type'] in LOADERS:
            kept = {key: value for key, value in transform.items() if key != 'background'}
            plain.append({**kept, 'type': 'LoadImageFromFile'})
        elif transform['type'] == 'makd.LoadRegionAspects':
            plain += plain_pipeline(transform['transforms'])
        elif not transform['type'].startswith('makd.'):
            plain.append(dict(transform))
    return plain


@torch.no_grad()
def check_same_scores(student: BaseModel, plain: BaseModel, size: tuple[int, int] = (64, 64)) -> None:
    """Compare the class logits of two classifiers, or the logits and box deltas of two detectors, on random images.

    Args:
        student: The student.
        plain: The plain model.
        size: Height and width of the images.

    Raises:
        AssertionError: They differ.
    """
    images = torch.randn(2, 3, *size)
    if not isinstance(plain, BaseDetector):
        logits = plain(images, mode='tensor')
        torch.testing.assert_close(student(images, mode='tensor')[:, : logits.shape[1]], logits)
        return
    metainfo = dict(img_shape=size, ori_shape=size, batch_input_shape=size, scale_factor=(1.0, 1.0))
    found, expected = (
        model(images, [DetDataSample(metainfo=metainfo) for _ in images], mode='tensor') for model in (student, plain)
    )
    torch.testing.assert_close(found, expected)


def write_safetensors(weights: Mapping[str, Tensor], config: str, classes: Sequence[str] | None, out: Path) -> None:
    """Write a state dict to a safetensors file, which holds no code, after it has been read back.

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


def _own_arguments(cls: type) -> set[str]:
    """Return the keyword-only arguments that a class itself adds."""
    own: Any = vars(cls).get('__init__')
    parameters = inspect.signature(own).parameters.values() if own else ()
    return {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
