"""What MaKD costs a classifier: training steps, and loading, each as a ratio to the baseline in one run.

    python benchmarks/classification.py

Baseline and MaKD take turns every few steps, so that a machine that changes its speed changes both; the median of the
rounds' ratios is what counts. Times are the process's CPU seconds where there is no accelerator, wall-clock otherwise.
"""

import argparse
import copy
import time
from collections.abc import Callable
from itertools import chain, repeat
from statistics import median

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.device import get_device
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS, MODELS
from torch.utils.data import DataLoader


def stopwatch() -> float:
    """Return the time so far, of everything that the device was given to do."""
    if get_device() == 'cpu':
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def take_turns(
    baseline: Callable[[], object], other: Callable[[], object], rounds: int, what: str, name: str = 'MaKD'
) -> None:
    """Print the times of both, and the median and quartiles of the ratio of the other to the baseline."""
    seconds: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for times, work in zip(seconds, (baseline, other)):
            start = stopwatch()
            work()
            if number > 0:  # the first round warms up
                times.append(stopwatch() - start)
        print(f'\r{what}: round {number} of {rounds}', end='', flush=True)
    ratios = sorted(b / a for a, b in zip(*seconds))
    quarter = len(ratios) // 4
    print(
        f'\r{what}: baseline {median(seconds[0]):.3f} s, {name} {median(seconds[1]):.3f} s a round, ratio '
        f'{median(ratios):.3f} (half of {rounds} rounds from {ratios[quarter]:.3f} to {ratios[-1 - quarter]:.3f})'
    )


def training(cfg: Config, steps: int) -> Callable[[], None]:
    """Return the training steps of a config on batches that are loaded already."""
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    size = cfg.train_dataloader.batch_size
    batches = [default_collate([dataset[(i * size + j) % len(dataset)] for j in range(size)]) for i in range(4)]
    cfg.model.data_preprocessor = cfg.data_preprocessor
    model = MODELS.build(cfg.model).to(get_device())
    model.init_weights()
    model.train()
    optimizer = build_optim_wrapper(model, copy.deepcopy(cfg.optim_wrapper))

    def work() -> None:
        for step in range(steps):
            model.train_step(batches[step % len(batches)], optimizer)

    return work


def loading(cfg: Config, steps: int, first_time: bool) -> Callable[[], None]:
    """Return loading batches of a config's training set in this very process, for the first time or again."""
    size = cfg.train_dataloader.batch_size
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    loader = DataLoader(dataset, batch_size=size, collate_fn=default_collate)
    batches = chain.from_iterable(repeat(loader))
    if not first_time:
        for _ in loader:
            pass

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
    parser.add_argument('--steps', type=int, default=5, help='steps, or batches, a round')
    args = parser.parse_args()

    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    configs = [Config.fromfile(path) for path in (args.baseline, args.makd)]
    take_turns(*(training(cfg, args.steps) for cfg in configs), args.rounds, 'training steps')
    for what, first_time in (('loading in the first epoch', True), ('loading in later epochs', False)):
        take_turns(*(loading(cfg, args.steps, first_time) for cfg in configs), args.rounds, what)


if __name__ == '__main__':
    main()
