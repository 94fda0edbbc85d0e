"""The dataset that ships: emoji, each drawn in up to five styles."""

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmpretrain.datasets import BaseDataset

from makd.errors import ConfigError, DataError
from makd.files import read_json
from makd.registry import DATASETS

STYLES = ('noto', 'blob', 'twemoji', 'openmoji', 'fluent')
CATEGORIES = ('Animals & Nature', 'Food & Drink', 'Activities', 'Travel & Places', 'Objects')
SPLITS = {'train': (0.0, 0.6), 'val': (0.6, 0.8), 'test': (0.8, 1.0)}
MIN_EMOJI_PER_SUBCATEGORY = 9


@DATASETS.register_module()
class EmojiDataset(BaseDataset):
    """Emoji in five styles: the same things, drawn by different artists (``data/emoji/README.md``).

    With ``label='emoji'`` each of the 849 emoji is a class; train on some styles and test on others. With
    ``label='subcategory'`` each of the 36 Unicode subcategories of at least nine emoji is a class, and ``split`` keeps
    the emoji of training and test apart.

    Args:
        data_root: The folder that holds ``emoji.json`` and ``images/``.
        styles: Some of 'noto', 'blob', 'fluent', 'twemoji', 'openmoji'.
        categories: Only emoji of these Unicode categories; None for all five that ship.
        label: 'emoji' or 'subcategory'.
        split: Only the emoji of this part: 'train' (60 % of each subcategory's emoji), 'val' or 'test' (20 % each); the
            partition is fixed. None for all emoji.
        **kwargs: Arguments of mmpretrain's ``BaseDataset``, such as ``pipeline`` and ``test_mode``.

    Raises:
        ConfigError: A style, category, label or split does not exist.
        DataError: The folder is absent or incomplete.
    """

    def __init__(
        self,
        *,
        data_root: str = 'data/emoji',
        styles: Sequence[str],
        categories: Sequence[str] | None = None,
        label: str = 'emoji',
        split: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.styles = _choose('styles', styles, STYLES)
        self.categories = _choose('categories', CATEGORIES if categories is None else categories, CATEGORIES)
        (self.label,) = _choose('label', [label], ('emoji', 'subcategory'))
        self.split = None if split is None else _choose('split', [split], tuple(SPLITS))[0]
        super().__init__(ann_file='emoji.json', data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Return ``img_path`` and ``gt_label`` of each image, and set the classes."""
        emoji = [entry for entry in self._read_annotations() if entry['category'] in self.categories]
        by_subcategory: dict[str, list[str]] = defaultdict(list)
        for entry in emoji:
            by_subcategory[entry['subcategory']].append(entry['id'])
        if self.label == 'emoji':
            labels = {entry['id']: index for index, entry in enumerate(emoji)}
            classes = [entry['name'] for entry in emoji]
        else:
            classes = sorted(s for s, ids in by_subcategory.items() if len(ids) >= MIN_EMOJI_PER_SUBCATEGORY)
            labels = {id_: index for index, name in enumerate(classes) for id_ in by_subcategory[name]}
        self._metainfo['classes'] = tuple(classes)
        if self.split is not None:
            chosen = _partition(by_subcategory, *SPLITS[self.split])
            labels = {id_: index for id_, index in labels.items() if id_ in chosen}
        images = Path(self.data_root) / 'images'
        return [
            dict(
                img_path=str(images / style / slug(entry['subcategory']) / f'{entry["id"]}.png'),
                gt_label=labels[entry['id']],
            )
            for style in self.styles
            for entry in emoji
            if entry['id'] in labels and style in entry['styles']
        ]

    def _read_annotations(self) -> list[dict]:
        path = Path(self.ann_file)
        try:
            return read_json(path, DataError)
        except DataError as error:
            raise DataError(
                f'makd.EmojiDataset: {error}. data_root={self.data_root!r} must be the data/emoji folder '
                'of the repository, relative to the current folder; `python tools/prepare_dataset.py emoji` rebuilds '
                'it.'
            ) from None


def _choose(field: str, values: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return ``values``; raise a ConfigError if there are none, or unknown ones."""
    unknown = [value for value in values if value not in known]
    if unknown or not values:
        raise ConfigError(f'makd.EmojiDataset: {field}={unknown or values!r} must be among {", ".join(known)}.')
    return tuple(values)


def _partition(groups: dict[str, list[str]], start: float, stop: float) -> set[str]:
    """Return the part from ``start`` to ``stop`` of each group's ids in a fixed random order."""
    part = set()
    for name, ids in groups.items():
        shuffled = sorted(ids)
        random.Random(name).shuffle(shuffled)
        part.update(shuffled[round(start * len(ids)) : round(stop * len(ids))])
    return part


def slug(name: str) -> str:
    """Return a Unicode name as a folder name: ``'sky & weather'`` becomes ``'sky-weather'``."""
    return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')
