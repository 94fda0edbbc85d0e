"""Images without labels beside a labelled training set."""

from collections import Counter
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample

from makd.config import read_config
from makd.datasets import labelled_share_sampler
from makd.datasets.labelled_share_sampler import LabelledShareSampler
from makd.datasets.targets_join import join_dataset, join_training_set
from makd.datasets.with_unlabelled import WithUnlabelled
from makd.errors import ConfigError, DataError
from makd.labels import is_labelled
from makd.registry import DATASETS

CONFIG = 'configs/makd/resnet18_emoji.py'


def images(num_labelled, num_unlabelled):
    return WithUnlabelled(*(Images(num) for num in (num_labelled, num_unlabelled)))


class Images:
    """What a sampler sees of a dataset."""

    def __init__(self, num):
        self.num = num

    def __len__(self):
        return self.num

    def full_init(self):
        """Nothing."""

    def get_data_info(self, idx):
        return {}


def batches(sampler):
    indices = list(sampler)
    assert len(indices) == len(sampler)
    return [indices[i : i + sampler.batch_size] for i in range(0, len(indices), sampler.batch_size)]


@pytest.mark.parametrize(('share', 'labelled'), [(0.5, 2), (0.25, 1), (0.75, 3), (0.7, 3)])
def test_each_batch_has_its_share_of_labelled_images(share, labelled):
    sampler = LabelledShareSampler(images(10, 30), batch_size=4, labelled_share=share, seed=0)
    found = batches(sampler)
    assert [sum(index < 10 for index in batch) for batch in found] == [labelled] * len(found)
    # One pass over the labelled images, without those that do not fill a batch.
    seen = [index for batch in found for index in batch if index < 10]
    assert len(seen) == len(set(seen)) == 10 // labelled * labelled


def test_few_labelled_images_are_repeated_in_one_batch():
    (batch,) = batches(LabelledShareSampler(images(3, 30), batch_size=8, seed=0))
    assert sorted(Counter(index for index in batch if index < 3).values()) == [1, 1, 2]


def test_unlabelled_images_are_passed_across_epochs():
    sampler = LabelledShareSampler(images(6, 7), batch_size=4, seed=3)  # three batches, six unlabelled of seven
    seen, orders = [], []
    for epoch in range(7):
        sampler.set_epoch(epoch)
        found = batches(sampler)
        orders.append(found)
        seen += [index for batch in found for index in batch if index >= 6]
        counts = [seen.count(index) for index in range(6, 13)]
        assert max(counts) - min(counts) <= 1
    assert Counter(seen) == dict.fromkeys(range(6, 13), 6)
    assert orders[0] != orders[1]
    sampler.set_epoch(2)  # as after a resume
    assert batches(sampler) == orders[2]
    assert batches(LabelledShareSampler(images(6, 7), batch_size=4, seed=4)) != orders[0]


def test_few_unlabelled_images_are_repeated():
    sampler = LabelledShareSampler(images(8, 3), batch_size=4, seed=0)
    seen = Counter(index for batch in batches(sampler) for index in batch if index >= 8)
    assert sorted(seen.values()) == [2, 3, 3]


def test_ranks_share_an_epoch(monkeypatch):
    found = []
    for rank in range(3):
        monkeypatch.setattr(labelled_share_sampler, 'get_dist_info', lambda rank=rank: (rank, 3))
        found.append(batches(LabelledShareSampler(images(12, 60), batch_size=4, seed=0)))
    assert [len(part) for part in found] == [2, 2, 2]
    indices = [index for part in found for batch in part for index in batch]
    assert len(set(indices)) == len(indices) == 24
    assert {index for index in indices if index < 12} == set(range(12))


@pytest.mark.parametrize('share', [0.0, 0.1, 0.9, 1.0])
def test_a_share_without_images_is_refused(share):
    with pytest.raises(ConfigError, match=r'labelled_share=.* choose a share between 0.25 and 0.75'):
        LabelledShareSampler(images(10, 30), batch_size=4, labelled_share=share)


def test_another_dataset_is_refused():
    with pytest.raises(ConfigError, match=r'is a list.* train_dataloader.unlabelled='):
        LabelledShareSampler([1, 2], batch_size=4)


def test_a_batch_of_one_image_is_refused():
    with pytest.raises(ConfigError, match=r'batch_size=1 has no room'):
        LabelledShareSampler(images(10, 30), batch_size=1)


@pytest.fixture
def loader(tmp_path):
    """Return the training loader of a MaKD config with unlabelled images."""
    init_default_scope('mmpretrain')
    path = tmp_path / 'config.py'
    path.write_text(
        f"_base_ = ['{Path(CONFIG).resolve()}']\n"
        'train_dataloader = dict(fraction=0.1, unlabelled=dict(labelled_share=0.25, dataset=dict(\n'
        "    type='makd.EmojiDataset', data_root='data/emoji', styles=['blob', 'fluent'])))\n"
    )
    return read_config(str(path)).train_dataloader


def test_one_field_of_a_config_adds_unlabelled_images(loader):
    assert 'unlabelled' not in loader
    assert loader.sampler == dict(type='makd.LabelledShareSampler', batch_size=16, labelled_share=0.25)
    dataset = DATASETS.build(loader.dataset)
    assert isinstance(dataset, WithUnlabelled)
    assert dataset.num_labelled == 85
    assert len(dataset.CLASSES) == 849
    assert 'gt_label' in dataset.get_data_info(84)
    assert 'gt_label' not in dataset.get_data_info(85)
    labelled, unlabelled = dataset[84]['data_samples'], dataset[85]['data_samples']
    assert is_labelled(labelled)
    assert not is_labelled(unlabelled)
    assert unlabelled.gt_label.tolist() == [-1]
    assert unlabelled.gt_aspects.shape == labelled.gt_aspects.shape == (66,)
    assert '/blob/' in unlabelled.img_path


@pytest.mark.parametrize('value', ['dict(share=0.5)', "dict(dataset='x')", 'True', '[1]', 'dict(dataset=dict(), a=1)'])
def test_a_wrong_field_is_named(tmp_path, value):
    path = tmp_path / 'config.py'
    path.write_text(f"_base_ = ['{Path(CONFIG).resolve()}']\ntrain_dataloader = dict(unlabelled={value})\n")
    with pytest.raises(ConfigError, match=r'train_dataloader.unlabelled=.* must be dict\(dataset=dict'):
        read_config(str(path))


def test_wrapped_datasets_take_the_pipeline_of_the_labelled_one(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(
        f"_base_ = ['{Path(CONFIG).resolve()}']\n"
        "others = dict(type='makd.EmojiDataset', data_root='data/emoji', styles=['blob'])\n"
        'one = dict(_base_.train_dataloader.dataset)\n'
        "train_dataloader = dict(dataset=dict(_delete_=True, type='RepeatDataset', times=2, dataset=one),\n"
        "    unlabelled=dict(dataset=dict(type='makd.SubsetDataset', fraction=0.1, dataset=others)))\n"
    )
    init_default_scope('mmpretrain')
    dataset = DATASETS.build(read_config(str(path)).train_dataloader.dataset)
    assert dataset.num_labelled == 2 * 849
    assert dataset[2 * 849]['data_samples'].gt_aspects.shape == (66,)


def test_only_what_is_labelled_is_evidence(loader):
    dataset = DATASETS.build(loader.dataset)
    answers = join_training_set(dataset)
    assert len(answers.paths) == 85
    assert all('/noto/' in path for path in answers.paths)


def test_images_of_a_detector_are_refused():
    part = Images(2)
    part.get_data_info = lambda idx: {'instances': []}
    with pytest.raises(ConfigError, match=r'the unlabelled dataset is a Images, whose images have objects'):
        WithUnlabelled(Images(2), part)


def test_a_label_of_minus_one_is_unknown(tmp_path):
    init_default_scope('mmpretrain')
    cfg = Config.fromfile(CONFIG).train_dataloader.dataset
    folder = Path(cfg.data_root, 'images').resolve()
    keys = [str(path.relative_to(folder)) for path in sorted(folder.glob('noto/*/*.png'))[:2]]
    annotations = tmp_path / 'train.txt'
    annotations.write_text(f'{keys[0]} 3\n{keys[1]} -1\n')
    pipeline = [*cfg.pipeline[:-1], dict(cfg.pipeline[-1], data_root=str(folder))]
    dataset = DATASETS.build(
        dict(type='mmpretrain.CustomDataset', data_root=str(folder), ann_file=str(annotations), pipeline=pipeline)
    )
    assert [is_labelled(item['data_samples']) for item in dataset] == [True, False]
    assert join_training_set(dataset).labels.tolist() == [3]
    with pytest.raises(DataError, match=r'gt_label=-1: each image must have exactly one class'):
        join_dataset(dataset)


def test_a_sample_without_a_label_is_unlabelled():
    assert not is_labelled(DataSample())
    assert is_labelled(DataSample().set_gt_label(0))
    assert is_labelled(DataSample().set_gt_score([0.2, 0.8]))  # soft labels
