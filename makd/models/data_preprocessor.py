"""Mixup and CutMix of class scores and aspect targets together."""

import torch
from mmpretrain.models.utils import ClsDataPreprocessor

from makd.errors import ConfigError
from makd.labels import is_labelled
from makd.registry import MODELS


@MODELS.register_module()
class AspectDataPreprocessor(ClsDataPreprocessor):
    """mmpretrain's ``ClsDataPreprocessor`` whose batch augmentations mix the aspect targets, too.

    In training with ``batch_augments``, ``gt_score`` (C,) and ``gt_aspects`` (Q,) of the data samples are mixed with
    the same weights. A mixed target is NaN (no answer) if an image that contributes to it has no answer. Without
    ``batch_augments``, and in evaluation, this is the parent. The arguments are the parent's.

    Raises:
        ConfigError: A data sample of a batch to mix has no ``gt_aspects``, or no label.
    """

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collate, normalise and, in training, mix a batch.

        Args:
            data: A batch of the data loader: ``inputs`` and ``data_samples``.
            training: Whether to mix.

        Returns:
            ``inputs`` (N, 3, H, W) and the ``data_samples``.
        """
        if not training or self.batch_augments is None:
            return super().forward(data, training)

        if not all(map(is_labelled, data.get('data_samples') or [])):
            raise ConfigError(
                'data_preprocessor.train_cfg.batch_augments mixes images and classes, and a training image has no '
                'label. Leave mixup and CutMix out, or train_dataloader.unlabelled.'
            )
        # The parent looks at `training` only to mix.
        batch = super().forward(data, training=False)
        samples = batch['data_samples'] or []
        if not samples or any('gt_aspects' not in sample for sample in samples):
            raise ConfigError(
                'AspectDataPreprocessor: a data sample has no `gt_aspects` to mix; put makd.LoadAspectTargets after '
                'PackInputs in the pipeline of train_dataloader.dataset'
            )
        scores = torch.stack([sample.gt_score for sample in samples])
        aspects = torch.stack([sample.gt_aspects for sample in samples]).to(scores.device)

        # 0 * NaN is NaN, so a mask of the missing answers is mixed as well: with a weight of 0 they have no effect.
        unanswered = aspects.isnan()
        widened = torch.cat([scores, aspects.nan_to_num(0), unanswered], dim=1)
        batch['inputs'], widened = self.batch_augments(batch['inputs'], widened)
        num_aspects = aspects.size(1)
        scores, aspects, unanswered = widened.split([scores.size(1), num_aspects, num_aspects], dim=1)
        aspects = aspects.masked_fill(unanswered > 0, torch.nan)

        for sample, score, aspect in zip(samples, scores, aspects):
            sample.set_gt_score(score)
            sample.gt_aspects = aspect
        return batch
