import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from makd.errors import ConfigError
from makd.models.backbones import MobileNetV1


def classifier():
    head = {'type': 'mmpretrain.LinearClsHead', 'num_classes': 1000, 'in_channels': 1024}
    model = MODELS.build(
        {
            'type': 'mmpretrain.ImageClassifier',
            'backbone': {'type': 'makd.MobileNetV1'},
            'neck': {'type': 'mmpretrain.GlobalAveragePooling'},
            'head': head,
        }
    )
    return model.eval()


def test_parameters_of_the_imagenet_classifier():
    assert sum(p.numel() for p in classifier().parameters()) == 4_231_976


def test_multiply_adds_are_the_papers():
    macs = 0

    def count(module, inputs, output):
        nonlocal macs
        if isinstance(module, nn.Conv2d):
            macs += output.numel() * module.weight[0].numel()
        elif isinstance(module, nn.Linear):
            macs += output.numel() * module.in_features

    model = classifier()
    for module in model.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        assert model(torch.rand(1, 3, 224, 224)).shape == (1, 1000)
    assert round(macs / 1e6) == 569


def test_it_computes_what_mdistillers_layers_compute():
    def conv_bn_relu(c_in, c_out, kernel, stride, groups):
        conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        return [conv, nn.BatchNorm2d(c_out), nn.ReLU()]

    plan = [(32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    plan += [(512, 512, 1)] * 5 + [(512, 1024, 2), (1024, 1024, 1)]
    layers = conv_bn_relu(3, 32, 3, 2, 1)
    for c_in, c_out, stride in plan:
        layers += conv_bn_relu(c_in, c_in, 3, stride, c_in) + conv_bn_relu(c_in, c_out, 1, 1, 1)
    reference = nn.Sequential(*layers)

    backbone = MobileNetV1()
    ours, theirs = backbone.state_dict(), reference.state_dict()
    assert [value.shape for value in ours.values()] == [value.shape for value in theirs.values()]
    reference.load_state_dict(dict(zip(theirs, ours.values())))
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(backbone(images)[0], reference(images))


@pytest.mark.parametrize(
    ('widen_factor', 'channels'), [(1.0, (64, 128, 256, 512, 1024)), (0.25, (16, 32, 64, 128, 256))]
)
def test_stages(widen_factor, channels):
    backbone = MobileNetV1(widen_factor=widen_factor, out_indices=range(5)).eval()
    outs = backbone(torch.rand(1, 3, 64, 96))
    expected = [(1, c, 64 // s, 96 // s) for c, s in zip(channels, (2, 4, 8, 16, 32))]
    assert [tuple(out.shape) for out in outs] == expected
    assert len(MobileNetV1(widen_factor=0.25, out_indices=(1, 3))(torch.rand(2, 3, 32, 32))) == 2


def test_layer_configs_are_used():
    backbone = MobileNetV1(widen_factor=0.25, norm_cfg={'type': 'GN', 'num_groups': 4}, act_cfg={'type': 'ReLU6'})
    kinds = {type(module) for module in backbone.modules()}
    assert nn.GroupNorm in kinds
    assert nn.ReLU6 in kinds
    assert not kinds & {nn.BatchNorm2d, nn.ReLU}


@pytest.mark.parametrize('frozen_stages', [-1, 0, 2, 5])
def test_frozen_stages_do_not_change(frozen_stages):
    backbone = MobileNetV1(widen_factor=0.25, frozen_stages=frozen_stages)
    parts = ['conv1', 'layer1', 'layer2', 'layer3', 'layer4', 'layer5']
    frozen = parts[: frozen_stages + 1]
    # At once, and not only when training starts: the optimiser and DDP look before that.
    assert {name.split('.')[0] for name, p in backbone.named_parameters() if not p.requires_grad} == set(frozen)

    backbone.train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad] or [torch.zeros(1)], lr=0.1)
    out = backbone(torch.rand(4, 3, 32, 32))[0].square().sum()
    if out.requires_grad:
        out.backward()
        optimizer.step()
    changed = {name.split('.')[0] for name, value in backbone.state_dict().items() if not value.equal(before[name])}
    assert changed == set(parts) - set(frozen)


def test_norm_eval_keeps_statistics_and_trains_weights():
    backbone = MobileNetV1(widen_factor=0.25, norm_eval=True)
    assert backbone.train() is backbone
    before = {name: value.clone() for name, value in backbone.named_buffers()}
    backbone(torch.rand(4, 3, 32, 32))
    assert all(value.equal(before[name]) for name, value in backbone.named_buffers())
    assert all(p.requires_grad for p in backbone.parameters())
    assert backbone.training
    assert not any(module.training for module in backbone.modules() if isinstance(module, nn.BatchNorm2d))
    assert not any(module.training for module in backbone.eval().modules())


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [({'out_indices': (3, 5)}, r'out_indices=\(3, 5\) holds 5'), ({'frozen_stages': 6}, 'frozen_stages=6')],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        MobileNetV1(**arguments)
