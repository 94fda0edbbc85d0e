"""Test a checkpoint on the test set of its config."""

import argparse
from pathlib import Path

from mmengine.config import Config

from makd.cli.arguments import config_parser, parse
from makd.cli.main import run
from makd.cli.runner import build_runner
from makd.config import load_config, require_checkpoint, require_fields
from makd.errors import ConfigError
from makd.files import atomic_path

EXAMPLES = """examples:
  python tools/test.py configs/makd/resnet18_emoji.py work_dirs/makd/resnet18_emoji/epoch_40.pth
  python tools/test.py CONFIG CHECKPOINT --out metrics.json --out-item metrics
  python tools/test.py CONFIG CHECKPOINT --show-dir pictures"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = config_parser('Test a checkpoint on the test set of its config.', EXAMPLES)
    p.add_argument('checkpoint', help='checkpoint file')
    p.add_argument('--out', metavar='FILE', help='write the predictions (.pkl) or metrics (.json) to this file')
    p.add_argument('--out-item', choices=['pred', 'metrics'], help='what --out writes (default: pred)')
    p.add_argument('--show-dir', metavar='DIR', help='write each image with its prediction to this folder')
    p.add_argument(
        '--map-classes',
        action='store_true',
        help="match the dataset's classes to the checkpoint's by name: it may have only some of them, in any order",
    )
    p.add_argument('--amp', action='store_true', help='test with automatic mixed precision')
    return parse(p)


def main() -> None:
    """Build the runner from the config and test."""
    args = parse_args()
    if args.out_item and not args.out:
        raise ConfigError('--out-item: name the file to write with --out FILE.')
    if args.out:
        suffixes = ('.json', '.yaml', '.pkl') if args.out_item == 'metrics' else ('.pkl', '.pickle')
        if not args.out.endswith(suffixes):
            what = args.out_item or 'pred'
            raise ConfigError(f'--out {args.out}: --out-item {what} is written to a file that ends in {suffixes[0]}.')
    loaders = ('test_dataloader',)
    cfg = load_config(args.config, args.cfg_options, loaders=loaders, work_dir=args.work_dir, launcher=args.launcher)
    require_fields(cfg, args.config, 'model', 'test_dataloader', 'test_evaluator')
    cfg.load_from, cfg.resume = require_checkpoint(args.checkpoint, 'checkpoint'), False
    if args.amp:
        cfg.test_cfg = {**(cfg.get('test_cfg') or {}), 'fp16': True}
    if args.map_classes:
        add_hook(cfg, 'identity', dict(type='makd.IdentityHook', map_classes=True))
    if args.show_dir:
        draw(cfg, args.show_dir)

    # Imported here, so that --help is answered without waiting for torch.
    import mmengine
    from mmengine.evaluator import DumpResults

    runner = build_runner(cfg)
    if args.out and args.out_item != 'metrics':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    metrics = runner.test()
    if args.out and args.out_item == 'metrics':
        with atomic_path(Path(args.out)) as temporary:
            mmengine.dump(metrics, temporary, file_format=Path(args.out).suffix[1:])


def draw(cfg: Config, show_dir: str) -> None:
    """Make the run draw every image with its prediction, by the hook of the config's library."""
    if cfg.get('default_scope') == 'mmdet':
        hook = dict(type='DetVisualizationHook', draw=True, interval=1, test_out_dir=show_dir)
    else:
        hook = dict(type='makd.PredictionPicturesHook', out_dir=show_dir)
        cfg.visualizer = cfg.get('visualizer') or dict(type='UniversalVisualizer')
    add_hook(cfg, 'visualization', hook)


def add_hook(cfg: Config, name: str, hook: dict) -> None:
    """Add one of the default hooks, or replace it."""
    cfg.default_hooks = {**(cfg.get('default_hooks') or {}), name: hook}


if __name__ == '__main__':
    run(main)
