"""A config's split as the test sees it."""

import pytest

from makd.cli.analysis import load_split, read_images
from makd.errors import ConfigError, DataError
from makd.registry import DATASETS

MAKD, PLAIN = 'configs/makd/resnet18_emoji.py', 'configs/baseline/resnet18_emoji.py'


def kinds(pipeline):
    return [transform['type'] for transform in pipeline]


def test_the_training_split_has_the_pipeline_of_the_test_in_order():
    options = {'train_dataloader.dataset.pipeline.5.top': 10, 'train_dataloader.dataset.styles': ['noto', 'blob']}
    cfg = load_split('configs/makd/resnet18_emoji_3styles.py', {'train_dataloader.fraction': 0.4}, 'train')
    loader = cfg.split_dataloader
    assert loader['sampler'] == dict(type='DefaultSampler', shuffle=False)
    assert 'drop_last' not in loader
    assert loader['dataset']['type'] == 'makd.SubsetDataset'
    assert kinds(loader['dataset']['dataset']['pipeline']) == kinds(cfg.test_dataloader.dataset.pipeline)
    assert loader['dataset']['dataset']['styles'] == ['noto', 'blob', 'fluent']
    assert cfg.train_dataloader.sampler.shuffle  # itself untouched

    loads = load_split(MAKD, options, 'train').split_dataloader['dataset']['pipeline'][-1]
    assert loads['top'] == 10  # the answers that training reads
    assert 'top' not in load_split(MAKD, options, 'test').split_dataloader['dataset']['pipeline'][-1]


def test_images_with_their_answers(capsys):
    cfg = load_split(MAKD, {'val_dataloader.dataset.indices': 3}, 'val')
    images = read_images(cfg, MAKD, 'val')
    assert images.logits.shape == (3, 66)
    assert len(DATASETS.build(cfg.split_dataloader['dataset'])) == 3
    assert 'val: 3 images of 849 classes, 3 with all answers.' in capsys.readouterr().out


def test_what_cannot_be_analysed(tmp_path):
    with pytest.raises(ConfigError, match=r'has no val_dataloader. Choose --split train or --split test'):
        load_split('configs/makd/resnet18_emoji_3styles.py', None, 'val')
    options = {'data_root': str(tmp_path)}
    with pytest.raises(DataError, match='The dataset does not exist'):
        load_split(MAKD, {'test_dataloader.dataset.data_root': 'nowhere'}, 'test')
    with pytest.raises(ConfigError, match='loads no answers; a config of a MaKD student is needed'):
        read_images(load_split(PLAIN, options, 'test'), PLAIN, 'test')
    path = tmp_path / 'detector.py'
    path.write_text("default_scope = 'mmdet'\n")
    with pytest.raises(ConfigError, match="default_scope='mmdet': only classifiers"):
        load_split(str(path), None, 'test')
