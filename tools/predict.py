"""Predict the classes of images, or of the objects in them, with the aspects that speak for them."""

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
    from mmengine.config import Config

    from makd.apis import AspectInferencer, RegionInferencer

LISTED = 10  # images that could not be read
OF_IMAGES, OF_REGIONS = (5, 5), (20, 3)  # how many classes or boxes, and aspects of each
EXAMPLES = """examples:
  python tools/predict.py dog.jpg CONFIG CHECKPOINT
  python tools/predict.py data/emoji/images/twemoji/food-fruit configs/makd/resnet18_emoji.py \\
      work_dirs/makd/resnet18_emoji/epoch_40.pth --show-dir work_dirs/shown
  python tools/predict.py images more_images CONFIG CHECKPOINT --json predictions.json
  python tools/predict.py dog.jpg CONFIG CHECKPOINT --json - | jq .
  python tools/predict.py data/emoji_scenes/test configs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions.py \\
      work_dirs/makd/faster_rcnn_r18_fpn_emoji_scenes_regions/epoch_8.pth --show-dir work_dirs/shown

Aspects are sorted by the evidence, in bits, that the student's answer gives for the predicted class: how much better
the answer fits the annotator's answers about the training images of this class than about all of them. It is computed
from the config's training set; without that, aspects are sorted by how certain they are. A detector whose region head
answers questions predicts boxes; the aspects of each speak for its class.

--json writes a list with one image per line: image, pred_label, pred_class, pred_score, classes (label, class, score),
aspects (id, question, probability, average, evidence); or image and error. Of a detector: image and detections (label,
class, score, box, aspects). Without --json, images that cannot be read are left out and named at the end, with exit
status 1."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('images', nargs='+', metavar='IMAGE', help='image files, URLs, or folders with images at any depth')
    p.add_argument('config', metavar='CONFIG', help='config file that the student was trained with')
    p.add_argument('checkpoint', metavar='CHECKPOINT', help="the student's checkpoint")
    p.add_argument('--top', type=int, metavar='K', help='how many classes (default: 5), or boxes (default: 20)')
    p.add_argument('--aspects', type=int, metavar='K', help='how many aspects (default: 5; of each box 3)')
    p.add_argument('--min-score', type=float, metavar='S', help='the least score of a box (default: 0.3)')
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
        if value is not None and value < 1:
            raise ConfigError(f'{option} {value}: give 1 or more.')
    if not args.config.endswith('.py'):
        raise ConfigError(f'CONFIG {args.config!r} is not a .py file. The order is IMAGE... CONFIG CHECKPOINT.')
    config, checkpoint = find_config(args.config), require_checkpoint(args.checkpoint, 'CHECKPOINT')
    paths = find_images(args.images)

    with redirect_stdout(sys.stderr):  # mmpretrain prints, and the standard output may be JSON
        # Imported here, so that --help is answered without waiting for torch.
        from mmpretrain.utils import progress
        from tqdm import tqdm

        progress.disable_progress_bar = True  # mmpretrain's has one bar per batch
        warnings.filterwarnings('ignore', 'aspects are listed')  # printed below
        student = load_student(load_config(config, args.cfg_options), checkpoint, args)
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


def load_student(cfg: Config, checkpoint: str, args: argparse.Namespace) -> AspectInferencer | RegionInferencer:
    """Load the classifier or the detector, and complete ``args`` by what is usual for it."""
    from makd.apis import AspectInferencer, RegionInferencer

    detects = cfg.get('default_scope') == 'mmdet'
    top, aspects = OF_REGIONS if detects else OF_IMAGES
    args.top, args.aspects = args.top or top, args.aspects or aspects
    if not detects:
        if args.min_score is not None:
            raise ConfigError(f'--min-score {args.min_score}: CONFIG is of a classifier, which finds no boxes.')
        return AspectInferencer(cfg, checkpoint, device=args.device)
    scores = {} if args.min_score is None else dict(min_score=args.min_score)
    return RegionInferencer(cfg, checkpoint, device=args.device, **scores)


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


def predict(
    student: AspectInferencer | RegionInferencer, paths: Sequence[str], args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
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
            yield dict(image=path, **student.summary(results[path], args.top, args.aspects))


def predict_batch(
    student: AspectInferencer | RegionInferencer,
    images: dict[str, np.ndarray],
    errors: dict[str, str],
    batch_size: int,
) -> dict[str, Any]:
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
    """Return text about an image: its classes or boxes, and the aspects that speak for the best class or each box."""
    lines = [entry['image']]
    if 'detections' in entry:
        for found in entry['detections']:
            x1, y1, x2, y2 = (f'{corner:.0f}' for corner in found['box'])
            lines.append(f'  {found["score"]:6.1%}  {found["class"]} at x {x1} to {x2}, y {y1} to {y2}')
            lines += (f'          {line}' for line in describe_aspects(found['class'], found['aspects']))
        if not entry['detections']:
            lines.append('  no box')
    else:
        lines += [f'  {class_["score"]:6.1%}  {class_["class"]}' for class_ in entry['classes']]
        lines += (f'  {line}' for line in describe_aspects(entry['pred_class'], entry['aspects']))
    return '\n'.join(lines) + '\n'


def describe_aspects(class_name: str, aspects: list[dict[str, Any]]) -> list[str]:
    """Return a table of aspects as lines."""
    known = aspects[0]['evidence'] is not None
    title = f'what speaks for {class_name}' if known else 'answers, the most certain first'
    width = max(len(text) for text in (title, *(aspect['question'] for aspect in aspects)))
    lines = [f'{title:{width}}  P(yes)' + ('  average  bits' if known else '')]
    for aspect in aspects:
        line = f'{aspect["question"]:{width}}  {aspect["probability"]:6.0%}'
        lines.append(f'{line}  {aspect["average"]:7.0%}  {aspect["evidence"]:+4.1f}' if known else line)
    return lines


if __name__ == '__main__':
    run(main)
