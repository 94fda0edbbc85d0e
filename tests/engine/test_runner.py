"""The Runner refuses weights that do not belong to its model, in a test, a training and a resumed training."""

import uuid

import pytest
import torch
from mmengine.config import Config

from makd.engine.runner import Runner
from makd.errors import ConfigError
from makd.models.load_student import load_student

BASELINE, MAKD = 'configs/baseline/resnet18_emoji.py', 'configs/makd/resnet18_emoji.py'


def small_config(path, work_dir, **fields):
    """Return the config of one epoch with 16 images, and of an epoch's test."""
    cfg = Config.fromfile(path)
    cfg.merge_from_dict({'model.backbone.base_channels': 4, 'model.backbone.stem_channels': 4})
    cfg.model.head.in_channels = 32
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, collate_fn=dict(type='default_collate'), batch_size=8)
        loader.dataset.indices = 16
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_cfg.max_epochs = 1
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = uuid.uuid4().hex  # mmengine keeps one logger and scope per name
    cfg.merge_from_dict(fields)
    return cfg


@pytest.fixture(scope='module')
def trained(tmp_path_factory, pytestconfig):
    """Return the paths of checkpoints of a plain classifier and of a MaKD student, trained for one epoch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pytestconfig.rootpath)
        work_dirs = {path: tmp_path_factory.mktemp('run') for path in (BASELINE, MAKD)}
        for path, work_dir in work_dirs.items():
            Runner.from_cfg(small_config(path, work_dir)).train()
    return {path: work_dir / 'epoch_1.pth' for path, work_dir in work_dirs.items()}


@pytest.fixture
def changed(trained, tmp_path):
    """Return a function that writes the plain classifier's checkpoint after a change, and returns its path."""

    def write(change):
        checkpoint = torch.load(trained[BASELINE], weights_only=False)
        torch.save(change(checkpoint) or checkpoint, tmp_path / 'changed.pth')
        return str(tmp_path / 'changed.pth')

    return write


def rename_backbone(checkpoint):
    checkpoint['state_dict'] = {k.replace('backbone.', 'net.'): v for k, v in checkpoint['state_dict'].items()}


def other_key(checkpoint):
    return {'model': checkpoint['state_dict']}


def evaluate(path, checkpoint, work_dir):
    Runner.from_cfg(small_config(path, work_dir, load_from=str(checkpoint))).test()


def fine_tune(path, checkpoint, work_dir):
    runner = Runner.from_cfg(small_config(path, work_dir, load_from=str(checkpoint)))
    runner.train()
    return runner


def resume(path, checkpoint, work_dir, **fields):
    Runner.from_cfg(small_config(path, work_dir, load_from=str(checkpoint), resume=True, **fields)).train()


@pytest.mark.slow
@pytest.mark.parametrize('use', [evaluate, fine_tune, resume])
def test_renamed_weights_are_refused(use, changed, tmp_path):
    with pytest.raises(ConfigError, match=r"(?s)changed\.pth.*begin with 'net\.', in the model they begin with 'back"):
        use(BASELINE, changed(rename_backbone), tmp_path / 'run')
    with pytest.raises(ConfigError, match=r"changed\.pth.*has no 'state_dict'"):
        use(BASELINE, changed(other_key), tmp_path / 'run')
    assert not list((tmp_path / 'run').glob('*.pth'))


@pytest.mark.slow
@pytest.mark.parametrize('use', [evaluate, resume])
def test_the_other_kind_of_model_is_refused(use, trained, tmp_path):
    with pytest.raises(ConfigError, match=r'(?s)epoch_1\.pth.*of a MaKD student with 66 questions'):
        use(BASELINE, trained[MAKD], tmp_path)
    with pytest.raises(ConfigError, match=r'(?s)epoch_1\.pth.*of a plain model with \d+ outputs for classes'):
        use(MAKD, trained[BASELINE], tmp_path)


@pytest.mark.slow
def test_the_message_names_option_and_config(trained, tmp_path):
    with pytest.raises(ConfigError, match=r'^checkpoint: .*does not fit the config configs/makd/resnet18_emoji'):
        evaluate(MAKD, trained[BASELINE], tmp_path)
    with pytest.raises(ConfigError, match=r'^--resume: .*does not fit the config configs/makd/resnet18_emoji'):
        resume(MAKD, trained[BASELINE], tmp_path)


@pytest.mark.slow
def test_fine_tuning_names_what_it_did_not_load(trained, tmp_path):
    runner = fine_tune(MAKD, trained[BASELINE], tmp_path)
    log = (tmp_path / runner.timestamp / f'{runner.timestamp}.log').read_text()
    assert 'load_from: not everything in' in log
    assert 'of another shape: head.fc.weight (849, 32), in the model (915, 32)' in log


@pytest.mark.slow
def test_weights_alone_cannot_be_resumed(changed, tmp_path):
    def without_optimizer(checkpoint):
        return {'state_dict': checkpoint['state_dict']}

    with pytest.raises(ConfigError, match=r'changed\.pth.* no message_hub, optimizer, meta\.epoch, meta\.iter'):
        resume(BASELINE, changed(without_optimizer), tmp_path)


@pytest.mark.slow
def test_a_config_in_a_checkpoint_is_not_run(changed, tmp_path):
    ran = tmp_path / 'ran'

    def add_config(checkpoint):
        checkpoint['meta']['config'] = f'open({str(ran)!r}, "w").close()'

    resume(BASELINE, changed(add_config), tmp_path / 'run')
    assert not ran.exists()


@pytest.mark.slow
def test_a_test_loads_all_weights(trained, tmp_path):
    cfg = small_config(BASELINE, tmp_path, load_from=str(trained[BASELINE]))
    runner = Runner.from_cfg(cfg)
    runner.test()
    student, _ = load_student(cfg, BASELINE, str(trained[BASELINE]))
    for key, value in student.state_dict().items():
        assert torch.equal(runner.model.state_dict()[key].cpu(), value), key


@pytest.mark.slow
@pytest.mark.parametrize(
    ('field', 'value', 'message'),
    [
        (
            'optim_wrapper.optimizer.lr',
            0.5,
            r'optim_wrapper\.optimizer\.lr: 0\.05 in the checkpoint, 0\.5 in the config',
        ),
        (
            'param_scheduler.milestones',
            [1],
            r'param_scheduler\.milestones: \[25, 30, 35\] in the checkpoint, \[1\] in the',
        ),
        ('train_cfg.max_epochs', 2, r'train_cfg\.max_epochs: 1 in the checkpoint, 2 in the config'),
    ],
)
def test_a_resumed_training_has_the_schedule_of_its_config(field, value, message, trained, tmp_path):
    with pytest.raises(ConfigError, match=rf'(?s)^--resume: .*epoch_1\.pth.*{message}.*load_from=PATH'):
        resume(BASELINE, trained[BASELINE], tmp_path, **{field: value})


@pytest.mark.slow
def test_what_a_resumed_training_takes_from_its_config_may_change(trained, tmp_path):
    fields = {'train_cfg.val_interval': 3, 'optim_wrapper.clip_grad': dict(max_norm=1.0)}
    resume(BASELINE, trained[BASELINE], tmp_path, **fields)
