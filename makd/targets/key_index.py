"""The row of each image in a targets folder, without a dictionary of all keys in the memory of each process."""

import logging
import mmap
import re
from abc import abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any, overload

import numpy as np

from makd.errors import TargetsError
from makd.files import open_npy

KEYS_FILE = 'images.txt'
INDEX_FILE = 'index.npy'
NEWLINE = b'\n'

# Absolute (also with a drive letter), an empty, '.' or '..' part, a backslash, a byte order mark, a control character.
_NOT_A_KEY = re.compile(rb'(?:\A|/)\.{0,2}(?:/|\Z)|\A[A-Za-z]:/|\A\xef\xbb\xbf|[\\\x00-\x1f]')

_logger = logging.getLogger(__name__)


def hash64(*parts: bytes | mmap.mmap) -> int:
    """Return the 64-bit BLAKE2b hash of the parts, one after the other."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return int.from_bytes(digest.digest(), 'little')


def keys_hash(text: bytes | mmap.mmap) -> str:
    """Return the hash of ``images.txt``, 16 hex digits, which a newline at its end does not change."""
    return f'{hash64(text, b"" if text[-1:] == NEWLINE else NEWLINE):016x}'


class Keys(Sequence[str]):
    """Keys in row order, which say in microseconds which row a key has."""

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self._at(index) for index in range(len(self))[row]]
        return self._at(range(len(self))[row])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.find(key) is not None

    @abstractmethod
    def _at(self, row: int) -> str:
        """Return the key of a row in [0, N)."""

    @abstractmethod
    def find(self, key: str) -> int | None:
        """Return the row of ``key``, or None."""


class KeyIndex(Keys):
    """The keys of a targets folder: a sequence of strings in row order that finds the row of a key in microseconds.

    ``images.txt`` and ``index.npy`` are memory-mapped, so that processes share their pages. The index is derived from
    ``images.txt``, a vector of 3 N + 2 uint64: the hash of the whole file (which reveals a stale index), the N sorted
    hashes of the keys, the N rows in this order, and the N + 1 byte offsets of the lines in row order. A key found by
    its hash is compared with its line in ``images.txt``, so colliding hashes only cost time.

    Args:
        text: The content of ``images.txt``.
        words: The index, (3 N + 2,) uint64.
    """

    def __init__(self, text: bytes | mmap.mmap, words: np.ndarray) -> None:
        count = (len(words) - 2) // 3
        self._text = text
        self._words = words
        # Reading an element of a memoryview is four times as fast as reading one of an array.
        view = words.data
        self._hashes = view[1 : 1 + count]
        self._rows = view[1 + count : 1 + 2 * count]
        self._offsets = view[1 + 2 * count :]

    @classmethod
    def open(cls, folder: Path, expected_hash: str | None) -> 'KeyIndex':
        """Open the keys of a folder. If there is no index (a folder made by hand), build it in memory.

        Args:
            folder: The targets folder.
            expected_hash: Hash of the keys in the order of the rows; None for a folder of a makd that stored none.

        Raises:
            TargetsError: ``images.txt`` is empty, not UTF-8, has a line that is not a key or occurs twice, or was
                changed after the answers were written; or the index is damaged or of other keys.
        """
        path = folder / KEYS_FILE
        if path.stat().st_size == 0:
            raise TargetsError(f'{path} is empty: it must list one image per line; write the folder again')
        with path.open('rb') as file:
            text = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        found_hash = keys_hash(text)
        if expected_hash not in (None, found_hash):
            raise TargetsError(
                f'{path} was changed after the answers were written: its keys have the hash {found_hash!r}, meta.json '
                f'says {expected_hash!r}, and row i of the answers belongs to line i. Restore the file. If only names '
                f'were changed, in the same order, store the new hash as keys_hash, and remove {INDEX_FILE}.'
            )
        index = folder / INDEX_FILE
        if not index.exists():
            unchecked = '' if expected_hash else ', and nothing says whether the keys are in the order of the answers'
            _logger.warning(
                '%s has no %s: building it in memory, in every process that opens the folder%s. '
                'AspectTargets.write(..., overwrite=True) stores it.',
                folder,
                INDEX_FILE,
                unchecked,
            )
            return cls(text, build_words(text[:], path))
        words = _load_words(index, text, found_hash)
        if words is None:
            raise TargetsError(
                f'{index} does not belong to {KEYS_FILE}: it is damaged, or one of them was changed. Restore both; or, '
                f'if line i of {KEYS_FILE} is the image of row i of the answers, remove {INDEX_FILE}, which is built '
                'from it.'
            )
        return cls(text, words)

    def validate(self, folder: Path) -> None:
        """Build the index anew and compare.

        Raises:
            TargetsError: They differ, so that keys are not found.
        """
        if not np.array_equal(self._words, build_words(self._text[:], folder / KEYS_FILE)):
            raise TargetsError(f'{folder / INDEX_FILE} is damaged: remove it, and it is built from {KEYS_FILE}')

    def __reduce__(self) -> tuple[Any, ...]:
        return KeyIndex, (self._text[:], np.asarray(self._words))

    def __len__(self) -> int:
        return len(self._rows)

    def _at(self, row: int) -> str:
        return self._line(row).decode('utf-8')

    def __iter__(self) -> Iterator[str]:
        return (self._line(row).decode('utf-8') for row in range(len(self)))

    def find(self, key: str) -> int | None:
        """Return the row of ``key``, or None."""
        # surrogatepass: a file name that is not UTF-8 cannot be a key, but looking it up is not an error.
        encoded = key.encode('utf-8', 'surrogatepass')
        hashed = hash64(encoded)
        position = bisect_left(self._hashes, hashed)
        while position < len(self) and self._hashes[position] == hashed:
            row = self._rows[position]
            if self._line(row) == encoded:
                return row
            position += 1
        return None

    def same_name(self, key: str) -> str | None:
        """Return the first key with the file name of ``key``, in any folder, or None. This reads all keys."""
        name = key.replace('\\', '/').rpartition('/')[2].encode('utf-8', 'surrogatepass')
        end = 0
        while name and (start := self._text.find(name + b'\n', end)) >= 0:
            end = start + len(name)
            if self._text[max(start - 1, 0) : start] in (b'', b'/', b'\n'):
                return self._text[self._text.rfind(b'\n', 0, start) + 1 : end].decode('utf-8')
        return None

    @property
    def hashes(self) -> np.ndarray:
        """(N,) uint64, the sorted hashes of the keys."""
        return self._words[1 : 1 + len(self)]

    def with_hash(self, hashed: int) -> list[str]:
        """Return the keys that have this hash."""
        first, last = bisect_left(self._hashes, hashed), bisect_right(self._hashes, hashed)
        return [self[row] for row in self._rows[first:last]]

    def extremes(self) -> tuple[str, str]:
        """Return the smallest and the largest key. This reads all keys."""
        # A newline is smaller than every character of a key, so lines are sorted as keys are.
        lines = self._text[:]
        found = (find(BytesIO(lines)).removesuffix(NEWLINE).decode('utf-8') for find in (min, max))
        return next(found), next(found)

    def text(self, rows: range) -> bytes:
        """Return the lines of some consecutive rows, as ``images.txt`` has them."""
        return self._text[self._offsets[rows.start] : self._offsets[rows.stop] - 1] + NEWLINE

    def _line(self, row: int) -> bytes:
        return self._text[self._offsets[row] : self._offsets[row + 1] - 1]


def build_words(text: bytes, path: Path) -> np.ndarray:
    """Check every line of ``text`` and return the index of the keys.

    Args:
        text: The content of ``images.txt``, with or without a newline at the end.
        path: Its path, for messages.

    Returns:
        (3 N + 2,) uint64, see :class:`KeyIndex`.

    Raises:
        TargetsError: The text is not UTF-8, or a line is not a key or occurs twice.
    """
    count = text.count(NEWLINE) + (text[-1:] not in (NEWLINE, b''))
    words = np.empty(3 * count + 2, np.uint64)
    words[0] = int(keys_hash(text), 16)
    hashes, rows, offsets = words[1 : 1 + count], words[1 + count : 1 + 2 * count], words[1 + 2 * count :]
    unsorted = np.fromiter(map(hash64, _checked_lines(text, path)), np.uint64, count)
    rows[:] = np.argsort(unsorted, kind='stable')
    hashes[:] = unsorted[rows]
    offsets[0] = 0
    # Only the last line may lack its newline, and its offset counts it all the same.
    np.cumsum(np.fromiter((len(line) for line in BytesIO(text)), np.uint64, count), out=offsets[1:])
    offsets[-1] += text[-1:] not in (NEWLINE, b'')
    _check_unique(KeyIndex(text, words), rows, np.flatnonzero(hashes[1:] == hashes[:-1]), path)
    return words


def _checked_lines(text: bytes, path: Path) -> Iterator[bytes]:
    """Yield the lines without newlines; raise a TargetsError at one that is not a key."""
    for number, line in enumerate(BytesIO(text), start=1):
        key = line.removesuffix(NEWLINE)
        try:
            decoded = key.decode('utf-8')
        except UnicodeDecodeError:
            raise TargetsError(f'{path}, line {number} is not UTF-8: save the file as UTF-8') from None
        if _NOT_A_KEY.search(key):
            raise TargetsError(
                f'{path}, line {number}: {decoded!r} is not a key. A key is the POSIX path of the image relative '
                "to the dataset's root: no leading '/', no backslash, no empty, '.' or '..' part, no control character"
            )
        yield key


def _check_unique(keys: KeyIndex, rows: np.ndarray, collisions: np.ndarray, path: Path) -> None:
    """Compare neighbours in hash order that have the same hash; raise a TargetsError if their keys are the same."""
    first_row: dict[str, int] = {}
    for row in sorted({int(row) for position in collisions for row in rows[position : position + 2]}):
        if (first := first_row.setdefault(keys[row], row)) != row:
            raise TargetsError(
                f'{path}: duplicate key {keys[row]!r} in lines {first + 1} and {row + 1}; '
                'an image has one row of answers: drop one of the lines'
            )


def _load_words(path: Path, text: mmap.mmap, expected_hash: str) -> np.ndarray | None:
    """Return the index, memory-mapped; None if it is damaged, or not of this text with this hash."""
    try:
        words = open_npy(path, TargetsError)
    except (OSError, TargetsError):
        return None
    if words.dtype != np.uint64 or words.ndim != 1 or len(words) < 5 or len(words) % 3 != 2:
        return None
    count = (len(words) - 2) // 3
    in_range = words[1 + count : 1 + 2 * count].max() < count and int(words[-1]) - len(text) in (0, 1)
    return words if in_range and int(words[0]) == int(expected_hash, 16) else None


def encode_keys(keys: Sequence[str], path: Path, first: int = 0) -> bytes:
    """Return the content of ``images.txt`` for ``keys``.

    Args:
        keys: The keys.
        path: Its path, for messages.
        first: The row of the first of the keys, for messages.

    Raises:
        TargetsError: A key cannot be a line of a UTF-8 file.
    """
    for row, key in enumerate(keys, start=first):
        if not isinstance(key, str) or '\n' in key:
            raise TargetsError(f'{path}: the key of row {row} must be a string of one line, got {key!r}')
    try:
        return ''.join(f'{key}\n' for key in keys).encode('utf-8')
    except UnicodeEncodeError as error:
        row = error.object.count('\n', 0, error.start)
        raise TargetsError(
            f'{path}: the key {keys[row]!r} of row {first + row} is not valid Unicode; rename the image'
        ) from None


def lines_of(keys: Sequence[str], rows: range, path: Path) -> bytes:
    """Return the content of ``images.txt`` for some consecutive keys; see :func:`encode_keys` for what is raised."""
    if isinstance(keys, KeyIndex):
        return keys.text(rows)
    return encode_keys(keys[rows.start : rows.stop], path, first=rows.start)
