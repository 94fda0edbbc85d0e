"""A kill while a checkpoint is being saved costs no more than the epochs since the one before."""

import shutil
import uuid

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS

from makd.engine.runner import Runner
from makd.errors import ConfigError


@DATASETS.register_module()
class Numbers(BaseDataset):
    def load_data_list(self):
        return [dict(number=float(number)) for number in range(4)]


@MODELS.register_module()
class Sum(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, number, sample_idx, mode):
        return {'loss': (self.weight - torch.tensor(number)).square().mean()}


def runner(work_dir, max_epochs=3, **fields):
    cfg = dict(
        model=dict(type='Sum'),
        train_dataloader=dict(
            dataset=dict(type='Numbers'), sampler=dict(type='DefaultSampler', shuffle=False), batch_size=2
        ),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=dict(type='MultiStepLR', milestones=[2]),
        randomness=dict(seed=0),
        work_dir=str(work_dir),
        experiment_name=uuid.uuid4().hex,
        default_scope='mmengine',
        **fields,
    )
    return Runner.from_cfg(Config(cfg))


@pytest.fixture
def work_dir(tmp_path):
    """A finished run of three epochs, all of whose checkpoints are kept."""
    runner(tmp_path / 'run').train()
    return tmp_path / 'run'


def begun_at(run):
    """Train, and return the epoch that the run began with, and its warnings."""
    epochs, warnings = [], []
    call_hook = run.call_hook

    def note_epoch(name, **arguments):
        if name == 'before_train':
            epochs.append(run.epoch)
        call_hook(name, **arguments)

    run.call_hook = note_epoch
    run.logger.warning = warnings.append
    run.train()
    return epochs[0], '\n'.join(warnings)


@pytest.mark.parametrize('content', ['', 'gone/epoch_7.pth'])
def test_without_the_name_of_the_last_checkpoint_the_newest_is_taken(content, work_dir):
    (work_dir / 'epoch_3.pth').unlink()
    (work_dir / 'last_checkpoint').write_text(content)
    epoch, warnings = begun_at(runner(work_dir, resume=True))
    assert epoch == 2
    assert 'epoch_2.pth, the newest checkpoint that is whole' in warnings


def test_a_broken_checkpoint_is_left_out_with_a_warning(work_dir):
    last = work_dir / 'epoch_3.pth'
    last.write_bytes(last.read_bytes()[:-100])
    epoch, warnings = begun_at(runner(work_dir, resume=True))
    assert epoch == 2
    assert "epoch_3.pth' is not a torch checkpoint, or damaged or cut off" in warnings
    torch.load(last, weights_only=False)  # whole again


def test_weights_without_an_optimizer_are_left_out(work_dir):
    torch.save({'state_dict': Sum().state_dict()}, work_dir / 'epoch_4.pth')
    (work_dir / 'last_checkpoint').unlink()
    epoch, warnings = begun_at(runner(work_dir, resume=True))
    assert epoch == 3
    assert 'epoch_4.pth' in warnings


def test_if_no_checkpoint_is_whole_nothing_is_overwritten(work_dir):
    for path in work_dir.glob('*.pth'):
        path.write_bytes(b'')
    with pytest.raises(ConfigError, match=r'(?s)epoch_3\.pth.*is empty.*epoch_1\.pth.*remove these files'):
        runner(work_dir, resume=True).train()
    assert (work_dir / 'epoch_1.pth').stat().st_size == 0


def test_without_any_checkpoint_training_begins_with_a_warning(tmp_path):
    epoch, warnings = begun_at(runner(tmp_path / 'run', resume=True))
    assert epoch == 0
    assert 'to resume from: training begins anew' in warnings


def test_a_moved_work_dir_is_resumed(work_dir, tmp_path):
    moved = shutil.move(work_dir, tmp_path / 'moved')
    (moved / 'epoch_3.pth').unlink()
    assert begun_at(runner(moved, resume=True))[0] == 2


def test_a_checkpoint_appears_only_when_it_is_complete(tmp_path, monkeypatch):
    def write_half(checkpoint, path, **options):
        with open(path, 'wb') as file:
            file.write(b'half')
        raise KeyboardInterrupt

    run = runner(tmp_path / 'run')
    monkeypatch.setattr('mmengine.runner.runner.save_checkpoint', write_half)
    with pytest.raises(KeyboardInterrupt):
        run.train()
    assert not list((tmp_path / 'run').glob('*.pth'))
    assert not list((tmp_path / 'run').glob('.*.tmp'))
