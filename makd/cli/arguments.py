"""The command line that users of mmpretrain and mmdet know."""

import argparse
import ast
import os
from collections.abc import Iterable, Sequence
from typing import Any

from mmengine.config import DictAction

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


class OptionsAction(DictAction):
    """mmengine's KEY=VALUE parser, which reports a mistake without a traceback."""

    def __call__(self, parser, namespace, values, option_string=None):
        """Parse the values into a dict."""
        try:
            options = parse_options(values)
        except ValueError as error:
            parser.error(f'{option_string}: {error}')
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest, None) or {}), **options})


def parse_options(options: Iterable[str]) -> dict[str, Any]:
    """Parse KEY=VALUE strings as ``--cfg-options`` does.

    Raises:
        ValueError: One is not of this form, or its brackets do not match.
    """
    parsed = {}
    for option in options:
        key, equals, value = option.partition('=')
        if not key or not equals:
            raise ValueError(f'{option!r} is not of the form KEY=VALUE')
        try:
            parsed[key] = _parse_value(value)
        except (AssertionError, RecursionError) as error:
            raise ValueError(f'{option!r}: its brackets do not match') from error
    return parsed


def _parse_value(text: str) -> Any:
    if text.lstrip()[:1] in tuple('[({"\''):
        try:
            return ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):  # such as [a,b] without quotes
            return DictAction._parse_iterable(text)
    # mmengine removes spaces, also those of a path or of a prompt.
    return DictAction._parse_iterable(text) if ',' in text else DictAction._parse_int_float_bool(text)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        metavar='KEY=VALUE',
        help='override fields of the config, for example randomness.seed=1 or "param_scheduler.milestones=[60,90]"',
    )


def config_parser(
    description: str, epilog: str | None = None, launchers: Sequence[str] = LAUNCHERS
) -> argparse.ArgumentParser:
    """Return a parser with the arguments of every tool that runs a config."""
    parser = argparse.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints; default: work_dirs/FOLDER/CONFIG')
    add_options(parser)
    parser.add_argument('--launcher', choices=launchers, default='none', help='job launcher (default: none)')
    # torch.distributed.launch passes --local-rank, older versions --local_rank.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line and tell mmengine the local rank."""
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args
