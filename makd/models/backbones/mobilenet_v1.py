"""MobileNet-V1, the student of many distillation papers on ImageNet, this paper included."""

from collections.abc import Sequence

from mmcv.cnn import ConvModule, DepthwiseSeparableConvModule
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.models.utils import make_divisible
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from makd.errors import ConfigError
from makd.ranges import Positive
from makd.registry import MODELS


@MODELS.register_module()
class MobileNetV1(BaseBackbone):
    """MobileNet-V1, which mmpretrain lacks (https://arxiv.org/abs/1704.04861, Table 1).

    A 3x3 stem of stride 2 and 13 depthwise separable convolutions with BN and ReLU, as in mdistiller, in five stages.
    With a linear head of 1000 classes it has 4,231,976 parameters and takes 569 M multiply-adds at 224 x 224.

    ===== ============ ======== ======
    stage output index channels stride
    ===== ============ ======== ======
    1     0            64       2
    2     1            128      4
    3     2            256      8
    4     3            512      16
    5     4            1024     32
    ===== ============ ======== ======

    Args:
        widen_factor: Width multiplier; channels are rounded to multiples of 8.
        out_indices: Output indices of the stages to return, each in 0..4.
        frozen_stages: Freeze the stem and this many stages, with their norm layers in eval mode; 0 freezes the stem,
            -1 nothing.
        norm_eval: Keep all batch norm layers in eval mode, so that running statistics do not change.
        conv_cfg: Config of the convolutions; None means Conv2d.
        norm_cfg: Config of the norm layers; None means BN.
        act_cfg: Config of the activations; None means ReLU.
        init_cfg: Config of the initialisation; None means that of mmpretrain's MobileNets, Kaiming for convolutions.

    Raises:
        ConfigError: ``out_indices`` or ``frozen_stages`` is out of range.
    """

    # Output channels and number of blocks per stage; in every stage but the first, the first block has stride 2.
    arch_settings = ((64, 1), (128, 2), (256, 2), (512, 6), (1024, 2))

    def __init__(
        self,
        widen_factor: Positive = 1.0,
        out_indices: Sequence[int] = (4,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        conv_cfg: dict | None = None,
        norm_cfg: dict | None = None,
        act_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if init_cfg is None:
            init_cfg = [
                dict(type='Kaiming', layer=['Conv2d']),
                dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
            ]
        super().__init__(init_cfg)
        num_stages = len(self.arch_settings)
        for index in out_indices:
            if index not in range(num_stages):
                raise ConfigError(
                    f'MobileNetV1: out_indices={out_indices} holds {index}; choose from 0..{num_stages - 1}'
                )
        if frozen_stages not in range(-1, num_stages + 1):
            raise ConfigError(f'MobileNetV1: frozen_stages={frozen_stages}; choose from -1..{num_stages}')
        self.out_indices = out_indices
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval

        layer_cfg = dict(conv_cfg=conv_cfg, norm_cfg=norm_cfg or dict(type='BN'), act_cfg=act_cfg or dict(type='ReLU'))
        in_channels = make_divisible(32 * widen_factor, 8)
        self.conv1 = ConvModule(3, in_channels, 3, stride=2, padding=1, **layer_cfg)
        self.layers: list[str] = []
        for stage, (channels, num_blocks) in enumerate(self.arch_settings):
            out_channels = make_divisible(channels * widen_factor, 8)
            blocks = []
            for block in range(num_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(
                    DepthwiseSeparableConvModule(in_channels, out_channels, 3, stride=stride, padding=1, **layer_cfg)
                )
                in_channels = out_channels
            self.layers.append(f'layer{stage + 1}')
            self.add_module(self.layers[-1], nn.Sequential(*blocks))
        self._freeze_stages()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the feature maps of images.

        Args:
            x: Images (N, 3, H, W).

        Returns:
            For each of ``out_indices``, in ascending order, a feature map (N, channels, H / stride, W / stride).
        """
        x = self.conv1(x)
        outs = []
        for index, name in enumerate(self.layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def _freeze_stages(self) -> None:
        for name in ['conv1', *self.layers][: self.frozen_stages + 1]:
            stage = getattr(self, name)
            stage.eval()
            stage.requires_grad_(False)

    def train(self, mode: bool = True) -> 'MobileNetV1':
        """Set training mode, except for frozen stages and, with ``norm_eval``, batch norm layers."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self
