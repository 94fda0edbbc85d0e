"""Turn a trained student into a plain mmpretrain or mmdet checkpoint: no aspects, no teacher, the same scores."""

import argparse
from pathlib import Path

from makd.cli.arguments import add_options
from makd.cli.config import find_config, merge_options, require_checkpoint
from makd.cli.main import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('config', help='config file that the student was trained with')
    p.add_argument('checkpoint', help="the student's checkpoint")
    p.add_argument('out', help='plain checkpoint to write, NAME.pth; its config is written beside it, NAME_config.py')
    add_options(p)
    return p.parse_args()


def main() -> None:
    """Export, and check the class scores of both models on random images."""
    args = parse_args()
    config, checkpoint = find_config(args.config), require_checkpoint(args.checkpoint, 'checkpoint')

    # Imported here, so that --help is answered without waiting for torch.
    import torch
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from mmengine.runner.checkpoint import CheckpointLoader

    from makd.models.export import check_same_scores, plain_config, plain_loader, plain_state_dict
    from makd.models.frozen_teacher import load_strictly
    from makd.registry import MODELS

    cfg = Config.fromfile(config)
    merge_options(cfg, args.cfg_options)
    DefaultScope.get_instance('export', scope_name=cfg.default_scope)
    student = MODELS.build(cfg.model).eval()
    weights = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    load_strictly(student, weights.get('state_dict', weights), checkpoint, config)
    cfg.model = plain_config(cfg.model.to_dict())
    plain = MODELS.build(cfg.model).eval()
    plain.load_state_dict(plain_state_dict(student.state_dict(), plain.state_dict()))

    check_same_scores(student, plain)

    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    # mmdet takes the names of the classes from here.
    meta = {key: value for key, value in weights.get('meta', {}).items() if key == 'dataset_meta'}
    torch.save({'state_dict': plain.state_dict(), 'meta': meta}, out)
    plain_cfg = dict(default_scope=cfg.default_scope, model=cfg.model)
    if cfg.default_scope == 'mmdet':  # and from here what it does with an image
        plain_cfg['test_dataloader'] = plain_loader(cfg.test_dataloader.to_dict())
    if 'data_preprocessor' in cfg:  # a classifier's; a detector's is part of its model
        own = ('type', 'batch_augments')
        plain_cfg['data_preprocessor'] = {k: v for k, v in cfg.data_preprocessor.items() if k not in own}
    config_out = out.with_name(f'{out.stem}_config.py')
    Config(plain_cfg).dump(config_out)
    print(f'{out}: a plain {type(plain).__name__}, the same scores as the student; config {config_out}')


if __name__ == '__main__':
    run(main)
