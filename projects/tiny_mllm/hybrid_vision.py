"""The vision tower of the tiny MLLM: a hybrid ViT. Importing it registers it with transformers' Auto classes.

Dosovitskiy et al. 2021, "An image is worth 16x16 words", section 3.1, hybrid architecture: the patches come from the
feature map of a convolutional network, here EfficientNet-Lite0 without its classifier.
"""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

# EfficientNet-Lite0: expansion, kernel, stride, channels and blocks of each stage.
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
STEM, HEAD = 32, 1280
STRIDE = 32


class ConvUnit(nn.Sequential):
    """A convolution with its batch normalization folded in, and ReLU6.

    TensorFlow's "same" padding: at stride 2, the extra pixel of padding of an even input is on the right and bottom.
    """

    def __init__(
        self, channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        before = (kernel - stride) // 2
        after = kernel - stride - before
        super().__init__(
            nn.ZeroPad2d((before, after, before, after)) if after else nn.Identity(),
            nn.Conv2d(channels, out, kernel, stride, groups=groups),
            nn.ReLU6() if act else nn.Identity(),
        )


class InvertedResidual(nn.Sequential):
    """MobileNetV2's block: expand, filter each channel, project; the input is added if the shape is unchanged."""

    def __init__(self, channels: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        wide = channels * expansion
        expand = [ConvUnit(channels, wide)] if expansion > 1 else []
        super().__init__(*expand, ConvUnit(wide, wide, kernel, stride, groups=wide), ConvUnit(wide, out, act=False))
        self.residual = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        return x + super().forward(x) if self.residual else super().forward(x)


def efficientnet_lite0() -> nn.Sequential:
    """Return EfficientNet-Lite0 without pooling and classifier: (N, 3, H, W) to (N, 1280, H / 32, W / 32)."""
    layers: list[nn.Module] = [ConvUnit(3, STEM, 3, 2)]
    channels = STEM
    for expansion, kernel, stride, out, blocks in STAGES:
        for block in range(blocks):
            layers.append(InvertedResidual(channels, out, expansion, kernel, 1 if block else stride))
            channels = out
    return nn.Sequential(*layers, ConvUnit(channels, HEAD))


class HybridVisionConfig(PretrainedConfig):
    """The configuration of :class:`HybridVisionModel`.

    Args:
        image_size: Height and width of the images in pixels, a multiple of 32.
        hidden_size: Width of the tokens.
        num_hidden_layers: Number of transformer layers after the convolutions.
        num_attention_heads: Attention heads per layer.
        intermediate_size: Width of the layers' feed-forward networks.
        dropout: Dropout rate in training, of the patch features and in the layers.
        **kwargs: Arguments of transformers' ``PretrainedConfig``.
    """

    model_type = 'makd_hybrid_vision'

    def __init__(
        self,
        image_size: int = 160,
        hidden_size: int = 192,
        num_hidden_layers: int = 1,
        num_attention_heads: int = 3,
        intermediate_size: int = 512,
        dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.image_size = image_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.dropout = dropout
        super().__init__(**kwargs)


class HybridVisionModel(PreTrainedModel):
    """Turns images into tokens: convolutions, then a few transformer layers over the cells of the feature map.

    A patch is a cell of 32 x 32 pixels. It consists of EfficientNet-Lite0's 1280 features and the mean colours of the
    cell's four quarters, because features made for ImageNet's classes represent colour only in part.
    """

    config_class = HybridVisionConfig
    main_input_name = 'pixel_values'
    _supports_sdpa = True

    def __init__(self, config: HybridVisionConfig) -> None:
        super().__init__(config)
        self.convolutions = efficientnet_lite0()
        self.drop = nn.Dropout(config.dropout)
        self.patch_embedding = nn.Linear(HEAD + 3 * 4, config.hidden_size)
        cells = (config.image_size // STRIDE) ** 2
        self.position_embedding = nn.Parameter(torch.zeros(cells, config.hidden_size))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.hidden_size,
                config.num_attention_heads,
                config.intermediate_size,
                config.dropout,
                'gelu',
                batch_first=True,
                norm_first=True,
            )
            for _ in range(config.num_hidden_layers)
        )
        self.norm = nn.LayerNorm(config.hidden_size)
        self.post_init()

    def patch_features(self, pixel_values: Tensor) -> Tensor:
        """Return the features of each patch, row by row: (N, 3, H, W) to (N, patches, 1292)."""
        colours = nn.functional.pixel_unshuffle(nn.functional.avg_pool2d(pixel_values, STRIDE // 2), 2)
        return torch.cat([self.convolutions(pixel_values), colours], 1).flatten(2).transpose(1, 2)

    def encode(self, patch_features: Tensor) -> tuple[Tensor, Tensor]:
        """Return the tokens before and after the transformer layers, (N, patches, hidden size) each."""
        patches = self.patch_embedding(self.drop(patch_features)) + self.position_embedding
        hidden = patches
        for layer in self.layers:
            hidden = layer(hidden)
        return patches, self.norm(hidden)

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> BaseModelOutput:
        """Encode images.

        Args:
            pixel_values: (N, 3, image size, image size), about in [-1, 1].
            **kwargs: Options of transformers' vision towers, which are ignored: both hidden states are always returned.

        Returns:
            Tokens (N, patches, hidden size).
        """
        patches, hidden = self.encode(self.patch_features(pixel_values))
        return BaseModelOutput(last_hidden_state=hidden, hidden_states=(patches, hidden))


AutoConfig.register(HybridVisionConfig.model_type, HybridVisionConfig)
AutoModel.register(HybridVisionConfig, HybridVisionModel)
