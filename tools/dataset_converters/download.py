"""Download large files: resume interrupted downloads, and verify size and checksum."""

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from makd.errors import DataError

BLOCK = 1 << 20  # bytes
ATTEMPTS = 5
TIMEOUT_S = 60
LOG_EVERY_S = 10


@dataclass(frozen=True)
class Download:
    """A file to fetch.

    Attributes:
        url: URL; only the file name, if no program can fetch it.
        md5: Checksum from its publisher, 32 hexadecimal digits.
        folder: Its folder in the dataset.
    """

    url: str
    md5: str
    folder: str = '.'

    @property
    def name(self) -> str:
        """File name."""
        return self.url.rsplit('/', 1)[-1]


def fetch(download: Download, folder: Path, log: Callable[[str], None] = print) -> Path:
    """Fetch a file into ``folder``; continue an interrupted download.

    Args:
        download: What to fetch; if ``folder`` has a file of its name, that is only verified.
        folder: Where to; it keeps the part that has arrived as ``NAME.part``.
        log: Receives a line with the remaining time every ten seconds.

    Returns:
        The file.

    Raises:
        DataError: The server does not send the file, or it has another checksum.
    """
    path, part = folder / download.name, folder / f'{download.name}.part'
    if not path.exists():
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _receive(download.url, part, log)
                break
            except urllib.error.HTTPError as error:
                raise DataError(f'{download.url}: the server answers {error.code} {error.reason}') from None
            except (urllib.error.URLError, ConnectionError, TimeoutError, HTTPException) as error:
                if attempt == ATTEMPTS:
                    raise DataError(
                        f'{download.url}: {getattr(error, "reason", error)}; tried {ATTEMPTS} times. What has arrived '
                        f'is kept in {part}: run the same command again, or put the file into {folder} by hand'
                    ) from None
                time.sleep(2**attempt)
        part.rename(path)
    return verify(download, path)


def verify(download: Download, path: Path) -> Path:
    """Return ``path`` if the file has its publisher's checksum; raise a DataError otherwise."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open('rb') as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if digest.hexdigest() != download.md5:
        raise DataError(
            f'{path} has the MD5 {digest.hexdigest()}, its publisher says {download.md5}: remove it and run the same '
            'command again'
        )
    return path


def _receive(url: str, part: Path, log: Callable[[str], None]) -> None:
    """Append the rest of a file to ``part``."""
    size = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={'Range': f'bytes={size}-'} if size else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and size:  # the server has nothing beyond this part: the file is complete
            return
        raise
    with response, part.open('ab' if response.status == 206 else 'wb') as file:
        done = size if response.status == 206 else 0
        total = done + int(response.headers.get('Content-Length') or 0)
        started = logged = time.monotonic()
        first = done
        while block := response.read(BLOCK):
            file.write(block)
            done += len(block)
            now = time.monotonic()
            if now - logged > LOG_EVERY_S:
                logged, speed = now, (done - first) / (now - started)
                left = f', {(total - done) / speed:.0f} s left' if total > done else ''
                log(f'{part.stem}: {done / 1e6:.0f} of {total / 1e6:.0f} MB, {speed / 1e6:.1f} MB/s{left}')
    if total and done < total:
        raise ConnectionError(f'the connection broke after {done} of {total} bytes')
