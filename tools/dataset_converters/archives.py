"""Unpack archives, but none that is encrypted, would fill the disk, or has files outside its folder."""

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from makd.errors import DataError

LARGEST_RATIO = 200  # of images and annotations to their archive; text reaches 20, a zip bomb 1,000


def is_archive(path: Path) -> bool:
    """Return whether a file's name is that of an archive."""
    return path.name.endswith(('.zip', '.tar', '.tgz', '.tar.gz'))


def unpack(path: Path, out: Path, strip: str = '.') -> None:
    """Unpack the folder ``strip`` of an archive into ``out``; a file appears whole or not at all.

    Raises:
        DataError: The archive is damaged, encrypted, unpacks to more than the disk holds or to more than
            ``LARGEST_RATIO`` times its size, or has a file outside its folder.
    """
    temporary = out / f'.{path.name}.unpacked'
    shutil.rmtree(temporary, ignore_errors=True)  # from an interrupted run
    try:
        temporary.mkdir(parents=True)
        (_unpack_zip if path.suffix == '.zip' else _unpack_tar)(path, temporary)
        shutil.copytree(temporary / strip, out, copy_function=os.replace, dirs_exist_ok=True)
    except DataError:
        raise
    # RuntimeError: an unknown kind of compression; ValueError: damaged headers.
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise DataError(f'{path} cannot be unpacked into {out}: {error}') from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        budget = _Budget(path, folder)
        for member in archive.infolist():
            if member.flag_bits & 1:
                raise DataError(f'{path}: {member.filename} is encrypted. Get the archive without a password')
            parts = PurePosixPath(member.filename).parts
            if '..' in parts or '/' in parts:  # which zipfile would put elsewhere without a word
                raise DataError(
                    f'{path}: {member.filename} lies outside the folder. Get the archive from its publisher'
                )
            budget.spend(member.file_size)  # zipfile unpacks no more than is declared
        archive.extractall(folder)


def _unpack_tar(path: Path, folder: Path) -> None:
    with tarfile.open(path) as archive:
        budget = _Budget(path, folder)

        def members() -> Iterator[tarfile.TarInfo]:
            for member in archive:  # the next one is found behind the content of this one
                budget.spend(member.size)
                _check_member(path, folder, member)
                yield member

        # Python 3.10.11, 3.11.3 and older have no filter.
        archive.extractall(folder, members(), **({'filter': 'data'} if hasattr(tarfile, 'data_filter') else {}))


def _check_member(path: Path, folder: Path, member: tarfile.TarInfo) -> None:
    """Refuse what leads out of the folder, also through links that are unpacked already; take the ownership away."""
    root = Path(os.path.realpath(folder))
    places = [root / member.name]
    if member.issym():
        places.append(places[0].parent / member.linkname)
    elif member.islnk():
        places.append(root / member.linkname)
    elif not (member.isfile() or member.isdir()):
        raise DataError(f'{path}: {member.name} is neither a file nor a folder. Get the archive from its publisher')
    if not all(Path(os.path.realpath(place)).is_relative_to(root) for place in places):
        raise DataError(f'{path}: {member.name} lies outside the folder. Get the archive from its publisher')
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), '', ''
    member.mode = (member.mode & 0o755) | (0o700 if member.isdir() else 0o600)


class _Budget:
    """The number of bytes that an archive may unpack to."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path = path
        self.folder = folder
        self.free = shutil.disk_usage(folder).free
        self.credible = LARGEST_RATIO * path.stat().st_size
        self.spent = 0

    def spend(self, size: int) -> None:
        """Count the bytes of one more file."""
        self.spent += size
        if self.spent > self.credible:
            raise DataError(
                f'{self.path} unpacks to more than {LARGEST_RATIO} times its size, as no dataset does. Remove it, and '
                'get it from its publisher'
            )
        if self.spent > self.free:
            raise DataError(
                f'{self.path} unpacks to more than the {self.free / 1e9:.1f} GB that are free in {self.folder.parent}. '
                'Free some space, or choose another folder by --out'
            )
