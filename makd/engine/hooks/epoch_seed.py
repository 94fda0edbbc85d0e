"""Random numbers that depend on the seed and the progress of a training, and not on where it was interrupted."""

from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.utils import set_random_seed
from torch.utils.data import DataLoader

from makd.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed Python, numpy and torch at the start of each epoch, here and in the workers that load the images.

    mmengine seeds once, at the start of the process. So a resumed training would repeat the random numbers of the first
    epoch, and workers that are started for each epoch (``persistent_workers=False``) would crop the images in the same
    way in every epoch. With this hook, a training by epochs that was resumed ends with the weights of one that never
    stopped. The first epoch keeps the seeds of mmengine.

    A training by iterations has one epoch: where it is resumed, its random numbers are others than if it had not been
    stopped, but never those of its beginning.

    :class:`~makd.engine.runner.Runner` gives this hook to every training.
    """

    priority = 'VERY_HIGH'  # before any hook that draws random numbers

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed this process and the workers."""
        if runner.iter == 0:
            return
        # 31 bits: a process adds its rank, and a worker its number, and numpy takes no more than 32.
        seed = int(np.random.SeedSequence((runner.seed, runner.iter)).generate_state(1)[0]) >> 1
        set_random_seed(seed, diff_rank_seed=runner._randomness_cfg.get('diff_rank_seed', False))
        _seed_workers(runner.train_dataloader, seed)


def _seed_workers(loader: DataLoader, seed: int) -> None:
    init: Any = loader.worker_init_fn
    if 'seed' in getattr(init, 'keywords', {}):  # mmengine's; without it, workers are seeded from this process
        init.keywords['seed'] = seed
    loader._iterator = None  # persistent workers are started again: there is no way to seed them where they are
