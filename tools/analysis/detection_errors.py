"""Show which kinds of error cost detectors how much AP50 (TIDE, Bolya et al. 2020), with paired differences."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # tools/experiments

from makd.cli.main import run
from makd.errors import ConfigError, DataError

EXAMPLES = """examples:
  python tools/test.py CONFIG CHECKPOINT --cfg-options test_evaluator.outfile_prefix=work_dirs/errors/baseline_0
  python tools/analysis/detection_errors.py data/coco/annotations/instances_val2017.json \\
      baseline=work_dirs/errors/baseline_0.bbox.json makd=work_dirs/errors/makd_0.bbox.json
  python tools/analysis/detection_errors.py ANNOTATIONS baseline=a0.bbox.json,a1.bbox.json \\
      makd=b0.bbox.json,b1.bbox.json

Each detector has the files of one or more seeds, in the same order for all. The figures are by how much AP50 would be
higher if there were no errors of this kind, and the number of errors; the differences are to the first detector, paired
by seed, with their 95 % confidence interval."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('annotations', type=Path, help="file in COCO's format")
    p.add_argument('detectors', nargs='+', metavar='NAME=FILE,FILE', help="results in COCO's format, one file a seed")
    p.add_argument(
        '--out', type=Path, help='file of the figure (default: work_dirs/analysis/detection_errors.png, .svg)'
    )
    return p.parse_args()


def main() -> None:
    """Read the results, print the table and draw the figure."""
    args = parse_args()
    files = dict(detector(argument) for argument in args.detectors)
    (first, number), *others = ((name, len(paths)) for name, paths in files.items())
    for name, count in others:
        if count != number:
            raise ConfigError(f'{name} has {count} files and {first} {number}: give one for each seed.')

    # Imported here, so that --help is answered at once.
    from experiments.summary import mean_and_spread, paired_difference, show_difference, show_mean
    from makd.analysis.detection_errors import KINDS, WHOLE, detection_errors
    from makd.analysis.figures.errors import draw_errors
    from makd.analysis.figures.output import figure_paths, save_figure
    from makd.cli.markdown_table import markdown_table

    out = figure_paths(args.out, 'detection_errors')
    annotations = read(args.annotations)
    errors = {name: [detection_errors(annotations, read(path)) for path in paths] for name, paths in files.items()}
    of_kind = {
        'AP50': {name: [seed.ap50 for seed in seeds] for name, seeds in errors.items()},
        **{
            kind: {name: [seed.gains[kind] for seed in seeds] for name, seeds in errors.items()}
            for kind in (*KINDS, *WHOLE)
        },
    }
    header = ['', *errors, *(f'{name} - {first}' for name, _ in others)]
    body = [
        [
            kind,
            *(show_mean(mean_and_spread(values)) for values in by_name.values()),
            *(show_difference(paired_difference(by_name[name], by_name[first])) for name, _ in others),
        ]
        for kind, by_name in of_kind.items()
    ]
    title = 'AP50, and by how much it would be higher without errors of a kind, in percent'
    print(f'{title}:\n\n{markdown_table(header, body)}')
    counts = [
        [kind, *(f'{sum(seed.counts[kind] for seed in seeds) / number:,.0f}' for seeds in errors.values())]
        for kind in KINDS
    ]
    print(f'\nNumber of errors, the mean over seeds:\n\n{markdown_table(["", *errors], counts)}\n')
    save_figure(draw_errors({kind: of_kind[kind] for kind in KINDS}), out)


def detector(argument: str) -> tuple[str, list[Path]]:
    """Return the name of a detector and its files."""
    name, separator, files = argument.partition('=')
    if not (name and separator and files):
        raise ConfigError(f'{argument!r}: give NAME=FILE, or NAME=FILE,FILE for several seeds.')
    return name, [Path(file) for file in files.split(',')]


def read(path: Path) -> Any:
    """Return the content of a JSON file."""
    if not path.is_file():
        raise DataError(f'The data are not there: {path} is no file.')
    try:
        return json.loads(path.read_text('utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'{path} cannot be read as JSON ({error})') from None


if __name__ == '__main__':
    run(main)
