"""Stop a training that learns nothing."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.dataset_wrappers import leaf_datasets
from makd.errors import DataError, TrainingError
from makd.ranges import Count
from makd.registry import HOOKS


@HOOKS.register_module()
class TrainingCheckHook(Hook):
    """Stop a training without steps, without objects, or with a loss or weights that are not finite.

    The tools give it to every training.

    Args:
        interval: Number of steps between two looks at the loss, since each waits for the accelerator. The last step of
            an epoch and the weights of each checkpoint are looked at as well.

    Raises:
        DataError: An epoch has no steps, or no image of a detector's training set has an object.
        TrainingError: A loss of any rank, or a weight that would be saved, is NaN or infinite.
    """

    def __init__(self, interval: Count = 50) -> None:
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Check that there is something to learn from."""
        loader = runner.train_dataloader
        if len(loader) == 0:
            raise DataError(
                f'An epoch has no steps: train_dataloader has {len(loader.dataset)} images, batch_size='
                f'{loader.batch_size} and drop_last={loader.drop_last}. Choose a smaller '
                'train_dataloader.batch_size, or set train_dataloader.drop_last=False.'
            )
        objects = _numbers_of_objects(loader.dataset)
        first = next(objects, None)
        if first == 0 and not any(objects):
            raise DataError(
                f'None of the {len(loader.dataset)} images of train_dataloader.dataset has an object to learn. In a '
                'file in COCO\'s format, category_id and image_id are the integers under "categories" and "images", '
                'and a bbox is [x, y, width, height] in pixels.'
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Check the losses of a step."""
        if (
            self.every_n_train_iters(runner, self.interval)
            or self.end_of_epoch(runner.train_dataloader, batch_idx)
            or self.is_last_train_iter(runner)
        ):
            named = ((name, torch.as_tensor(value)) for name, value in (outputs or {}).items() if 'loss' in name)
            losses = {name: value.detach().item() for name, value in named}
            diverged = torch.tensor(float(not all(map(math.isfinite, losses.values()))))
            all_reduce(diverged, 'max')  # all ranks stop if one does, where the others would wait for it
            if diverged:
                shown = ', '.join(f'{name} {value:.4g}' for name, value in losses.items())
                raise TrainingError(
                    f'The training has diverged by epoch {runner.epoch + 1}, step {runner.iter + 1}: {shown}. {REMEDY}'
                )

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check the weights that are about to be saved."""
        for name, value in checkpoint['state_dict'].items():
            if isinstance(value, torch.Tensor) and value.is_floating_point() and not value.isfinite().all():
                raise TrainingError(
                    f'The training has diverged by step {runner.iter}: {name} is not finite, and is not saved. {REMEDY}'
                )


REMEDY = (
    'Checkpoints from before are kept. Lower optim_wrapper.optimizer.lr, warm it up, or clip the gradient with '
    'optim_wrapper.clip_grad=dict(max_norm=35).'
)


def _numbers_of_objects(dataset: Any) -> Iterator[int]:
    """Yield the number of objects in each image of a detector's dataset; nothing for other datasets."""
    for leaf in leaf_datasets(dataset):
        for index in range(len(leaf) if hasattr(leaf, 'get_data_info') else 0):
            info = leaf.get_data_info(index)
            if 'instances' not in info:
                break
            yield sum(not instance.get('ignore_flag') for instance in info['instances'])
