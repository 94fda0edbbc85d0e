"""What a trial needs trained before it."""

from pathlib import Path

import pytest

from experiments.teacher_training import teacher_of
from experiments.trial import Trial


@pytest.mark.parametrize(
    ('config', 'label', 'checkpoint'),
    [
        (
            'configs/kd/resnet34_resnet18_emoji.py',
            'teacher baseline/resnet34_emoji seed 0',
            'work_dirs/baseline/resnet34_emoji/epoch_40.pth',
        ),
        (
            'configs/makd/resnet18_emoji_mllm_pretrained.py',
            'pre-training makd/resnet18_emoji_mllm_aspects seed 0',
            'work_dirs/makd/resnet18_emoji_mllm_aspects/epoch_16.pth',
        ),
    ],
)
def test_teachers_and_pre_trained_weights_are_found(config, label, checkpoint, tmp_path):
    needed = teacher_of(Trial(config, 0, tmp_path, Path('tools')))
    assert label.startswith(needed.label)
    assert needed.checkpoint == Path(checkpoint)


@pytest.mark.parametrize('config', ['configs/makd/resnet18_emoji.py', 'configs/dkd/resnet34_resnet18_imagenet.py'])
def test_nothing_is_trained_before_a_config_that_names_none_or_an_address(config, tmp_path):
    assert teacher_of(Trial(config, 0, tmp_path, Path('tools'))) is None
