"""Turn a trained student into a plain mmpretrain checkpoint: without aspects, without teacher, with the same scores."""

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
    from mmpretrain.registry import MODELS

    from makd.models.export import plain_config, plain_state_dict
    from makd.models.frozen_teacher import load_strictly

    cfg = Config.fromfile(config)
    merge_options(cfg, args.cfg_options)
    DefaultScope.get_instance('export', scope_name='mmpretrain')
    student = MODELS.build(cfg.model).eval()
    weights = CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')
    load_strictly(student, weights.get('state_dict', weights), checkpoint, config)
    cfg.model = plain_config(cfg.model.to_dict())
    plain = MODELS.build(cfg.model).eval()
    plain.load_state_dict(plain_state_dict(student.state_dict(), plain.state_dict()))

    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        scores = plain(images, mode='tensor')
        torch.testing.assert_close(scores, student(images, mode='tensor')[:, : scores.shape[1]])

    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': plain.state_dict()}, out)
    preprocessor = {k: v for k, v in cfg.get('data_preprocessor', {}).items() if k not in ('type', 'batch_augments')}
    plain_cfg = dict(default_scope='mmpretrain', data_preprocessor=preprocessor, model=cfg.model)
    config_out = out.with_name(f'{out.stem}_config.py')
    Config(plain_cfg).dump(config_out)
    print(f'{out}: {scores.shape[1]} classes, the same scores as the student; config {config_out}')


if __name__ == '__main__':
    run(main)
