"""Ask an annotator about every image of a dataset, and write the answers as a targets folder."""

import argparse
import signal
import sys

from makd.cli.arguments import LAUNCHERS, config_parser, parse
from makd.cli.main import run
from makd.cli.runner import build_runner
from makd.config import load_config
from makd.errors import ConfigError

FAILED = 3
EXAMPLES = f"""examples:
  python tools/annotate.py configs/annotate/internvl2_8b_emoji.py
  python tools/annotate.py CONFIG --limit 20             a trial on 20 images, in a folder of its own
  python tools/annotate.py CONFIG --estimate             what all images will take, from three of them
  python tools/annotate.py CONFIG --cfg-options dataloader.batch_size=4 writer.out_dir=data/emoji/aspects/x
  bash tools/dist_annotate.sh CONFIG 8                   on 8 GPUs; with NNODES, on several machines
  python tools/annotate.py CONFIG --launcher ray         on whatever is in the Ray cluster, also what joins later

To resume an interrupted run, give the same command again, on any number of GPUs. Images without answers are listed in
failed.jsonl of the folder; the same command retries only those.

exit status: 0 all images have answers; {FAILED} some answers are missing (1 under torchrun); 1 an error"""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = config_parser(__doc__, EXAMPLES, launchers=(*LAUNCHERS, 'ray'))
    p.add_argument(
        '--resume',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='continue what an earlier run left behind; --no-resume discards it, and replaces a finished folder',
    )
    p.add_argument(
        '--limit', type=int, metavar='N', help='a trial: N images from all over the dataset, to OUT_DIR.trial-N'
    )
    p.add_argument(
        '--estimate',
        action='store_true',
        help='ask about three images, say what the whole dataset will take in tokens, dollars and time, and stop',
    )
    return parse(p)


def main() -> None:
    """Build the runner from the config and annotate."""
    args = parse_args()
    cfg = load_config(
        args.config,
        args.cfg_options,
        loaders=('dataloader',),
        work_dir=args.work_dir,
        launcher='none' if args.launcher == 'ray' else args.launcher,
    )
    if args.launcher == 'ray':
        cfg.runner_type = 'makd.RayAnnotationRunner'
    for key in ('runner_type', 'model', 'dataloader', 'writer'):
        if key not in cfg:
            raise ConfigError(f'{args.config} has no {key}: an annotation config inherits configs/_base_/annotate.py.')
    if not cfg.writer.get('out_dir'):
        raise ConfigError(f'{args.config} does not set writer.out_dir, the targets folder to write.')
    cfg.writer.resume = args.resume
    if args.limit is not None:
        if args.limit < 1:
            raise ConfigError(f'--limit {args.limit}: a trial needs at least one image.')
        cfg.dataloader.dataset.limit = args.limit
        cfg.writer.out_dir += f'.trial-{args.limit}'

    # As Ctrl-C does: torchrun and Slurm end the other ranks so, and their answers may have been paid for.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runner = build_runner(cfg)
    if args.estimate:
        runner.logger.info(runner.estimate())
    elif runner.annotate()['failed']:
        sys.exit(FAILED)


if __name__ == '__main__':
    run(main)
