import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from makd.config import check_makd_types


@pytest.fixture
def cfg():
    return Config.fromfile('projects/example_project/configs/cosine_resnet18_emoji.py')  # registers head and loss


def test_the_config_builds_the_new_head_with_the_new_loss(cfg):
    check_makd_types(cfg)
    init_default_scope('mmpretrain')
    head = MODELS.build(cfg.model).head
    assert type(head).__name__ == 'CosineMaKDHead'
    assert type(head.aspect_loss).__name__ == 'BrierAspectLoss'


def test_logits_are_scaled_cosines(cfg):
    head = MODELS.build(dict(type='makd.CosineMaKDHead', num_classes=1, num_aspects=1, in_channels=2, scale=10.0))
    with torch.no_grad():
        head.fc.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, -5.0]]))
    torch.testing.assert_close(head((torch.tensor([[3.0, 4.0]]),)), torch.tensor([[6.0, -8.0]]))


def test_brier_loss_by_hand(cfg):
    loss = MODELS.build(dict(type='makd.BrierAspectLoss', loss_weight=2.0))
    value = loss(torch.zeros(1, 3), torch.tensor([[1.0, 0.25, float('nan')]]))
    assert value.item() == pytest.approx(2.0 * (0.25 + 0.0625) / 2)
