"""The shipped data set, through the data set class."""

import collections

import pytest
from mmpretrain.datasets import CustomDataset

from makd.datasets.emoji import EmojiDataset
from makd.errors import ConfigError, DataError

ALL = ('noto', 'blob', 'fluent', 'twemoji', 'openmoji')


def infos(**kwargs):
    return EmojiDataset(**kwargs).load_data_list()


def test_one_training_picture_of_each_class_and_two_test_styles():
    train, test = EmojiDataset(styles=['noto']), EmojiDataset(styles=['twemoji', 'openmoji'])
    assert len(train.metainfo['classes']) == len(train) == 849
    assert [train.get_data_info(i)['gt_label'] for i in range(849)] == list(range(849))
    assert len(test) == 2 * 849
    assert test.metainfo['classes'] == train.metainfo['classes']


def test_labels_mean_the_same_emoji_in_every_style():
    ids = collections.defaultdict(set)
    for info in infos(styles=ALL):
        ids[info['gt_label']].add(info['img_path'].rsplit('/', 1)[1])
    assert all(len(names) == 1 for names in ids.values())


def test_subcategories_of_unseen_emoji():
    parts = {
        split: EmojiDataset(styles=['noto'], label='subcategory', split=split) for split in ('train', 'val', 'test')
    }
    assert all(len(part.metainfo['classes']) == 36 for part in parts.values())
    ids = {split: {part.get_data_info(i)['img_path'] for i in range(len(part))} for split, part in parts.items()}
    assert not ids['train'] & ids['val']
    assert not ids['train'] & ids['test']
    assert not ids['val'] & ids['test']
    everything = EmojiDataset(styles=['noto'], label='subcategory')
    assert sum(map(len, ids.values())) == len(everything)
    for part in parts.values():
        labels = {part.get_data_info(i)['gt_label'] for i in range(len(part))}
        assert labels == set(range(36))


def test_categories():
    food = EmojiDataset(styles=['noto'], categories=['Food & Drink'])
    assert 'pizza' in food.metainfo['classes']
    assert not any('/animal-' in food.get_data_info(i)['img_path'] for i in range(len(food)))


def test_the_folders_are_mmpretrains_custom_dataset_too():
    dataset = CustomDataset(data_root='data/emoji/images', data_prefix='noto')
    assert len(dataset) == 849
    assert 'animal-mammal' in dataset.metainfo['classes']


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"styles=\['apple'\].*noto"):
        EmojiDataset(styles=['noto', 'apple'])
    with pytest.raises(ConfigError, match='styles'):
        EmojiDataset(styles=[])
    with pytest.raises(ConfigError, match='label'):
        EmojiDataset(styles=['noto'], label='name')
    with pytest.raises(ConfigError, match='split'):
        EmojiDataset(styles=['noto'], split='dev')
    with pytest.raises(ConfigError, match='categories'):
        EmojiDataset(styles=['noto'], categories=['Flags'])
    with pytest.raises(DataError, match=r'prepare_dataset\.py emoji'):
        EmojiDataset(data_root=str(tmp_path), styles=['noto'])
