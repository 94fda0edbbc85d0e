"""Each epoch has random numbers of its own, which depend on the seed and on nothing that an interruption changes."""

import random
import uuid

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from torch.utils.data import Dataset

from makd.engine.runner import Runner


@DATASETS.register_module()
class Draws(Dataset):
    """Each item is what the three generators draw."""

    metainfo = {}

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return torch.tensor([random.random(), np.random.rand(), torch.rand(1).item()])  # noqa: NPY002


@MODELS.register_module()
class Recorder(BaseModel):
    """Keep every batch, and what a layer with random numbers, such as dropout, would draw."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.batches, self.layer = [], []

    def forward(self, *inputs, mode):
        self.batches.append(torch.stack(inputs))
        self.layer.append(torch.rand(3))
        return {'loss': self.weight.sum()}


def drawn(tmp_path, resume=False, kill_after=None, train_cfg=None, seed=3, **loader):
    """Train, and return the batches and the draws of the model, (step, ...)."""
    by_epoch = train_cfg is None
    cfg = dict(
        model=dict(type='Recorder'),
        train_dataloader=dict(
            dataset=dict(type='Draws'),
            sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=False),
            batch_size=2,
            **loader,
        ),
        train_cfg=train_cfg or dict(by_epoch=True, max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=by_epoch)),
        randomness=dict(seed=seed),
        work_dir=str(tmp_path),
        experiment_name=uuid.uuid4().hex,
        default_scope='mmengine',
        resume=resume,
    )
    runner = Runner.from_cfg(Config(cfg))
    if kill_after is not None:
        runner.register_hook(Kill(kill_after), 'LOWEST')
        with pytest.raises(InterruptedError):
            runner.train()
    else:
        runner.train()
    runner.train_dataloader._iterator = None  # ends persistent workers; the garbage collector waits 5 s for each
    return torch.stack(runner.model.batches), torch.stack(runner.model.layer)


class Kill(Hook):
    def __init__(self, step):
        self.step = step

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.step:
            raise InterruptedError


WORKERS = [
    dict(num_workers=0),
    dict(num_workers=2, persistent_workers=True),
    dict(num_workers=2, persistent_workers=False),
]


@pytest.mark.parametrize('workers', WORKERS)
def test_no_epoch_repeats_the_numbers_of_another(workers, tmp_path):
    batches, layer = drawn(tmp_path, **workers)
    for numbers in (batches.reshape(-1, 3), layer):
        for column in numbers.T:
            assert len(column.unique()) == len(column)


@pytest.mark.parametrize('workers', WORKERS)
def test_a_resumed_training_draws_what_an_undisturbed_one_draws(workers, tmp_path):
    whole = drawn(tmp_path / 'whole', **workers)
    drawn(tmp_path / 'killed', kill_after=3, **workers)  # within the second epoch of two steps
    resumed = drawn(tmp_path / 'killed', resume=True, **workers)
    for expected, found in zip(whole, resumed):
        assert torch.equal(found, expected[2:])


def test_persistent_and_new_workers_draw_the_same(tmp_path):
    _, persistent, new = (drawn(tmp_path / str(index), **workers)[0] for index, workers in enumerate(WORKERS))
    assert torch.equal(persistent, new)


def test_the_first_epoch_has_the_seed_of_mmengine(tmp_path):
    (batches, _), (other, _) = (drawn(tmp_path / str(seed), seed=seed, num_workers=0) for seed in (3, 4))
    random.seed(3)
    assert batches[0, 0, 0] == torch.tensor(random.random())
    assert not torch.equal(batches, other)


def test_iterations_that_are_resumed_do_not_repeat_the_beginning(tmp_path):
    by_iteration = dict(by_epoch=False, max_iters=6)
    drawn(tmp_path, kill_after=3, train_cfg=by_iteration, num_workers=0)
    begun = drawn(tmp_path / 'whole', train_cfg=by_iteration, num_workers=0)[0]
    resumed = drawn(tmp_path, resume=True, train_cfg=by_iteration, num_workers=0)[0]
    assert len(resumed) == 3
    assert not np.intersect1d(resumed.numpy(), begun.numpy()).size
