"""Convert aspect targets from and to the JSON of the paper's authors, and Parquet.

Examples:
    python tools/convert_targets.py from-json answers.json targets/mllm --questions questions.txt \
        --images data/cars --split cars_train
    python tools/convert_targets.py from-json train.json targets/authors --questions questions.txt \
        --images data/authors --split train --annotation-file data/authors/train.txt  # PNGs named LABEL_INDEX_N
    python tools/convert_targets.py to-parquet targets/mllm answers.parquet
    python tools/convert_targets.py to-parquet targets/mllm answers  # a data set of several files
"""

import argparse
from pathlib import Path

from makd.cli.main import run
from makd.files import write_text
from makd.questions import QuestionSet
from makd.targets import AspectTargets, exchange, parquet


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    for name, source, destination, does in (
        ('from-json', 'json', 'folder', "{image stem: [p_1, ..., p_Q]}, as the paper's authors release, to targets"),
        ('to-json', 'folder', 'json', 'targets to {image stem: [p_1, ..., p_Q]} and a text file of questions'),
        ('from-parquet', 'parquet', 'folder', 'Parquet written by to-parquet, a file or a folder of files, to targets'),
        (
            'to-parquet',
            'folder',
            'parquet',
            'targets to Parquet: key, a column for each question, log-probabilities; to one file if its name ends with '
            '.parquet, else to a folder of files of 500,000 images',
        ),
    ):
        command = commands.add_parser(name, help=does, description=does)
        command.add_argument('source', metavar=source.upper(), type=Path)
        command.add_argument('destination', metavar=destination.upper(), type=Path)
        if 'json' in name:
            command.add_argument('--questions', type=Path, required=True, help='text file with one question per line')
        if name == 'from-json':
            command.add_argument(
                '--images', type=Path, required=True, help="the dataset's root, or a text file with one key per line"
            )
            command.add_argument(
                '--split',
                metavar='FOLDER',
                help="folder of the images that the answers are about, such as train, or 'all'; needed if the stems "
                'are numbers, which may occur in each split',
            )
            command.add_argument(
                '--annotation-file',
                metavar='FILE',
                type=Path,
                help="also write a line 'IMAGE LABEL' for each image with answers, for mmpretrain's CustomDataset; the "
                "authors' images are named LABEL_INDEX_N.png",
            )
        command.add_argument('--overwrite', action='store_true', help='replace DESTINATION if it exists')
    return parser.parse_args()


def convert(args: argparse.Namespace) -> str:
    """Convert as the command line says, and return a message for the user."""
    if args.command == 'from-json':
        keys = exchange.list_images(args.images, args.split)
        if args.annotation_file is not None:
            exchange.check_writable(args.annotation_file, args.overwrite)
            label_of = {key: exchange.label_of(key) for key in keys}
        report = exchange.import_json(
            args.source,
            args.destination,
            questions=QuestionSet.from_text(args.questions),
            keys=keys,
            split=args.split,
            meta={'source': args.source.name, **({'split': args.split} if args.split else {})},
            overwrite=args.overwrite,
        )
        if args.annotation_file is None:
            return str(report)
        write_text(args.annotation_file, ''.join(f'{key} {label_of[key]}\n' for key in report.targets.keys))
        return f'{report}\nwrote {args.annotation_file}'
    if args.command == 'from-parquet':
        return f'wrote {parquet.import_parquet(args.source, args.destination, overwrite=args.overwrite)}'
    targets = AspectTargets.open(args.source)
    if args.command == 'to-json':
        exchange.export_json(targets, args.destination, args.questions, overwrite=args.overwrite)
    else:
        parquet.export_parquet(targets, args.destination, overwrite=args.overwrite)
    return f'wrote {args.destination}'


def main() -> None:
    """Convert, and print what was written."""
    print(convert(parse_args()))


if __name__ == '__main__':
    run(main)
