"""Small whole runs: a resumed run ends with the weights of one that was never stopped; two ranks train as one."""

import uuid
from contextlib import nullcontext

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from makd.engine.runner import Runner

TINY = dict(depth=18, base_channels=4, stem_channels=4)


class KilledError(Exception):
    """Stands for a killed process."""


class KillHook(Hook):
    """Stop the run after an epoch, once its checkpoint is written."""

    priority = 'LOWEST'

    def __init__(self, epoch):
        self.epoch = epoch

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epoch:
            raise KilledError


def small_run(path, work_dir):
    """Return a small config of four epochs."""
    cfg = Config.fromfile(path)
    cfg.work_dir = str(work_dir)
    cfg.model.backbone.update(TINY)
    cfg.model.head.in_channels = 32
    if 'teacher' in cfg.model:
        teacher = Config.fromfile(cfg.model.teacher).model.to_dict()
        teacher['backbone'].update(TINY)
        teacher['head']['in_channels'] = 32
        cfg.model.update(teacher=teacher, teacher_init='random', teacher_checkpoint=None)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, collate_fn=dict(type='default_collate'))
        loader.dataset.indices = 48
    cfg.train_cfg.update(max_epochs=4, val_interval=2)
    cfg.param_scheduler.milestones = [3]
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    return cfg


def train(cfg, kill_after=None):
    cfg.experiment_name = uuid.uuid4().hex  # mmengine keeps one logger and scope per name
    runner = Runner.from_cfg(cfg)
    if kill_after is not None:
        runner.register_hook(KillHook(kill_after))
    with pytest.raises(KilledError) if kill_after is not None else nullcontext():
        runner.train()
    runner.train_dataloader._iterator = None  # ends persistent workers; the garbage collector waits 5 s for each
    return {key: value.clone() for key, value in runner.model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'workers'),
    [
        ('makd_dkd/resnet34_resnet18_emoji', dict(num_workers=0)),
        ('ablation/resnet18_emoji_shuffled', dict(num_workers=2, persistent_workers=True)),
        ('ablation/resnet18_emoji_shuffled', dict(num_workers=2, persistent_workers=False)),
    ],
)
def test_resuming_gives_the_weights_of_a_run_that_was_never_stopped(name, workers, tmp_path):
    def config(folder, **fields):
        cfg = small_run(f'configs/{name}.py', tmp_path / folder)
        cfg.train_dataloader.update(workers)
        cfg.update(fields)
        return cfg

    whole = train(config('whole'))
    train(config('killed'), kill_after=1)  # within DKD's warm-up
    assert (tmp_path / 'killed' / 'epoch_1.pth').exists()
    assert not (tmp_path / 'killed' / 'epoch_2.pth').exists()
    train(config('killed', resume=True), kill_after=3)
    resumed = train(config('killed', resume=True))
    assert whole.keys() == resumed.keys()
    for key, value in whole.items():
        assert torch.equal(value, resumed[key]), key

    checkpoint = torch.load(tmp_path / 'killed' / 'epoch_4.pth', weights_only=False)
    plain = small_run('configs/baseline/resnet18_emoji.py', tmp_path)
    init_default_scope('mmpretrain')
    assert checkpoint['state_dict'].keys() == MODELS.build(plain.model).state_dict().keys()


@pytest.mark.gloo
def test_two_gloo_ranks_train_as_one_process(tmp_path, python):
    """DDP works without find_unused_parameters, and averages what one process computes on both halves."""
    cfg = small_run('configs/makd_dkd/resnet34_resnet18_emoji.py', tmp_path)
    cfg.dump(tmp_path / 'config.py')
    step = ['tests/one_step.py', str(tmp_path / 'config.py'), str(tmp_path)]
    for launcher in ((), ('-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2')):
        done = python(*launcher, *step)
        assert done.returncode == 0, done.stderr
    whole, *ranks = (torch.load(tmp_path / f'weights_{name}.pth') for name in ('1_0', '2_0', '2_1'))
    for weights in ranks:
        assert weights.keys() == whole.keys()
        for key, value in whole.items():
            assert torch.equal(weights[key], ranks[0][key]), key
            torch.testing.assert_close(weights[key], value, rtol=1e-3, atol=1e-5)
