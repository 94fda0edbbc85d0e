"""Datasets that are published as archives: fetch, verify, unpack and count their files."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_converters.archives import is_archive, unpack
from dataset_converters.download import Download, fetch, verify
from makd.errors import DataError
from makd.files import atomic_file


@dataclass(frozen=True)
class Published:
    """A dataset as its makers publish it.

    Attributes:
        files: Archives, which are unpacked, and single files.
        counts: How many files of the finished dataset match each pattern, such as ``{'images/*.jpg': 7390}``.
        strip: Leading folder of the archives' members, which is removed.
        by_hand: Tells a person where to get the files; None if ``fetch`` can fetch them.
        unpacker: Unpacks an archive into a folder, if ``unpack`` cannot.
        finish: Called with the folder after everything is unpacked.
        next_step: Tells a user what to do next.
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
        """Lay out the dataset; steps that an earlier run has finished are skipped.

        Args:
            out: Folder to build.
            packages: Folder of downloaded files; None to fetch them into ``out``.
            shipped: Not used, because these datasets do not ship with makd.
            log: Receives a line for each step.

        Raises:
            DataError: A file cannot be fetched or is damaged, the disk is full, or the dataset is incomplete.
        """
        if packages is not None:
            absent = [file.name for file in self.files if not (packages / file.name).is_file()]
            if absent:
                hint = self.by_hand or 'Leave it out to fetch them.'
                raise DataError(f'--packages {packages}: {", ".join(absent)} are missing. {hint}')
        if missing_files(self.counts, out):  # a dataset that was laid out by hand passes
            if packages is None and self.by_hand is not None:
                raise DataError(self.by_hand)
            out.mkdir(parents=True, exist_ok=True)
            for file in self.files:
                self._add(file, out, packages, log)
            if self.finish is not None:
                self.finish(out)
        if missing := missing_files(self.counts, out):
            raise DataError(f'{missing}: remove {out}/.*.done and run the same command again')
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
                with path.open('rb') as source, atomic_file(folder / path.name) as file:
                    shutil.copyfileobj(source, file)
            done.touch()
        if packages is None and is_archive(out / file.name):
            (out / file.name).unlink(missing_ok=True)


def missing_files(counts: Mapping[str, int], out: Path) -> str | None:
    """Return a message about files that a folder lacks; None if it is complete."""
    for pattern, count in counts.items():
        found = sum(1 for _ in out.glob(pattern))
        if found < count:  # users may add files
            return f'{out / pattern}: {found} files, but {count} are published'
    return None
