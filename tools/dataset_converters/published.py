"""Data sets that their makers publish as archives: fetched, verified, unpacked, counted."""

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_converters.download import Download, fetch, verify
from makd.errors import DataError


@dataclass(frozen=True)
class Published:
    """A data set as its makers publish it.

    Attributes:
        files: Archives, which are unpacked, and single files; all by the checksums of their publishers.
        counts: How many files match each pattern below the folder in the end, such as ``{'images/*.jpg': 7390}``.
        strip: Leading folder of the archives' members that the folder of the data set does not have.
        by_hand: Where a person gets the files, if a program cannot; None if ``fetch`` can.
        unpacker: Unpacks an archive into a folder, where ``unpack`` does not do.
        finish: What is left to do with the folder when all is unpacked.
        next_step: What a user does next.
    """

    files: tuple[Download, ...]
    counts: Mapping[str, int]
    strip: str = '.'
    by_hand: str | None = None
    unpacker: Callable[[Path, Path], None] | None = None
    finish: Callable[[Path], None] | None = None
    next_step: str = ''

    def prepare(
        self, out: Path, packages: Path | None, shipped: Path | None = None, log: Callable[[str], None] = print
    ) -> None:
        """Lay out the data set; what is done already is not done again.

        Args:
            out: Folder to build.
            packages: Folder of files that were downloaded already; None to fetch them into ``out``.
            shipped: Not used: nothing of it ships.
            log: Receives a line at each step.

        Raises:
            DataError: A file cannot be fetched or is damaged, the disk is full, or files are missing in the end.
        """
        if packages is not None:
            absent = [file.name for file in self.files if not (packages / file.name).is_file()]
            if absent:
                hint = self.by_hand or 'Leave it out to fetch them.'
                raise DataError(f'--packages {packages}: {", ".join(absent)} are not there. {hint}')
        if missing_files(self.counts, out):  # one that was laid out by hand is as good
            if packages is None and self.by_hand is not None:
                raise DataError(self.by_hand)
            out.mkdir(parents=True, exist_ok=True)
            for file in self.files:
                self._add(file, out, packages, log)
            if self.finish is not None:
                self.finish(out)
        if missing := missing_files(self.counts, out):
            raise DataError(f'{missing}: remove {out}/.*.done and give the same command again')
        for pattern, count in self.counts.items():
            log(f'{out / pattern}: {count} files')
        if self.next_step:
            log(self.next_step.format(out=out))

    def _add(self, file: Download, out: Path, packages: Path | None, log: Callable[[str], None]) -> None:
        done, folder = out / f'.{file.name}.done', out / file.folder
        if not done.exists():
            log(f'{file.name}: {"reading" if packages else "fetching"}')
            path = fetch(file, out, log) if packages is None else verify(file, packages / file.name)
            if is_archive(path):
                log(f'{file.name}: unpacking')
                if self.unpacker is None:
                    unpack(path, folder, self.strip)
                else:
                    self.unpacker(path, folder)
            elif path.parent != folder:
                folder.mkdir(exist_ok=True)
                shutil.copy(path, folder)
            done.touch()
        if packages is None and is_archive(out / file.name):
            (out / file.name).unlink(missing_ok=True)


def missing_files(counts: Mapping[str, int], out: Path) -> str | None:
    """Say what a folder lacks of the files that it should have; None if it is whole."""
    for pattern, count in counts.items():
        found = sum(1 for _ in out.glob(pattern))
        if found < count:  # what a person added is theirs
            return f'{out / pattern}: {found} files, and {count} are published'
    return None


def is_archive(path: Path) -> bool:
    """Say whether ``unpack`` takes a file, by its name."""
    return path.name.endswith(('.zip', '.tar', '.tgz', '.tar.gz'))


def unpack(path: Path, out: Path, strip: str = '.') -> None:
    """Unpack what an archive has in its folder ``strip`` into ``out``, file by whole file; others there are left alone.

    Raises:
        DataError: It is damaged, or it does not fit on the disk.
    """
    temporary = out / f'.{path.name}.unpacked'
    shutil.rmtree(temporary, ignore_errors=True)  # of a run that was interrupted
    try:
        # zipfile keeps its members inside by itself, and takes no filter.
        shutil.unpack_archive(path, temporary, filter=None if path.suffix == '.zip' else 'data')
        shutil.copytree(temporary / strip, out, copy_function=os.replace, dirs_exist_ok=True)
    except (zipfile.BadZipFile, tarfile.TarError, shutil.ReadError, EOFError, OSError) as error:
        raise DataError(f'{path} cannot be unpacked into {out}: {error}') from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
