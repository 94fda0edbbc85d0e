"""A training that learns nothing does not end with status 0."""

import re

import numpy as np
import pytest
import torch
from tiny_training import refused, write_answers, write_config, write_images


@pytest.fixture
def config(tmp_path):
    images = write_images(tmp_path / 'images', images=2)
    return write_config(tmp_path / 'c.py', images, answers=write_answers(tmp_path / 'answers', images))


def train(python, config, tmp_path, *options):
    options = ['--cfg-options', *options] if options else []
    return python('tools/train.py', config, '--work-dir', tmp_path / 'w', *options)


def test_an_epoch_without_steps(config, python, tmp_path):
    options = ['train_dataloader.batch_size=16', 'train_dataloader.drop_last=True']
    refused(train(python, config, tmp_path, *options), '8 images', 'batch_size=16', 'drop_last=True')
    assert not list((tmp_path / 'w').glob('*.pth'))


def test_a_dataset_without_images(config, python, tmp_path):
    (tmp_path / 'none.txt').write_text('')
    options = [f'train_dataloader.dataset.ann_file={tmp_path / "none.txt"}']
    refused(train(python, config, tmp_path, *options), 'no image is left', 'none.txt')


def test_no_image_has_answers(python, tmp_path):
    images = write_images(tmp_path / 'images', images=2)
    config = write_config(
        tmp_path / 'c.py',
        images,
        answers=write_answers(tmp_path / 'answers', images),
        custom_hooks=[dict(type='makd.AspectTargetCheckHook')],
    )
    options = [f'train_dataloader.dataset.pipeline.2.{field}' for field in (f'data_root={tmp_path}', 'missing=ignore')]
    refused(train(python, config, tmp_path, *options), '8 of 8 images have no targets', 'nothing to learn')


def test_a_loss_that_is_not_finite(config, python, tmp_path):
    options = ['optim_wrapper.optimizer.lr=1e30', 'train_cfg.max_epochs=3', 'train_dataloader.batch_size=2']
    refused(train(python, config, tmp_path, *options), 'diverged by epoch 1, step', 'loss', 'optimizer.lr')
    assert not list((tmp_path / 'w').glob('*.pth'))


def test_a_checkpoint_with_nan_is_not_loaded(config, python, tmp_path):
    assert train(python, config, tmp_path, 'randomness.seed=0').returncode == 0
    checkpoint = torch.load(tmp_path / 'w' / 'epoch_1.pth', weights_only=False)
    checkpoint['state_dict']['head.fc.bias'][0] = float('nan')
    torch.save(checkpoint, tmp_path / 'nan.pth')
    result = python('tools/test.py', config, tmp_path / 'nan.pth', '--work-dir', tmp_path / 'w')
    refused(result, 'nan.pth', "are NaN or infinite, first 'head.fc.bias'")


def test_the_learning_rate_is_scaled_by_all_images_of_a_step(config, python, tmp_path):
    """Batches of 4, accumulated 4 times, are the 16 images that the learning rate is for."""
    options = [
        'train_dataloader.batch_size=4',
        'optim_wrapper.accumulative_counts=4',
        'auto_scale_lr.base_batch_size=16',
    ]
    command = ['tools/train.py', config, '--work-dir', tmp_path / 'w', '--auto-scale-lr', '--cfg-options', *options]
    again = [
        'tools/train.py',
        tmp_path / 'w' / 'c.py',
        '--work-dir',
        tmp_path / 'again',
    ]  # the config that a run writes
    for arguments in ([*command, 'auto_scale_lr.enable=False'], again, [*again, '--auto-scale-lr']):
        result = python(*arguments)
        assert result.returncode == 0, result.stderr
        assert set(re.findall(r'lr: ([\d.e+-]+)', result.stdout)) == {'5.0000e-02'}


def test_answers_that_are_all_missing(python, tmp_path):
    images = write_images(tmp_path / 'images', images=2)
    answers = write_answers(tmp_path / 'answers', images)
    logprobs = np.load(f'{answers}/logprobs.npy')
    np.save(f'{answers}/logprobs.npy', np.full_like(logprobs, np.nan))
    hook = dict(type='makd.AspectTargetCheckHook')
    config = write_config(tmp_path / 'c.py', images, answers=answers, custom_hooks=[hook])
    refused(
        train(python, config, tmp_path, 'randomness.seed=0'), 'no answer about any of the images', 'nothing to learn'
    )


def test_resuming_where_there_is_no_checkpoint_begins_from_load_from(config, python, tmp_path):
    assert train(python, config, tmp_path, 'randomness.seed=0').returncode == 0
    checkpoint = tmp_path / 'w' / 'epoch_1.pth'
    command = ['tools/train.py', config, '--work-dir', tmp_path / 'new', '--resume', '--cfg-options']
    result = python(*command, f'load_from={checkpoint}')
    assert result.returncode == 0, result.stderr
    assert f'Load checkpoint from {checkpoint}' in result.stdout
