"""Turn a trained student into a plain mmpretrain checkpoint: without aspects, without teacher, with the same scores."""

import argparse
from pathlib import Path

from makd.cli.config import find_config, require_checkpoint
from makd.cli.main import run


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('config', help='config file that the student was trained with')
    p.add_argument('checkpoint', help="the student's checkpoint")
    p.add_argument('out', help='plain checkpoint to write (.pth); its config is written beside it (.py)')
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

    cfg = Config.fromfile(config)
    DefaultScope.get_instance('export', scope_name='mmpretrain')
    student = MODELS.build(cfg.model).eval()
    student.load_state_dict(CheckpointLoader.load_checkpoint(checkpoint, map_location='cpu')['state_dict'])
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
    only_model = Config(dict(model=cfg.model, data_preprocessor=cfg.get('data_preprocessor', {})))
    only_model.dump(out.with_suffix('.py'))
    print(f'{out}: {scores.shape[1]} classes, the same scores as the student; config {out.with_suffix(".py")}')


if __name__ == '__main__':
    run(main)
