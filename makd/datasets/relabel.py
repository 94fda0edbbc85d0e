"""Give the images of a dataset the labels that the same classes have elsewhere, by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from makd.datasets.dataset_wrappers import inner_datasets, walk_datasets
from makd.errors import ConfigError


def relabel(dataset: Any, classes: Sequence[str]) -> None:
    """Change a classification dataset, and the datasets inside it, in place.

    Args:
        dataset: A dataset of mmpretrain, or a wrapper, whose classes have names, all of them in ``classes``.
        classes: The C classes in the wanted order.

    Raises:
        ConfigError: The dataset has other classes, or none with names, a name occurs twice, or its images have no
            ``gt_label``.
    """
    number_of = {name: number for number, name in enumerate(classes)}
    if len(number_of) < len(classes):
        raise ConfigError('classes cannot be matched by name, because some of their names occur twice.')
    for inner in walk_datasets(dataset):
        if not inner_datasets(inner):
            _relabel_leaf(inner, number_of)
        if '_metainfo' in vars(inner):
            inner._metainfo['classes'] = tuple(classes)


def _relabel_leaf(dataset: Any, number_of: dict[str, int]) -> None:
    own = dataset.metainfo.get('classes')
    if own is None:
        raise ConfigError(f'a {type(dataset).__name__} without metainfo.classes cannot be matched by name.')
    if unknown := [name for name in own if name not in number_of]:
        raise ConfigError(
            f'the dataset has {len(unknown)} classes that are to be matched by name and are not known, first '
            f'{unknown[0]!r}: leave their images out.'
        )
    numbers = np.array([number_of[name] for name in own])
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    for info in infos:
        if 'gt_label' not in info:
            raise ConfigError(
                'only classification datasets can be matched by name. A detector needs a dataset of its own classes.'
            )
        info.pop('sample_idx', None)  # get_data_info adds it
        label = np.asarray(info['gt_label'], int)
        if label.size and not (label.min() >= 0 and label.max() < len(own)):
            raise ConfigError(
                f'{info.get("img_path")} has the label {label.tolist()}, and the dataset has {len(own)} classes, '
                'numbered from 0.'
            )
        info['gt_label'] = numbers[label].tolist()
    dataset.data_list = infos
    if dataset.serialize_data:
        dataset.data_bytes, dataset.data_address = dataset._serialize_data()
