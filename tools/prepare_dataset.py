"""Builds a data set from its published sources.

emoji: rebuilds data/emoji, which ships with makd, and says whether it is bit for bit the same; it needs
`pip install -r requirements/data.txt`, and npm and pip to fetch the packages.
emoji_scenes: composes scenes for detection from data/emoji; needs nothing else.
oxford_pets, dtd, flowers102, cub200, fgvc_aircraft, caltech101, coco: fetched from their makers (coco: 19 GB), verified
and laid out; an interrupted download goes on where it was.
stanford_cars, imagenet, mini_imagenet: you fetch the archives, for the reason that the command says; it verifies them
and lays them out.
"""

import argparse
import sys
from pathlib import Path

from dataset_converters import PREPARED, preparer

from makd.cli.main import run
from makd.errors import DataError

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / 'data'
sys.path.append(str(ROOT))  # projects/emoji_data


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', help=f'data set: {", ".join(PREPARED)}')
    parser.add_argument('--out', type=Path, help='folder to build (default: data/NAME in this repository)')
    parser.add_argument(
        '--packages', type=Path, metavar='DIR', help='folder of downloaded archives, instead of fetching'
    )
    return parser.parse_args()


def main() -> None:
    """Builds the data set that the command line names."""
    args = parse_args()
    if args.name not in PREPARED:
        raise DataError(f'unknown data set "{args.name}": choose one of {", ".join(PREPARED)}')
    preparer(args.name).prepare(args.out or DATA / args.name, args.packages, DATA / args.name)


if __name__ == '__main__':
    run(main)
