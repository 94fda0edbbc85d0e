"""The branch that answers questions about a whole image from a detector's features."""

import math
from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from makd.errors import ConfigError
from makd.models.heads.gt_aspects import check_num_aspects, stack_gt_aspects
from makd.ranges import Count
from makd.registry import MODELS

_FIELD = 'model.aspect_head.num_aspects'


@MODELS.register_module()
class AspectHead(BaseModule):
    """Pool feature maps by a global average, then apply a linear layer with Q logits (paper section 4.4, Table 6).

    The paper adds "features to the backbone network" without naming them, so the last stage of the backbone is the
    default, and any stages of the backbone or neck (FPN) can be chosen. The images of a batch are padded to one size.
    The average is over the cells that show the image, so that an answer does not depend on the rest of the batch.

    Args:
        num_aspects: Q, the number of yes/no questions.
        in_channels: Channels of each chosen stage.
        stages: Indices of the chosen feature maps among those of the backbone or neck. Defaults to the last.
        source: 'backbone' or 'neck'.
        aspect_loss: Config of the loss on the aspect logits. Defaults to ``dict(type='makd.MaKDLoss')``.
        init_cfg: Config of the initialisation of the linear layer.

    Raises:
        ConfigError: An argument is invalid, or the feature maps have other channels. In training: a sample has no
            aspect targets, or not as many as the head.
    """

    def __init__(
        self,
        num_aspects: Count,
        in_channels: Count | Sequence[int],
        stages: Sequence[int] = (-1,),
        source: str = 'backbone',
        aspect_loss: dict | None = None,
        init_cfg: dict | None = dict(type='Normal', layer='Linear', std=0.01),  # noqa: B006, as mmpretrain's heads
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        check_num_aspects(self, num_aspects, _FIELD)
        self.in_channels = [in_channels] if isinstance(in_channels, int) else list(in_channels)
        if source not in ('backbone', 'neck'):
            raise ConfigError(f"AspectHead: model.aspect_head.source={source!r} must be 'backbone' or 'neck'.")
        if not isinstance(stages, Sequence) or not stages or len(stages) != len(self.in_channels):
            raise ConfigError(
                f'AspectHead: model.aspect_head has stages={stages} and in_channels={self.in_channels}: give a list '
                'of stages, and one number of channels for each.'
            )
        self.num_aspects = num_aspects
        self.stages = tuple(stages)
        self.source = source
        self.fc = nn.Linear(sum(self.in_channels), num_aspects)
        self.aspect_loss = MODELS.build(aspect_loss or dict(type='makd.MaKDLoss'))

    def forward(self, features: Sequence[Tensor], data_samples: Sequence[BaseDataElement] | None = None) -> Tensor:
        """Answer all questions.

        Args:
            features: All feature maps of ``source``, (N, C_i, H_i, W_i) each.
            data_samples: Samples with ``img_shape`` and ``batch_input_shape`` in their metadata, which tell image from
                padding. Defaults to None: there is no padding.

        Returns:
            Aspect logits, (N, Q).
        """
        try:
            chosen = [features[stage] for stage in self.stages]
        except IndexError:
            raise ConfigError(
                f'AspectHead: model.aspect_head.stages={list(self.stages)}, and the {self.source} returns '
                f'{len(features)} feature maps.'
            ) from None
        channels = [feature.shape[1] for feature in chosen]
        if channels != self.in_channels:
            raise ConfigError(
                f'AspectHead: stages {list(self.stages)} of the {self.source} have {channels} channels; set '
                f'model.aspect_head.in_channels={channels} instead of {self.in_channels}.'
            )
        return self.fc(torch.cat([_pool(feature, data_samples) for feature in chosen], dim=1))

    def loss(self, features: Sequence[Tensor], data_samples: Sequence[BaseDataElement]) -> dict[str, Tensor]:
        """Compute the loss.

        Args:
            features: As for ``forward``.
            data_samples: N samples with ``gt_aspects``, (Q,) each.

        Returns:
            ``loss_makd``, a scalar.

        Raises:
            ConfigError: A sample has no aspect targets, or not as many as the head.
        """
        logits = self(features, data_samples)
        return {'loss_makd': self.aspect_loss(logits, stack_gt_aspects(self, data_samples, logits, _FIELD))}

    def predict(self, features: Sequence[Tensor], data_samples: Sequence[BaseDataElement]) -> None:
        """Set ``pred_aspects``, P(yes) of each question in [0, 1], (Q,), on each sample.

        Args:
            features: As for ``forward``.
            data_samples: N samples.
        """
        for sample, aspects in zip(data_samples, self(features, data_samples).sigmoid()):
            sample.set_field(aspects, 'pred_aspects')


def _pool(feature: Tensor, data_samples: Sequence[BaseDataElement] | None) -> Tensor:
    """Return the mean of a feature map (N, C, H, W) over the cells that show each image, (N, C)."""
    height, width = feature.shape[2:]
    inside = [_cells(sample, height, width) for sample in data_samples or ()]
    if all(cells == (height, width) for cells in inside):
        return feature.mean(dim=(2, 3))
    weight = feature.new_zeros(len(inside), 1, height, width, dtype=torch.float32)
    for row, (rows, columns) in zip(weight, inside):
        row[:, :rows, :columns] = 1 / (rows * columns)
    return (feature * weight).sum(dim=(2, 3)).to(feature.dtype)


def _cells(sample: BaseDataElement, height: int, width: int) -> tuple[int, int]:
    """Return the number of rows and of columns of a feature map that show the image."""
    if 'img_shape' not in sample or 'batch_input_shape' not in sample:
        return height, width
    image, batch = sample.img_shape, sample.batch_input_shape
    return math.ceil(height * image[0] / batch[0]), math.ceil(width * image[1] / batch[1])
