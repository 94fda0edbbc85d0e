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
    'Next, for MaKD: write 50 yes/no questions about pictures of COCO into {out}/aspects/questions.json, by hand or\n'
    'with tools/write_questions.py (configs/questions/README.md), and ask an MLLM:\n'
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
    if packages is not None:
        absent = [archive.name for archive in ARCHIVES if not (packages / archive.name).is_file()]
        if absent:
            raise DataError(f'--packages {packages}: {", ".join(absent)} are not there; leave it out to fetch them')
    if _missing(out):  # a COCO that was laid out by hand is as good
        out.mkdir(parents=True, exist_ok=True)
        for archive in ARCHIVES:
            done = out / f'.{archive.name}.done'
            if not done.exists():
                log(f'{archive.name}: {"reading" if packages else "fetching"}')
                path = fetch(archive, packages or out, log)
                log(f'{archive.name}: unpacking')
                _unpack(path, out)
                done.touch()
            if packages is None:
                (out / archive.name).unlink(missing_ok=True)
    if missing := _missing(out):
        raise DataError(f'{missing}: remove {out}/.*.done and give the same command again')
    for part, count in IMAGES.items():
        log(f'{out / part}: {count} images')
    log(NEXT.format(out=out))


def _missing(out: Path) -> str | None:
    """Say what a folder of COCO lacks; None if it is whole."""
    for part, count in IMAGES.items():
        annotations = out / 'annotations' / f'instances_{part}.json'
        if not annotations.is_file() or not (out / part).is_dir():
            return f'{annotations if (out / part).is_dir() else out / part} is absent'
        listed = {image['file_name'] for image in json.loads(annotations.read_text('utf-8'))['images']}
        absent = sorted(listed - {file.name for file in (out / part).iterdir()})
        if len(listed) != count or absent:
            return (
                f'{out / part}: {annotations.name} lists {len(listed)} images, COCO has {count}, and {len(absent)} '
                f'files are missing ({", ".join(absent[:3])} ...)'
            )
    return None


def _unpack(path: Path, out: Path) -> None:
    """Unpack an archive; Python's zipfile keeps every member within ``out``."""
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if not _is_there(out / m.filename, m.file_size)]
        size, free = sum(member.file_size for member in members), shutil.disk_usage(out).free
        if size > free:
            raise DataError(
                f'{path} unpacks to {size / 1e9:.1f} GB, and the disk of {out} has {free / 1e9:.1f} GB left'
            )
        archive.extractall(out, members)


def _is_there(file: Path, size: int) -> bool:
    return file.is_file() and file.stat().st_size == size
