"""Train a classifier or a detector from a config."""

import argparse

from makd.cli.arguments import config_parser, parse
from makd.cli.config import load_config, require_checkpoint
from makd.cli.main import run
from makd.cli.runner import build_runner
from makd.errors import ConfigError

EXAMPLES = """examples:
  python tools/train.py configs/makd/resnet18_emoji.py
  python tools/train.py configs/makd/resnet18_emoji.py --resume
  python tools/train.py configs/makd/resnet18_emoji.py --cfg-options randomness.seed=1 train_cfg.max_epochs=10
  bash tools/dist_train.sh configs/makd/resnet18_emoji.py 8 --amp"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = config_parser('Train a classifier or a detector from a config.', EXAMPLES)
    p.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='resume from this checkpoint, or from the latest one in the work dir',
    )
    p.add_argument('--amp', action='store_true', help='train with automatic mixed precision (needs an accelerator)')
    p.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    p.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the real batch size over auto_scale_lr.base_batch_size',
    )
    return parse(p)


def main() -> None:
    """Build the runner from the config and train."""
    args = parse_args()
    loaders = ('train_dataloader',) if args.no_validate else ('train_dataloader', 'val_dataloader')
    cfg = load_config(args, loaders)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else require_checkpoint(args.resume, '--resume')
    elif cfg.get('load_from'):
        require_checkpoint(cfg.load_from, 'load_from')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ConfigError(f'--auto-scale-lr: {args.config} has no auto_scale_lr.base_batch_size to scale from.')
        cfg.auto_scale_lr.enable = True

    if args.amp:
        from mmengine.device import get_device  # torch: not for --help

        if get_device() == 'cpu':
            raise ConfigError('--amp: mixed precision needs an accelerator, and mmengine sees none. Leave --amp out.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    build_runner(cfg).train()


if __name__ == '__main__':
    run(main)
