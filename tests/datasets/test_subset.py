import itertools
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from mmengine.fileio import dump
from mmpretrain.engine.hooks import ClassNumCheckHook
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS
from PIL import Image
from torch import nn

from makd.datasets.subset import SubsetDataset
from makd.errors import ConfigError, DataError
from makd.registry import DATASETS


class LabelDataset(BaseDataset):
    """Images 0, 1, 2, ... with the given labels, classes interleaved."""

    def __init__(self, labels, **kwargs):
        self.labels = labels
        # Serialising collects garbage, which takes longer than all else here.
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        return [{'img_path': f'{i}.png', 'gt_label': label} for i, label in enumerate(self.labels)]


def interleaved(sizes, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes)).tolist()


def paths(dataset):
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def sizes_of(dataset):
    return dict(Counter(dataset.get_data_info(i)['gt_label'] for i in range(len(dataset))))


def subset(sizes, fraction, seed=0):
    return SubsetDataset(LabelDataset(interleaved(sizes)), fraction, seed=seed)


@pytest.mark.parametrize(
    ('sizes', 'fraction', 'expected'),
    [
        ((10, 20, 30), 0.4, (4, 8, 12)),
        ((10, 20, 30), 1, (10, 20, 30)),
        ((100, 100), 0.29, (29, 29)),  # 28.999... in floats
        # Quotas 1.2, 2.8, 1.6 of 6 (5.6): floors 1, 2, 1, then the largest remainders 0.8 and 0.6.
        ((3, 7, 4), 0.4, (1, 3, 2)),
        # Quotas 0.4, 1.6, 4.0 of 6: the empty class comes before the remainder of 0.6.
        ((1, 4, 10), 0.4, (1, 1, 4)),
        # Quotas 0.3, 0.6, 1.5 of 2 (2.4): the total allows one more image, which goes to the larger empty class.
        ((1, 2, 5), 0.3, (0, 1, 1)),
    ],
)
def test_classes_keep_their_share(sizes, fraction, expected):
    kept = sizes_of(subset(sizes, fraction))
    assert tuple(kept.get(c, 0) for c in range(len(sizes))) == expected


@pytest.mark.parametrize('fraction', [0.05, 0.1, 0.29, 0.4, 0.6, 0.8, 0.999])
def test_the_total_and_the_quotas_hold_for_any_sizes(fraction):
    rng = np.random.default_rng(1)
    for _ in range(20):
        sizes = rng.integers(1, 30, size=12)
        dataset = subset(sizes, fraction)
        kept = np.array([sizes_of(dataset).get(c, 0) for c in range(12)])
        assert kept.sum() == len(dataset) == round(fraction * sizes.sum())
        assert (kept >= np.floor(fraction * sizes + 1e-9)).all()
        assert (kept <= np.ceil(fraction * sizes - 1e-9)).all()


def test_equal_remainders_are_decided_by_the_seed():
    # One image a class: the seed chooses between classes.
    chosen = {frozenset(sizes_of(subset((1,) * 10, 0.4, seed))) for seed in range(20)}
    assert len(chosen) > 10
    # Quotas 2.4, 4.4, 20.4 of 27 (27.2) tie, though in floats their remainders differ in the last digits.
    kept = {tuple(sizes_of(subset((6, 11, 51), 0.4, seed))[c] for c in range(3)) for seed in range(30)}
    assert kept == {(3, 4, 20), (2, 5, 20), (2, 4, 21)}


def test_order_is_kept_and_the_choice_follows_the_seed():
    first, again, other = subset((20, 20), 0.5), subset((20, 20), 0.5), subset((20, 20), 0.5, seed=1)
    numbers = [int(path.removesuffix('.png')) for path in paths(first)]
    assert numbers == sorted(set(numbers))
    assert paths(first) == paths(again)
    assert paths(first) != paths(other)


def test_the_images_of_a_class_are_drawn_at_random():
    # Over many seeds every image of each class is kept about half of the time.
    labels = interleaved((10, 10))
    counts = Counter(path for seed in range(200) for path in paths(SubsetDataset(LabelDataset(labels), 0.5, seed)))
    assert len(counts) == 20
    assert min(counts.values()) > 65
    assert max(counts.values()) < 135


@pytest.mark.parametrize('sizes', [(1,) * 30, (7,) * 12])
def test_fractions_of_equal_classes_are_nested(sizes):
    kept = [set(paths(subset(sizes, fraction))) for fraction in (0.1, 0.4, 0.6, 0.8, 1.0)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(kept))


def test_fractions_of_any_classes_are_nested_but_for_one_image_a_class():
    sizes = np.random.default_rng(2).integers(1, 40, size=25)
    labels = interleaved(sizes)
    kept = [set(paths(SubsetDataset(LabelDataset(labels), f))) for f in (0.2, 0.4, 0.41, 0.42, 0.6, 0.8)]
    for smaller, larger in itertools.pairwise(kept):
        lost = Counter(labels[int(path.removesuffix('.png'))] for path in smaller - larger)
        assert max(lost.values(), default=0) <= 1


def test_items_come_from_the_subset_only():
    def unreadable_half_the_time(info):
        return None if int(info['img_path'].removesuffix('.png')) % 2 else info

    dataset = SubsetDataset(LabelDataset(interleaved((40, 40)), pipeline=[unreadable_half_the_time]), 0.2)
    items = {dataset[i]['img_path'] for i in range(len(dataset)) for _ in range(20)}
    assert items <= set(paths(dataset))
    assert dataset[0]['sample_idx'] in range(len(dataset))


def test_an_instance_is_not_changed():
    full = LabelDataset(interleaved((5, 5)))
    assert len(SubsetDataset(full, 0.4)) == 4
    assert len(full) == 10


@pytest.fixture
def image_folder(tmp_path):
    for name in ('cat', 'dog', 'emu'):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.new('RGB', (8, 8), (i, 0, 0)).save(tmp_path / name / f'{i}.png')
    return tmp_path


def test_in_an_mmpretrain_config(image_folder):
    folder = {
        'type': 'mmpretrain.CustomDataset',
        'data_root': str(image_folder),
        'pipeline': [{'type': 'mmpretrain.LoadImageFromFile'}, {'type': 'mmpretrain.PackInputs'}],
    }
    dataset = MMPRETRAIN_DATASETS.build(
        {'type': 'makd.SubsetDataset', 'dataset': folder, 'fraction': 0.6, 'lazy_init': True}
    )
    dataset.full_init()
    assert len(dataset) == 9
    assert dataset.metainfo['classes'] == ('cat', 'dog', 'emu')
    assert [dataset.get_cat_ids(i) for i in range(9)] == [[0]] * 3 + [[1]] * 3 + [[2]] * 3
    item = dataset[4]
    assert item['inputs'].shape == (3, 8, 8)
    assert item['data_samples'].img_path == dataset.get_data_info(4)['img_path']
    assert item['data_samples'].gt_label.item() == 1

    head = nn.Module()
    runner = SimpleNamespace(model=nn.Sequential(head), train_dataloader=SimpleNamespace(dataset=dataset))
    head.num_classes = 3
    ClassNumCheckHook().before_train(runner)
    head.num_classes = 4
    with pytest.raises(AssertionError, match='num_classes'):
        ClassNumCheckHook().before_train(runner)


def test_lazy_init_loads_nothing_until_it_is_needed(monkeypatch):
    loads = []
    monkeypatch.setattr(LabelDataset, 'full_init', lambda self: loads.append(self) or BaseDataset.full_init(self))
    dataset = SubsetDataset(LabelDataset([0, 1] * 5, lazy_init=True), 0.4, lazy_init=True)
    assert not loads
    assert len(dataset) == 4
    assert loads


@pytest.mark.parametrize('fraction', [0, -0.1, 1.01, 40, float('nan')])
def test_fractions_outside_0_1_are_refused(fraction):
    with pytest.raises(ConfigError, match=rf'fraction={fraction} is outside \(0, 1\]'):
        SubsetDataset(LabelDataset([0, 1]), fraction)


def test_a_fraction_that_keeps_nothing_is_refused():
    with pytest.raises(ConfigError, match=r'fraction=0.1 of 4 images keeps none'):
        SubsetDataset(LabelDataset([0, 1, 0, 1]), 0.1)


@pytest.mark.parametrize('label', [None, [0, 2]])
def test_images_need_one_label(label):
    with pytest.raises(DataError, match=r'1\.png in LabelDataset is not one class'):
        SubsetDataset(LabelDataset([0, label]), 0.5)


def test_a_data_set_without_labels_is_refused(tmp_path):
    dump({'metainfo': {}, 'data_list': [{'img_path': 'a.png'}]}, str(tmp_path / 'ann.json'))
    with pytest.raises(DataError, match=r'gt_label=None of .*a\.png in BaseDataset'):
        DATASETS.build(
            {
                'type': 'makd.SubsetDataset',
                'dataset': {'type': 'mmpretrain.BaseDataset', 'ann_file': str(tmp_path / 'ann.json')},
                'fraction': 0.5,
            }
        )


def test_other_wrappers_are_refused():
    with pytest.raises(ConfigError, match='ConcatDataset, not a BaseDataset'):
        SubsetDataset(ConcatDataset([LabelDataset([0, 1])]), 0.5)


class Scenes(BaseDataset):
    """Scenes 0, 1, 2, ... of a detector, every third without objects."""

    def __init__(self, names=range(400), empty=True, **kwargs):
        self.names, self.empty = names, empty
        super().__init__(serialize_data=False, **kwargs)

    def load_data_list(self):
        infos = [
            {'img_path': f'{self.data_root}/ü/{i}.png', 'instances': [{'bbox': [0, 0, 9, 9]}] * min(i % 3, 1)}
            for i in self.names
        ]
        return infos if self.empty else [info for info in infos if info['instances']]


def names(dataset):
    return [path.rpartition('/')[2] for path in paths(dataset)]


def test_a_detectors_images_are_chosen_by_name():
    """Filters, the order in the file and the place of the data set do not change the choice."""
    kept = names(SubsetDataset(Scenes(data_root='data/coco'), 0.3))
    assert 90 <= len(kept) <= 150
    assert kept == sorted(kept, key=lambda name: int(name[:-4]))
    elsewhere = names(SubsetDataset(Scenes(range(399, -1, -1), empty=False, data_root='/mnt/coco'), 0.3))
    assert set(elsewhere) == {name for name in kept if int(name[:-4]) % 3}
    other = set(names(SubsetDataset(Scenes(data_root='data/coco'), 0.3, seed=1)))
    assert len(other & set(kept)) < 60


def test_shares_of_a_detectors_images_are_nested():
    kept = [set(names(SubsetDataset(Scenes(data_root='x'), fraction))) for fraction in (0.01, 0.05, 0.1, 0.5, 1)]
    assert all(smaller < larger for smaller, larger in itertools.pairwise(kept))
    assert len(kept[-1]) == 400
    with pytest.raises(ConfigError, match=r'fraction=0\.0001 of 400 images keeps none'):
        SubsetDataset(Scenes(data_root='x'), 0.0001)
