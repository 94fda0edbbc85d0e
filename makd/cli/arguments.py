"""The command line that mmpretrain's and mmdet's users know."""

import argparse
import os

from mmengine.config import DictAction


def parser(description: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """Return a parser with the arguments that every tool on a config has: config, work dir, launcher, cfg-options."""
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints; default: work_dirs/NAME_OF_CONFIG')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override fields of the config, for example model.head.num_aspects=20 or '
        '"param_scheduler.0.milestones=[60,90]"',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher (default: none)'
    )
    # torch.distributed.launch passes --local-rank, older versions --local_rank.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line and tell mmengine the local rank."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
