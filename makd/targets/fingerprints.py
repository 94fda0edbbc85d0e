"""Which file an image was when the questions about it were answered."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np

from makd.targets.key_index import hash64

FINGERPRINT = np.dtype([('size', '<u8'), ('mtime_ns', '<i8'), ('hash', '<u8')])
UNKNOWN = (0, 0, 0)  # of a file that could not be read
_THREADS = 16  # network file systems answer slowly, but many questions at once


def fingerprint(content: bytes, mtime_ns: int) -> tuple[int, int, int]:
    """Return the FINGERPRINT of a file: its size, its time of modification, and the BLAKE2b-64 hash of its content."""
    return len(content), mtime_ns, hash64(content)


def modification_time(path: str) -> int:
    """Return the time in nanoseconds, 0 for a file that is not in this file system, such as a URL."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return 0


def find_changed(paths: Sequence[str], fingerprints: np.ndarray) -> list[int]:
    """Return the indices of the files that are others than they were.

    The content decides. A file of another size has changed; one of the same size and time has not, and is not read; any
    other is read, so a copy with new times is not taken for a change. A file that is absent now, or whose fingerprint
    is unknown, cannot be compared and is not returned.

    Args:
        paths: The files, N.
        fingerprints: What they were, (N,) FINGERPRINT.
    """
    known = fingerprints.tolist()

    def compare(first: int) -> list[int]:
        return [index for index in range(first, len(known), _THREADS) if _has_changed(paths[index], known[index])]

    with ThreadPoolExecutor(_THREADS) as pool:
        return sorted(chain.from_iterable(pool.map(compare, range(_THREADS))))


def _has_changed(path: str, known: tuple[int, int, int]) -> bool:
    size, mtime_ns, digest = known
    if known == UNKNOWN:
        return False
    try:
        now = os.stat(path)
        if (now.st_size, now.st_mtime_ns) == (size, mtime_ns):
            return False
        if now.st_size != size:
            return True
        with open(path, 'rb') as file:
            return hash64(file.read()) != digest
    except (OSError, ValueError):
        return False
