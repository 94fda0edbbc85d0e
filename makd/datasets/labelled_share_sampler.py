"""Batches with a fixed share of labelled images."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from torch import Tensor
from torch.utils.data import Sampler

from makd.datasets.with_unlabelled import WithUnlabelled
from makd.errors import ConfigError
from makd.ranges import Count, Probability
from makd.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class LabelledShareSampler(Sampler[int]):
    """Draw batches of which a fixed share is labelled, from a ``makd.WithUnlabelled``.

    An epoch is one pass over the labelled images, in a random order, but for those that do not fill a last batch. (If
    there are too few for one batch, some are in it twice.) The unlabelled images are passed as often as there is room
    for them, also across epochs: each has been seen once before any is seen again. The order depends only on the seed
    and the epoch, so a resumed training goes on with the images with which it would have gone on.

    Args:
        dataset: The ``makd.WithUnlabelled``.
        batch_size: Images in a batch of one rank, the data loader's ``batch_size``.
        labelled_share: The share of labelled images in each batch, in (0, 1); the nearest number of images is taken.
        seed: Seed of the order; None draws one, the same on all ranks.

    Raises:
        ConfigError: The dataset has another type, or no labelled or no unlabelled image would be in a batch.
    """

    def __init__(
        self, dataset: Any, batch_size: Count, labelled_share: Probability = 0.5, seed: int | None = None
    ) -> None:
        if not isinstance(dataset, WithUnlabelled):
            raise ConfigError(
                f'makd.LabelledShareSampler: train_dataloader.dataset is a {type(dataset).__name__}, which does not '
                'say which of its images are labelled. Set train_dataloader.unlabelled=dict(dataset=...).'
            )
        if batch_size < 2:
            raise ConfigError(
                f'train_dataloader.batch_size={batch_size} has no room for labelled and unlabelled images: raise it.'
            )
        self.batch_size = batch_size
        self.labelled_per_batch = round(labelled_share * batch_size)
        if not 0 < self.labelled_per_batch < batch_size:
            raise ConfigError(
                f'train_dataloader.unlabelled.labelled_share={labelled_share} of a batch of {batch_size} is '
                f'{self.labelled_per_batch} labelled images: choose a share between {1 / batch_size:.3g} and '
                f'{1 - 1 / batch_size:.3g}.'
            )
        self.rank, self.world_size = get_dist_info()
        self.num_labelled: int = dataset.num_labelled
        self.num_unlabelled = len(dataset) - dataset.num_labelled
        self.num_batches = max(1, self.num_labelled // (self.labelled_per_batch * self.world_size))
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0

    def __iter__(self) -> Iterator[int]:
        num_batches = self.num_batches * self.world_size
        needed = num_batches * self.labelled_per_batch
        order = self._permutation(self.num_labelled, self.epoch, 'labelled')
        labelled = order.repeat(-(-needed // self.num_labelled))[:needed]

        needed = num_batches * (self.batch_size - self.labelled_per_batch)
        first, start = divmod(self.epoch * needed, self.num_unlabelled)
        passes = range(first, first + -(-(start + needed) // self.num_unlabelled))
        orders = [self._permutation(self.num_unlabelled, number, 'unlabelled') for number in passes]
        unlabelled = self.num_labelled + torch.cat(orders)[start : start + needed]

        batches = torch.cat([labelled.view(num_batches, -1), unlabelled.view(num_batches, -1)], dim=1)
        return iter(batches[self.rank :: self.world_size].flatten().tolist())

    def __len__(self) -> int:
        return self.num_batches * self.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch

    def _permutation(self, size: int, number: int, of: str) -> Tensor:
        """Return the random order of the ``number``-th pass over some images."""
        seed = np.random.SeedSequence((self.seed, number, *of.encode())).generate_state(1)[0]
        return torch.randperm(size, generator=torch.Generator().manual_seed(int(seed)))
