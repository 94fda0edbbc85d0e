import pytest
import torch
from torch import nn
from torch.nn import functional as F

from projects.tiny_mllm.hybrid_vision import STAGES, HybridVisionConfig, HybridVisionModel, efficientnet_lite0
from projects.tiny_mllm.imagenet import BN_EPS, load_folded


@pytest.fixture(scope='module')
def weights():
    """A state dict as the package has it, of random numbers."""
    generator = torch.Generator().manual_seed(0)
    state = {}

    def add(conv, norm, out, channels, kernel):
        fan_in = channels * kernel * kernel
        state[f'{conv}.weight'] = torch.randn(out, channels, kernel, kernel, generator=generator) * (2 / fan_in) ** 0.5
        state[f'{norm}.weight'] = 0.5 + torch.rand(out, generator=generator)
        state[f'{norm}.bias'] = 0.3 * torch.randn(out, generator=generator)
        state[f'{norm}.running_mean'] = 0.1 * torch.randn(out, generator=generator)
        state[f'{norm}.running_var'] = 0.5 + torch.rand(out, generator=generator)
        state[f'{norm}.num_batches_tracked'] = torch.tensor(0)

    add('_conv_stem', '_bn0', 32, 3, 3)
    channels, block = 32, 0
    for expansion, kernel, _, out, blocks in STAGES:
        for _ in range(blocks):
            name, wide = f'_blocks.{block}', channels * expansion
            if expansion > 1:
                add(f'{name}._expand_conv', f'{name}._bn0', wide, channels, 1)
            add(f'{name}._depthwise_conv', f'{name}._bn1', wide, 1, kernel)
            add(f'{name}._project_conv', f'{name}._bn2', out, wide, 1)
            channels, block = out, block + 1
    add('_conv_head', '_bn1', 1280, 320, 1)
    return state | {'_fc.weight': torch.zeros(1000, 1280), '_fc.bias': torch.zeros(1000)}


def unit(state, x, conv, norm, stride=1, act=True):
    """A convolution of TensorFlow's with padding 'same', batch normalization, ReLU6: written out."""
    kernel = state[f'{conv}.weight']
    size = kernel.shape[-1]
    total = max((-(-x.shape[-1] // stride) - 1) * stride + size - x.shape[-1], 0)
    x = F.pad(x, (total // 2, total - total // 2) * 2)
    x = F.conv2d(x, kernel, stride=stride, groups=x.shape[1] if kernel.shape[1] == 1 else 1)
    mean, var = state[f'{norm}.running_mean'], state[f'{norm}.running_var']
    x = F.batch_norm(x, mean, var, state[f'{norm}.weight'], state[f'{norm}.bias'], eps=BN_EPS)
    return x.clamp(0, 6) if act else x


def reference(state, x):
    x = unit(state, x, '_conv_stem', '_bn0', 2)
    block = 0
    for expansion, _, stride, _, blocks in STAGES:
        for number in range(blocks):
            name, before = f'_blocks.{block}', x
            if expansion > 1:
                x = unit(state, x, f'{name}._expand_conv', f'{name}._bn0')
            x = unit(state, x, f'{name}._depthwise_conv', f'{name}._bn1', 1 if number else stride)
            x = unit(state, x, f'{name}._project_conv', f'{name}._bn2', act=False)
            x = x + before if x.shape == before.shape else x
            block += 1
    return unit(state, x, '_conv_head', '_bn1')


def test_folded_convolutions_are_tensorflows_efficientnet_lite0(weights):
    net = efficientnet_lite0()
    load_folded(net, weights)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, found = reference(weights, x), net(x)
    assert found.shape == (2, 1280, 2, 2)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-3)


def test_weights_of_another_net_are_refused(weights):
    with pytest.raises(ValueError, match='zip'):
        load_folded(nn.Conv2d(3, 32, 3), weights)


def test_patches_go_row_by_row_and_end_with_the_colours_of_their_quarters():
    tower = HybridVisionModel(HybridVisionConfig(image_size=64)).eval()
    x = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        patches = tower.patch_features(x)
        features = tower.convolutions(x)
    assert patches.shape == (1, 6, 1292)
    torch.testing.assert_close(patches[0, 4, :1280], features[0, :, 1, 1])
    cell = x[0, :, 32:64, 32:64]
    quarters = torch.stack([cell[:, r : r + 16, c : c + 16].mean((1, 2)) for r in (0, 16) for c in (0, 16)], dim=1)
    torch.testing.assert_close(patches[0, 4, 1280:], quarters.flatten())


def test_last_hidden_state_is_the_last_of_the_hidden_states():
    tower = HybridVisionModel(HybridVisionConfig(image_size=64)).eval()
    with torch.no_grad():
        output = tower(torch.zeros(2, 3, 64, 64), output_hidden_states=True)
    assert output.last_hidden_state.shape == (2, 4, tower.config.hidden_size)
    assert output.hidden_states[-1] is output.last_hidden_state
