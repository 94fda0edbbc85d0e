"""A classifier that takes the pixels of an image and says what it sees, as it is deployed."""

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from makd.models.heads import MaKDHeadMixin


class PixelClassifier(nn.Module):
    """Normalisation, network, and probabilities in one module of tensors, for ONNX and ``torch.export``.

    Loading and resizing are left to whoever runs it.

    Args:
        model (BaseModel): A classifier of mmpretrain's, in eval mode, with its data preprocessor. One with a MaKD head
            has the aspects as a second output.
    """

    def __init__(self, model: BaseModel) -> None:
        super().__init__()
        self.model = model
        self.has_aspects = isinstance(model.head, MaKDHeadMixin)
        self.eval()

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: 'scores', and 'aspects' if there are any."""
        return ['scores', 'aspects'] if self.has_aspects else ['scores']

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Classify images.

        Args:
            images (Tensor): uint8 (N, 3, H, W) in RGB.

        Returns:
            tuple[Tensor, ...]: Class probabilities, (N, C), and if the model has aspects P(yes) of each question,
            (N, Q).
        """
        logits = self.model(self._preprocess(images), mode='tensor')
        if not self.has_aspects:
            return (logits.softmax(1),)
        class_logits, aspect_logits = self.model.head.split(logits)
        return class_logits.softmax(1), aspect_logits.sigmoid()

    @torch.no_grad()
    def reference(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the same by way of mmpretrain's predictions, one image after the other."""
        samples = [self.model(self._preprocess(image[None]), mode='predict')[0] for image in images]
        fields = dict(scores='pred_score', aspects='pred_aspects')
        return tuple(torch.stack([sample.get(fields[name]) for sample in samples]) for name in self.output_names)

    def _preprocess(self, images: Tensor) -> Tensor:
        """Normalise as in training; mmpretrain's preprocessor takes BGR."""
        return self.model.data_preprocessor({'inputs': images.flip(1)}, training=False)['inputs']
