"""Write files and folders atomically, read text with clear error messages, and compute checksums."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np

from makd.errors import MakdError

_LONGEST_WORD = 200  # bytes; file systems allow names of 255
# Parts of a path that picture_name() drops, or that look like what it puts in their place.
_AMBIGUOUS = re.compile(r'_|\.\./|://|\.\w+\.png$')


def read_text(path: str | os.PathLike[str], error: type[MakdError]) -> str:
    """Return the content of a UTF-8 file, without the byte order mark that some editors put first.

    Raises:
        MakdError: The file cannot be read or is not UTF-8. It is of the type ``error``.
    """
    with _reading(path, error):
        return Path(path).read_text(encoding='utf-8-sig')


def read_json_lines(path: str | os.PathLike[str], error: type[MakdError]) -> Iterator[Any]:
    """Yield the values of a file with one line of JSON for each, with one line in memory at a time.

    See :func:`read_text` and :func:`parse_json` for what is raised.
    """
    with _reading(path, error), Path(path).open(encoding='utf-8-sig', newline='\n') as file:
        for line in file:
            if line != '\n':
                yield parse_json(line, path, error)


@contextmanager
def _reading(path: str | os.PathLike[str], error: type[MakdError]) -> Iterator[None]:
    try:
        yield
    except OSError as reason:
        raise error(f'cannot read {path}: {reason.strerror}; check the path') from None
    except UnicodeDecodeError as reason:
        raise error(f'{path} is not UTF-8 (byte {reason.start}): save it as UTF-8') from None


def parse_json(text: str | bytes, source: str | os.PathLike[str], error: type[MakdError], **options: Any) -> Any:
    """Parse JSON.

    Args:
        text: The JSON.
        source: Where it comes from, for messages.
        error: Type of the error.
        **options: Arguments of ``json.loads``.

    Raises:
        MakdError: It is not JSON, is nested too deeply, or has a number of too many digits.
    """
    try:
        return json.loads(text, **options)
    except (ValueError, RecursionError) as reason:
        raise error(f'{source} is not JSON: {reason}') from None


def read_json(path: str | os.PathLike[str], error: type[MakdError], **options: Any) -> Any:
    """Read a JSON file; see :func:`read_text` and :func:`parse_json` for what is raised."""
    return parse_json(read_text(path, error), path, error, **options)


def open_npy(path: str | os.PathLike[str], error: type[MakdError]) -> np.ndarray:
    """Open a ``.npy`` file memory-mapped.

    Raises:
        MakdError: It is not such a file, is cut off, or holds Python objects. It is of the type ``error``.
        OSError: It cannot be read.
    """
    try:
        return np.lib.format.open_memmap(path, mode='r')
    except OSError:
        raise
    except Exception as reason:  # the header is parsed as Python, and can raise nearly anything
        raise error(f'{path} is not a NumPy array ({reason})') from None


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file of any size, as 64 hex digits."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _hidden_sibling(path: Path) -> Path:
    # Next to the target, because a rename is only atomic within one file system.
    return path.with_name(f'.{path.name}.{uuid4().hex[:12]}.tmp')


def remove_leftovers(folder: Path, name: str = '*') -> None:
    """Remove the temporary files that :func:`atomic_path` and :func:`atomic_folder` of killed processes left behind.

    No process may be writing to the folder.

    Args:
        folder: The parent of the files and folders that were being written.
        name: The final name, or a pattern.
    """
    for leftover in folder.glob(f'.{name}.{"[0-9a-f]" * 12}.tmp'):
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def picture_name(image: str) -> str:
    """Return the name of a PNG file about an image: its path or URL in one word, with '_' between folders.

    Different images have different names: where the word could also stand for another path, or is too long for a file
    name, it ends with a hash of the path.
    """
    path = image if '://' in image else os.path.relpath(image)
    word = path.partition('://')[2] or path
    word = word.replace('..' + os.sep, '').replace(os.sep, '_').removesuffix('.png')
    if len(os.fsencode(word)) <= _LONGEST_WORD and not _AMBIGUOUS.search(path):
        return f'{word}.png'
    end = os.fsencode(word)[-_LONGEST_WORD:].decode('utf-8', 'ignore')
    return f'{end}-{hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()}.png'


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield the path of a file to write, which replaces ``path`` once the block ends without an exception.

    Until then ``path`` is unchanged. The bytes are on disk before the name is (fsync, then rename).
    """
    temporary = _hidden_sibling(path)
    try:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno and error.filename is None:  # "No space left on device" does not say where
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
    _fsync(path.parent)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces ``path`` once the block ends without an exception, as :func:`atomic_path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open('wb') as file:
        yield file


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file whole, see :func:`atomic_file`."""
    with atomic_file(path) as file:
        file.write(text.encode('utf-8'))


def remove_folder(path: Path) -> None:
    """Remove a folder, so that nobody takes what is left of it for the whole: it loses its name first.

    :func:`remove_leftovers` finds the rest if the process is killed.

    Raises:
        OSError: It cannot be renamed, and is as it was; or not all of its files can be removed.
    """
    nameless = _hidden_sibling(path)
    os.rename(path, nameless)
    shutil.rmtree(nameless)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder whose files replace the folder ``path`` once the block ends without an exception.

    Until then ``path`` is unchanged; :func:`replace_folder` says what a power cut leaves.
    """
    temporary = _hidden_sibling(path)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.iterdir():
            _fsync(file)
        _fsync(temporary)
        replace_folder(path, temporary)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(path: Path, finished: Path) -> None:
    """Give a finished folder of the same file system the name ``path``, and remove the folder that had it.

    A folder cannot be renamed over another, so an existing ``path`` is first renamed to a hidden sibling; a power cut
    between the two renames leaves both folders complete, but hidden.
    """
    previous = _hidden_sibling(path)
    if path.exists():
        os.rename(path, previous)
    try:
        os.rename(finished, path)
    except BaseException:
        if previous.exists():
            os.rename(previous, path)
        raise
    _fsync(path.parent)
    shutil.rmtree(previous, ignore_errors=True)
