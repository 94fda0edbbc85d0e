"""Write a page for reviewing the answers of a multimodal LLM about images."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from makd.cli.arguments import add_options
from makd.cli.main import run
from makd.config import LOADERS, check_data_roots, load_config, walk_dicts, without_pipelines
from makd.errors import ConfigError, DataError
from makd.files import atomic_file

if TYPE_CHECKING:
    from makd.datasets.targets_join import AnsweredImages
    from makd.targets import AspectTargets

ALL_LOADERS = (*LOADERS, 'dataloader')  # the last is annotation's
ANNOTATED = ('makd.AnnotationImages', 'makd.AnnotationRegions')
LOADED = ('makd.LoadAspectTargets', 'makd.LoadRegionAspects')
WHITE = (255, 255, 255)
EXAMPLES = """examples:
  python tools/browse.py data/emoji/aspects/cldr --images data/emoji/images
  python tools/browse.py work_dirs/targets/emoji_tiny_mllm --config configs/makd/resnet18_emoji_mllm.py
  python tools/browse.py data/imagenet/aspects/internvl3_8b --config configs/annotate/internvl3_8b_imagenet.py \\
      --limit 10000

TARGETS is a folder of answers, written by tools/annotate.py. CONFIG is that of the annotation, or of a student that
learns the answers; its training, validation and test data say where the images are and which class each has. With
--images, and if the datasets know no classes, as in detection, an image's folder stands in for its class.

The page is one file that needs no network. It lists the questions, sorted by how well they tell the classes apart if
you like, and the images for each question, suspicious answers first: the MLLM wanted to say something other than yes or
no, or disagrees with its answers about the other images of the class."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('targets', metavar='TARGETS', help='targets folder')
    place = p.add_mutually_exclusive_group(required=True)
    place.add_argument('--images', metavar='DIR', help='folder that the images, the keys of TARGETS, are relative to')
    p.add_argument('--follow-links', action='store_true', help='show images that are links to files outside --images')
    place.add_argument('--config', help='config file whose datasets have the images and their classes')
    p.add_argument(
        '--out', type=Path, metavar='FILE', help='page to write (default: work_dirs/browse/NAME_OF_TARGETS.html)'
    )
    p.add_argument(
        '--limit',
        type=int,
        metavar='N',
        help='show only a random sample of this many images, always the same; statistics cover all images',
    )
    p.add_argument(
        '--thumbnail', type=int, default=160, metavar='PIXELS', help='longer side of a thumbnail (default: %(default)s)'
    )
    add_options(p)
    return p.parse_args()


def main() -> None:
    """Find the images, review the answers, make thumbnails, and write the page."""
    args = parse_args()
    for option, value, least in (('--limit', args.limit, 1), ('--thumbnail', args.thumbnail, 16)):
        if value is not None and value < least:
            raise ConfigError(f'{option} {value}: give {least} or more.')
    if args.images is not None and not Path(args.images).is_dir():
        raise DataError(f'--images: there is no folder {args.images!r}. Give the folder that the keys are relative to.')

    # Imported here, so that --help is answered at once.
    from makd.analysis.browse import build_page, make_thumbnails
    from makd.analysis.review import review
    from makd.datasets.targets_join import images_of_folder
    from makd.targets import AspectTargets
    from makd.targets.region_key import image_of

    targets = AspectTargets.open(args.targets)
    images = images_of_folder(targets, args.images) if args.config is None else read_config(args, targets)
    rows = np.flatnonzero(images.labels >= 0)
    print(
        f'{len(rows)} of {len(targets)} {targets.about} with answers to {len(targets.questions)} questions; '
        f'{len(images.classes)} {"folders" if images.by_folder else "classes"}.',
        flush=True,
    )
    if args.limit is not None:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[: args.limit])
    reviewed = review(targets, images.labels, rows)

    paths = [images.paths[row] for row in rows]
    if args.images is not None and not args.follow_links:
        refuse_links_outside([image_of(path) for path in paths], args.images)
    thumbnails = make_thumbnails(paths, args.thumbnail, background(targets), shown_regions(targets))
    if broken := [path for path, thumbnail in zip(paths, thumbnails) if thumbnail is None]:
        if len(broken) == len(paths):
            raise DataError(
                f'none of the {len(paths)} {targets.about} can be read, such as {broken[0]!r}: are the keys of '
                f'{args.targets} relative to this folder?'
            )
        print(
            f'warning: {len(broken)} {targets.about} are absent or broken and have a placeholder, such as '
            f'{broken[0]!r}.'
        )
    out = args.out or Path('work_dirs', 'browse', f'{targets.path.name}.html')
    with atomic_file(out) as file:
        file.write(build_page(targets, images, rows, reviewed, thumbnails).encode())
    print(
        f'{len(rows)} {targets.about}, {reviewed.num_suspicious.sum()} suspicious and {reviewed.num_missing} missing '
        f'answers: {out} ({out.stat().st_size / 1e6:.1f} MB). Open it in a browser.'
    )


def refuse_links_outside(paths: list[str], root: str) -> None:
    """Raise a DataError for links to files outside the folder: the page would show them to everybody who gets it."""
    folder = os.path.realpath(root)
    if outside := [path for path in paths if not Path(os.path.realpath(path)).is_relative_to(folder)]:
        raise DataError(
            f'{len(outside)} images are links to files outside {root}, first {outside[0]!r} to '
            f'{os.path.realpath(outside[0])!r}. If the page may show them, give --follow-links.'
        )


def background(targets: AspectTargets) -> tuple[int, ...]:
    """Return the colour that the MLLM saw under transparent parts; white if the metadata do not say."""
    images = targets.meta.get('images')
    return tuple(images.get('background', WHITE)) if isinstance(images, dict) else WHITE


def shown_regions(targets: AspectTargets) -> dict | None:
    """Return how the MLLM saw regions; just the box if the metadata do not say; None if it saw images."""
    if targets.about != 'regions':
        return None
    images = targets.meta.get('images')
    plain = {'context': 1.0, 'outline': False}
    return images.get('regions', plain) if isinstance(images, dict) else plain


def read_config(args: argparse.Namespace, targets: AspectTargets) -> AnsweredImages:
    """Find the images of TARGETS in the datasets of a config."""
    from mmengine.registry import DATASETS, init_default_scope

    from makd.datasets.targets_join import images_of_datasets, images_of_folder

    cfg = load_config(args.config, args.cfg_options)
    loaders = [cfg[loader] for loader in ALL_LOADERS if cfg.get(loader)]
    nodes = [node for loader in loaders for _, node in walk_dicts(loader)]
    # These say which folder the keys are relative to; without them, the dataset's root is the best guess.
    exact = [node for node in nodes if node.get('type') in (*LOADED, *ANNOTATED)]
    roots = list(dict.fromkeys(node['data_root'] for node in exact or nodes if node.get('data_root')))
    for loader in loaders:
        loader.dataset = without_pipelines(loader.dataset)
    check_data_roots(cfg, ALL_LOADERS)
    configs = []
    for dataset in (loader.dataset for loader in loaders):
        if dataset['type'] in ANNOTATED:  # knows no classes, but the datasets inside it may
            inner = dataset.get('datasets') or []
            configs += [inner] if isinstance(inner, dict) else inner
        else:
            configs.append(dataset)
    if not roots:
        raise ConfigError(f'{args.config}: no dataset has a data_root, the folder that keys are relative to.')
    if not configs:
        return images_of_folder(targets, roots[0])
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    return images_of_datasets(targets, map(DATASETS.build, configs), roots)


if __name__ == '__main__':
    run(main)
