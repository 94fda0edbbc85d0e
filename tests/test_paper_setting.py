"""The paper's configs see what its authors' torchvision code sees, and begin where it begins."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS
from PIL import Image
from torch import nn
from torchvision import transforms


@pytest.fixture
def cfg():
    init_default_scope('mmpretrain')
    return Config.fromfile('configs/baseline/resnet18_stanford_cars.py')


@pytest.mark.parametrize('size', [(500, 375), (301, 640), (96, 120)])
def test_a_test_image_is_that_of_torchvision(cfg, tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    path = tmp_path / 'noise.png'
    Image.fromarray(pixels).save(path)
    ours = Compose(cfg.test_dataloader.dataset.pipeline)({'img_path': str(path)})['inputs'].flip(0)  # BGR
    theirs = transforms.Compose([transforms.Resize(224), transforms.CenterCrop(224), transforms.PILToTensor()])
    torch.testing.assert_close(ours, theirs(Image.fromarray(pixels)), atol=1, rtol=0)


@pytest.mark.parametrize('student', ['resnet18', 'resnet34'])
def test_a_resnet_begins_like_torchvisions(student):
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(f'configs/baseline/{student}_stanford_cars.py').model)
    torch.manual_seed(0)
    model.init_weights()
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all(), name
        elif isinstance(module, nn.Conv2d):  # Kaiming, fan out
            fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
            assert module.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05), name
    # PyTorch's default for a linear layer: uniform in +- 1 / sqrt(C_in).
    assert model.head.fc.weight.abs().max().item() == pytest.approx(512**-0.5, rel=0.01)
