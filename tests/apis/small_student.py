"""A small, untrained student of the emoji in the repository, as a config and a checkpoint."""

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from makd.registry import MODELS


def small_student(root, folder, name='makd/resnet18_emoji', **overrides):
    """Write CONFIG and CHECKPOINT into a folder and return their paths; data paths are below the repository's root."""
    cfg = Config.fromfile(root / 'configs' / f'{name}.py')
    cfg.merge_from_dict(
        {
            'model.backbone.base_channels': 8,
            'model.backbone.stem_channels': 8,
            'model.head.in_channels': 64,
            **overrides,
        }
    )
    config, checkpoint = folder / 'student.py', folder / 'student.pth'
    cfg.dump(config)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
        # Without this, an untrained student would answer almost the same about every image.
        for parameter in model.head.parameters():
            torch.nn.init.normal_(parameter, std=0.5)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.1)
        classes = DATASETS.build(cfg.test_dataloader.dataset).metainfo['classes']
    torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=dict(classes=classes))), checkpoint)
    return config, checkpoint
