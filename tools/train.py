"""Train a classifier or a detector from a config."""

import argparse
from importlib.util import find_spec
from pathlib import Path

from mmengine.config import Config

from makd.cli.arguments import config_parser, parse
from makd.cli.main import run
from makd.cli.runner import build_runner, training_in
from makd.config import load_config, require_checkpoint, require_fields
from makd.errors import ConfigError
from makd.work_dir import saved_checkpoints

EXAMPLES = """examples:
  python tools/train.py configs/makd/resnet18_emoji.py
  python tools/train.py configs/makd/resnet18_emoji.py --resume
  python tools/train.py configs/makd/resnet18_emoji.py --cfg-options randomness.seed=1 train_cfg.max_epochs=10
  python tools/train.py configs/makd/resnet18_emoji.py --log-to tensorboard
  bash tools/dist_train.sh configs/makd/resnet18_emoji.py 8 --amp

The work dir holds checkpoints, and for each start a folder TIMESTAMP/ with the log, the curves (vis_data/scalars.json,
for tools/analyze_log.py), the whole config (vis_data/config.py) and everything else that is needed to repeat the run
(run.json)."""


# mmengine's backend, with its arguments, for each choice of --log-to.
BACKENDS = {
    'tensorboard': dict(type='TensorboardVisBackend'),
    'wandb': dict(type='WandbVisBackend', init_kwargs=dict(project='makd')),
}


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
    p.add_argument(
        '--log-to',
        nargs='+',
        choices=BACKENDS,
        default=[],
        help='send the curves to TensorBoard (`tensorboard --logdir work_dirs`) or Weights & Biases as well',
    )
    return parse(p)


def main() -> None:
    """Build the runner from the config and train."""
    args = parse_args()
    loaders = ('train_dataloader',) if args.no_validate else ('train_dataloader', 'val_dataloader')
    cfg = load_config(args.config, args.cfg_options, loaders=loaders, work_dir=args.work_dir, launcher=args.launcher)
    require_fields(cfg, args.config, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    begins = args.resume == 'auto' and cfg.get('load_from') and not saved_checkpoints(Path(cfg.work_dir))
    if args.resume is not None and not begins:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else require_checkpoint(args.resume, '--resume')
    elif cfg.get('load_from'):
        require_checkpoint(cfg.load_from, 'load_from')
    if args.auto_scale_lr:
        if 'base_batch_size' not in cfg.get('auto_scale_lr', {}):
            raise ConfigError(f'--auto-scale-lr: {args.config} has no auto_scale_lr.base_batch_size to scale from.')
        cfg.auto_scale_lr.enable = True

    if args.log_to:
        send_curves(cfg, args.log_to)
    if args.amp:
        from mmengine.device import get_device  # torch: not for --help

        if get_device() == 'cpu':
            raise ConfigError('--amp: mixed precision needs an accelerator, and mmengine sees none. Leave --amp out.')
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    with training_in(cfg):
        build_runner(cfg).train()


def send_curves(cfg: Config, names: list[str]) -> None:
    """Add backends to the config's visualizer; raise a ConfigError for one that is not installed."""
    for name in names:
        if find_spec(name) is None:
            raise ConfigError(f'--log-to {name}: the package {name} is not installed. pip install {name}')
    backend = {name: dict(BACKENDS[name]) for name in names}
    if 'wandb' in backend:  # name the run after its folder
        backend['wandb']['init_kwargs'] = {**backend['wandb']['init_kwargs'], 'name': cfg.work_dir}
    if not cfg.get('visualizer'):
        raise ConfigError(f'--log-to {" ".join(names)}: the config has no visualizer to send curves through.')
    cfg.visualizer.vis_backends = [*cfg.visualizer.vis_backends, *backend.values()]


if __name__ == '__main__':
    run(main)
