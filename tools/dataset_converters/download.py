"""Download large files: try again where a server or connection fails, resume, and verify size and checksum."""

import hashlib
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path

from makd.errors import DataError

BLOCK = 1 << 20  # bytes
ATTEMPTS = 5
LONGEST_PAUSE_S = 120
PASSING = {408, 425, 429, 500, 502, 503, 504}  # status of a server that may answer later
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

    A broken connection and a busy server are tried ``ATTEMPTS`` times, after pauses of 2, 4, 8 and 16 seconds, or as
    long as the server's Retry-After says, up to two minutes.

    Args:
        download: What to fetch; if ``folder`` has a file of its name, that is only verified.
        folder: Where to; it keeps the part that has arrived as ``NAME.part``.
        log: Receives a line with the remaining time every ten seconds, and one before each pause.

    Returns:
        The file.

    Raises:
        DataError: The server does not send the file, it does not fit on the disk, or it has another checksum.
    """
    path, part = folder / download.name, folder / f'{download.name}.part'
    if not path.exists():
        for attempt in range(1, ATTEMPTS + 1):
            pause = 2.0**attempt
            try:
                _receive(download.url, part, log)
                break
            except urllib.error.HTTPError as error:
                reason = f'the server answers {error.code} {error.reason}'
                if error.code not in PASSING:
                    raise DataError(f'{download.url}: {reason}') from None
                pause = _retry_after(error.headers.get('Retry-After')) or pause
            except (urllib.error.URLError, ConnectionError, TimeoutError, ssl.SSLError, HTTPException) as error:
                reason = str(getattr(error, 'reason', error))
            except OSError as error:
                raise DataError(
                    f'{part} cannot be written ({error.strerror}); free some space, or choose another folder by --out'
                ) from None
            if attempt == ATTEMPTS:
                raise DataError(
                    f'{download.url}: {reason}; tried {ATTEMPTS} times. What has arrived is kept in {part}: run the '
                    f'same command again, or put the file into {folder} by hand'
                )
            log(f'{download.name}: {reason}; trying again in {pause:.0f} s')
            time.sleep(pause)
        part.rename(path)
    return verify(download, path)


def _retry_after(value: str | None) -> float:
    """Return the seconds that a Retry-After header says, up to ``LONGEST_PAUSE_S``; 0 if it says nothing."""
    try:
        seconds: float = int(value or 0)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(value)).timestamp() - time.time()
        except ValueError:
            return 0
    return min(max(seconds, 0), LONGEST_PAUSE_S)


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
        rest = response.length or 0  # http.client reads Content-Length; None if it is not a number
        if rest > (free := shutil.disk_usage(part.parent).free):
            raise DataError(
                f'{url}: {rest / 1e9:.1f} GB are to come, and {free / 1e9:.1f} GB are free in {part.parent}. Free '
                'some space, or choose another folder by --out'
            )
        total = done + rest
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
    if rest and done < total:
        raise ConnectionError(f'the connection broke after {done} of {total} bytes')
