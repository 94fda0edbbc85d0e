"""Measure what MaKD adds to a classifier's training steps and data loading, as ratios to the baseline in the same run.

    python benchmarks/classification.py

Baseline and MaKD alternate every few steps, so that changes in the machine's speed affect both equally. The result is
the median of the ratios of all rounds. Times are the process's CPU seconds without an accelerator, wall-clock time
otherwise.
"""

import argparse
import copy
from collections.abc import Callable, Sequence
from itertools import chain, repeat

import torch
from measure import take_turns
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from torch.utils.data import DataLoader


def make_model(cfg: Config) -> BaseModel:
    """Return the model of a config with its initial weights, ready to be trained."""
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor}).to(get_device())
    model.init_weights()
    return model.train()


def training_steps(model: BaseModel, cfg: Config, batches: Sequence[dict], steps: int) -> Callable[[], None]:
    """Return a function that runs training steps of a config's optimizer on batches in memory."""
    optimizer = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))

    def work() -> None:
        for step in range(steps):
            model.train_step(batches[step % len(batches)], optimizer)

    return work


def training(cfg: Config, steps: int) -> Callable[[], None]:
    """Return a function that runs training steps of a config on preloaded batches."""
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    size = cfg.train_dataloader.batch_size
    batches = [default_collate([dataset[(i * size + j) % len(dataset)] for j in range(size)]) for i in range(4)]
    return training_steps(make_model(cfg), cfg, batches, steps)


def loading(cfg: Config, steps: int) -> Callable[[], None]:
    """Return a function that loads training batches of a config in this process."""
    size = cfg.train_dataloader.batch_size
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    loader = DataLoader(dataset, batch_size=size, collate_fn=default_collate)
    batches = chain.from_iterable(repeat(loader))

    def work() -> None:
        for _ in range(steps):
            next(batches)

    return work


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--baseline', default='configs/baseline/resnet18_emoji.py')
    parser.add_argument('--makd', default='configs/makd/resnet18_emoji.py')
    parser.add_argument('--rounds', type=int, default=100)
    parser.add_argument('--steps', type=int, default=5, help='steps, or batches, per round')
    args = parser.parse_args()

    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    configs = [Config.fromfile(path) for path in (args.baseline, args.makd)]
    take_turns(*(training(cfg, args.steps) for cfg in configs), args.rounds, 'training steps')
    take_turns(*(loading(cfg, args.steps) for cfg in configs), args.rounds, 'loading')


if __name__ == '__main__':
    main()
