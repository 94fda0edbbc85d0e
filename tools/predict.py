"""Predict the classes of images with a trained student, with the aspects that speak for them."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from makd import images
from makd.cli.arguments import add_options
from makd.cli.main import run
from makd.config import find_config, load_config, require_checkpoint
from makd.errors import ConfigError, DataError
from makd.files import atomic_file

if TYPE_CHECKING:
    import numpy as np

    from makd.apis import AspectInferencer

LISTED = 10  # images that could not be read
EXAMPLES = """examples:
  python tools/predict.py dog.jpg CONFIG CHECKPOINT
  python tools/predict.py data/emoji/images/twemoji/food-fruit configs/makd/resnet18_emoji.py \\
      work_dirs/makd/resnet18_emoji/epoch_40.pth --show-dir work_dirs/shown
  python tools/predict.py images more_images CONFIG CHECKPOINT --json predictions.json
  python tools/predict.py dog.jpg CONFIG CHECKPOINT --json - | jq .

Aspects are sorted by the evidence, in bits, that the student's answer gives for the predicted class: how much better
the answer fits the annotator's answers about the training images of this class than about all of them. It is computed
from the config's training set; without that, aspects are sorted by how certain they are.

--json writes a list with one image per line: image, pred_label, pred_class, pred_score, classes (label, class, score),
aspects (id, question, probability, average, evidence); or image and error. Without --json, images that cannot be read
are left out and named at the end, with exit status 1."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('images', nargs='+', metavar='IMAGE', help='image files, URLs, or folders with images at any depth')
    p.add_argument('config', metavar='CONFIG', help='config file that the student was trained with')
    p.add_argument('checkpoint', metavar='CHECKPOINT', help="the student's checkpoint")
    p.add_argument('--top', type=int, default=5, metavar='K', help='how many classes (default: %(default)s)')
    p.add_argument('--aspects', type=int, default=5, metavar='K', help='how many aspects (default: %(default)s)')
    p.add_argument('--json', metavar='FILE', help='write JSON instead of text; - is the standard output')
    p.add_argument(
        '--show-dir', type=Path, metavar='DIR', help='draw each image with its prediction instead of printing text'
    )
    p.add_argument('--device', help='cpu, cuda, cuda:1, ... (default: an accelerator, if there is one)')
    p.add_argument('--batch-size', type=int, default=32, metavar='N', help='images at a time (default: %(default)s)')
    add_options(p)
    return p.parse_intermixed_args()


def main() -> None:
    """Find the images, load the student, and predict batch by batch."""
    args = parse_args()
    for option, value in (('--top', args.top), ('--aspects', args.aspects), ('--batch-size', args.batch_size)):
        if value < 1:
            raise ConfigError(f'{option} {value}: give 1 or more.')
    if not args.config.endswith('.py'):
        raise ConfigError(f'CONFIG {args.config!r} is not a .py file. The order is IMAGE... CONFIG CHECKPOINT.')
    config, checkpoint = find_config(args.config), require_checkpoint(args.checkpoint, 'CHECKPOINT')
    paths = find_images(args.images)

    with redirect_stdout(sys.stderr):  # mmpretrain prints, and the standard output may be JSON
        # Imported here, so that --help is answered without waiting for torch.
        from mmpretrain.utils import progress
        from tqdm import tqdm

        from makd.apis import AspectInferencer

        progress.disable_progress_bar = True  # mmpretrain's has one bar per batch
        warnings.filterwarnings('ignore', 'aspects are listed')  # printed below
        student = AspectInferencer(load_config(config, args.cfg_options), checkpoint, device=args.device)
    if student.no_evidence:
        print(f'Aspects are listed by how certain they are: {student.no_evidence}', file=sys.stderr)

    sys.stdout.reconfigure(errors='backslashreplace')  # names of files need not be UTF-8
    as_text = args.json is None and args.show_dir is None
    quiet = len(paths) <= args.batch_size or (as_text and sys.stdout.isatty())
    failed: list[str] = []

    def entries() -> Iterator[dict[str, Any]]:
        for entry in tqdm(predict(student, paths, args), total=len(paths), unit='image', mininterval=1, disable=quiet):
            if 'error' in entry:
                failed.append(entry['error'])
            yield entry

    if args.json is not None:
        write_json(entries(), args.json)
    else:
        for entry in entries():
            if as_text and 'error' not in entry:
                print(describe(entry), flush=True)
    if args.show_dir is not None:
        print(f'{len(paths) - len(failed)} images are drawn in {args.show_dir}.', file=sys.stderr)
    if failed:
        listed = '\n  '.join(failed[:LISTED] + ['...'] * (len(failed) > LISTED))
        raise DataError(f'{len(failed)} of {len(paths)} images could not be read:\n  {listed}')


def find_images(names: Sequence[str]) -> list[str]:
    """Return the named images, and those in named folders in the order of their paths, each once."""
    found: dict[str, None] = {}
    for name in names:
        inside = [name]
        if Path(name).is_dir():
            inside = [str(Path(name, path)) for path in images.find_images(name)]
            if not inside:
                raise DataError(f'IMAGE {name!r}: the folder has no images ({", ".join(images.SUFFIXES)}).')
        elif '://' not in name and not Path(name).is_file():
            raise DataError(
                f'IMAGE {name!r}: there is no such file or folder. The order is IMAGE... CONFIG CHECKPOINT.'
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def predict(student: AspectInferencer, paths: Sequence[str], args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the prediction for each image, or why it cannot be read, as JSON values; draw it for ``--show-dir``."""
    for start in range(0, len(paths), args.batch_size):
        batch = paths[start : start + args.batch_size]
        images, errors = {}, {}
        for path in batch:
            try:
                images[path] = student.load(path)
            except DataError as error:
                errors[path] = str(error)
        results = predict_batch(student, images, errors, args.batch_size)
        for path in batch:
            if path in errors:
                yield dict(image=path, error=errors[path])
                continue
            if args.show_dir is not None:
                student.draw(images[path], results[path], args.show_dir, path, args.top, args.aspects)
            yield dict(image=path, **entry(student, results[path], args.top, args.aspects))


def predict_batch(
    student: AspectInferencer, images: dict[str, np.ndarray], errors: dict[str, str], batch_size: int
) -> dict[str, dict[str, Any]]:
    """Return the result of each image; if one cannot be resized, leave it out and add the reason to ``errors``."""
    try:
        return dict(zip(images, student(list(images.values()), batch_size=batch_size)))
    except DataError:  # it is not known of which image
        results = {}
        for path, image in images.items():
            try:
                (results[path],) = student(image)
            except DataError as error:
                errors[path] = f'{path}: {error}'
        return results


def entry(student: AspectInferencer, result: dict[str, Any], top: int, aspects: int) -> dict[str, Any]:
    """Return the best classes and aspects of a result as JSON values."""
    classes = [
        {'label': label, 'class': student.class_name(label), 'score': score}
        for label, score in student.top_classes(result, top)
    ]
    return dict(
        pred_label=result['pred_label'],
        pred_class=student.class_name(result['pred_label']),
        pred_score=result['pred_score'],
        classes=classes,
        aspects=result['aspects'][:aspects],
    )


def write_json(entries: Iterable[dict[str, Any]], target: str) -> None:
    """Write a JSON list with one entry per line to a file or, for '-', to the standard output."""
    with nullcontext(sys.stdout.buffer) if target == '-' else atomic_file(Path(target)) as file:
        separator = '[\n'
        for entry in entries:
            line = separator + json.dumps(entry, ensure_ascii=False, allow_nan=False)
            file.write(line.encode('utf-8', 'backslashreplace'))
            separator = ',\n'
        file.write(b'\n]\n')


def describe(entry: dict[str, Any]) -> str:
    """Return text about an image: its classes, and the aspects that speak for the first of them."""
    lines = [entry['image']]
    lines += [f'  {class_["score"]:6.1%}  {class_["class"]}' for class_ in entry['classes']]
    aspects = entry['aspects']
    known = aspects[0]['evidence'] is not None
    title = f'what speaks for {entry["pred_class"]}' if known else 'answers, the most certain first'
    width = max(len(text) for text in (title, *(aspect['question'] for aspect in aspects)))
    lines.append(f'  {title:{width}}  P(yes)' + ('  average  bits' if known else ''))
    for aspect in aspects:
        line = f'  {aspect["question"]:{width}}  {aspect["probability"]:6.0%}'
        lines.append(f'{line}  {aspect["average"]:7.0%}  {aspect["evidence"]:+4.1f}' if known else line)
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    run(main)
