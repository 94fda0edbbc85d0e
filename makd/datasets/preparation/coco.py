"""Lays out COCO 2017 as mmdet and makd's configs expect it, from the archives that its makers publish.

    data/coco/annotations/instances_{train,val}2017.json
    data/coco/{train,val}2017/*.jpg

19 GB are downloaded; twice as much has to fit on the disk until the archives are unpacked. Images: their owners' Flickr
licences; annotations: CC BY 4.0 (see cocodataset.org).
"""

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from makd.datasets.preparation.download import Download, fetch
from makd.errors import DataError

SITE = 'http://images.cocodataset.org'
ARCHIVES = (
    Download(f'{SITE}/annotations/annotations_trainval2017.zip', 'f4bbac642086de4f52a3fdda2de5fa2c'),
    Download(f'{SITE}/zips/val2017.zip', '442b8da7639aecaf257c1dceb8ba8c80'),
    Download(f'{SITE}/zips/train2017.zip', 'cced6f7f71b7629ddf16f17bbcfab6b2'),
)
IMAGES = {'val2017': 5_000, 'train2017': 118_287}
NEXT = (
    'Next: write 50 questions with tools/write_questions.py into {out}/aspects/questions.json, then ask an MLLM:\n'
    '  bash tools/dist_annotate.sh configs/annotate/internvl3_8b_coco.py GPUS'
)


def prepare(out: Path, packages: Path | None, shipped: Path, log: Callable[[str], None] = print) -> None:
    """Download, verify, unpack; what is done already is not done again.

    Args:
        out: Folder to build, ``data/coco``.
        packages: Folder of archives that were downloaded already; None to fetch them into ``out``.
        shipped: Not used: nothing of COCO ships.
        log: Receives a line at each step.

    Raises:
        DataError: An archive cannot be fetched or is damaged, the disk is full, or images are missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    for archive in ARCHIVES:
        done = out / f'.{archive.name}.done'
        if done.exists():
            continue
        log(f'{archive.name}: {"reading" if packages else "fetching"}')
        path = fetch(archive, packages or out, log)
        log(f'{archive.name}: unpacking')
        _unpack(path, out)
        done.touch()
        if packages is None:
            path.unlink()
    for part, count in IMAGES.items():
        annotations = out / 'annotations' / f'instances_{part}.json'
        listed = {image['file_name'] for image in json.loads(annotations.read_text('utf-8'))['images']}
        missing = sorted(listed - {file.name for file in (out / part).iterdir()})
        if len(listed) != count or missing:
            raise DataError(
                f'{out / part}: {annotations.name} lists {len(listed)} images, COCO has {count}, and {len(missing)} '
                f'files are missing ({", ".join(missing[:3])} ...): remove {out}/.*.done and give the same command '
                'again'
            )
        log(f'{part}: {count} images')
    log(NEXT.format(out=out))


def _unpack(path: Path, out: Path) -> None:
    """Unpack an archive; Python's zipfile keeps every member within ``out``."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        free = shutil.disk_usage(out).free
        if size > free:
            raise DataError(
                f'{path} unpacks to {size / 1e9:.1f} GB, and the disk of {out} has {free / 1e9:.1f} GB left'
            )
        archive.extractall(out)
