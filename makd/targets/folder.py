"""A folder of answers on disk: what is in which file."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from makd.errors import TargetsError
from makd.files import atomic_folder, file_sha256, open_npy, read_json_lines
from makd.targets.description import FORMAT, Description
from makd.targets.fingerprints import FINGERPRINT
from makd.targets.key_index import INDEX_FILE, KEYS_FILE, NEWLINE, KeyIndex, build_words, keys_hash
from makd.targets.logprobs import LOGPROBS, open_array, write_blocks

FORMAT_VERSION = 1
META_FILE = 'meta.json'
ARRAY_FILE = 'logprobs.npy'
FAILED_FILE = 'failed.jsonl'
FINGERPRINTS_FILE = 'fingerprints.npy'
_REQUIRED_FILES = (META_FILE, KEYS_FILE, ARRAY_FILE)
FILES = frozenset({*_REQUIRED_FILES, INDEX_FILE, FAILED_FILE, FINGERPRINTS_FILE})


class Content(NamedTuple):
    """What a folder holds besides its description.

    Attributes:
        text: The keys of n images, as ``images.txt`` lists them.
        logprobs: Blocks of (n, Q, 2), [log p(yes), log p(no)].
        failures: Keys of images whose answers are missing, with the reason.
        fingerprints: Blocks of (n,) ``FINGERPRINT``; None if it is not known what files the images were.
    """

    text: bytes
    logprobs: Iterable[np.ndarray]
    failures: Iterable[tuple[str, str]] = ()
    fingerprints: Iterable[np.ndarray] | None = None


class TargetsFolder:
    """The files of a folder, opened: keys and answers are memory-mapped, the others are read on access.

    Attributes:
        path: The folder.
        description: The questions, and how they were answered.
        keys_hash: Hash of the keys in the order of the rows; None in a folder of a makd that stored none.
        answers_hash: Hash of the answers as they were written; None in a folder of a makd that stored none.
        keys: The N keys.
        array: (N, Q, 2) float32, [log p(yes), log p(no)].
    """

    def __init__(
        self,
        path: Path,
        description: Description,
        keys_hash: str | None,
        answers_hash: str | None,
        keys: KeyIndex,
        array: np.ndarray,
    ) -> None:
        self.path = path
        self.description = description
        self.keys_hash = keys_hash
        self.answers_hash = answers_hash
        self.keys = keys
        self.array = array

    @classmethod
    def open(cls, path: Path) -> 'TargetsFolder':
        """Open a folder without reading the answers.

        Raises:
            TargetsError: The folder is absent, incomplete or damaged, or has a newer format.
        """
        _check_files(path)
        description, content = Description.read(path / META_FILE, FORMAT_VERSION)
        array = open_array(path / ARRAY_FILE)
        keys = KeyIndex.open(path, content.get('keys_hash'))
        if len(keys) != len(array):
            raise TargetsError(
                f'{path}: {KEYS_FILE} lists {len(keys)} images, {ARRAY_FILE} has answers for {len(array)}; '
                'the files do not belong together'
            )
        if len(description.questions) != array.shape[1]:
            raise TargetsError(
                f'{path}: {META_FILE} has {len(description.questions)} questions, {ARRAY_FILE} has answers to '
                f'{array.shape[1]}; the files do not belong together'
            )
        return cls(path, description, content.get('keys_hash'), content.get('answers_hash'), keys, array)

    def parts(self) -> Iterator[tuple[int, 'TargetsFolder']]:
        """Yield the folders that it consists of with their first rows: itself."""
        yield 0, self

    @cached_property
    def failures(self) -> dict[str, str]:
        """The reason why answers are missing, for each image with a known reason."""
        return dict(read_failures(self.path))

    @cached_property
    def failure_reasons(self) -> Counter[str]:
        """How many images lack answers for each of the known reasons."""
        return Counter(reason for _, reason in read_failures(self.path))

    @cached_property
    def fingerprints(self) -> np.ndarray | None:
        """What files the images were, (N,) ``FINGERPRINT``, memory-mapped; None if the folder does not say."""
        path = self.path / FINGERPRINTS_FILE
        if not path.exists():
            return None
        try:
            fingerprints = open_npy(path, TargetsError)
        except TargetsError as error:
            raise TargetsError(f'{error}: copy the folder again, or remove the file') from None
        if fingerprints.dtype != FINGERPRINT or fingerprints.shape != (len(self.keys),):
            raise TargetsError(
                f'{path} has {fingerprints.dtype} of shape {fingerprints.shape}, expected {FINGERPRINT} of shape '
                f'({len(self.keys)},): copy the folder again, or remove the file'
            )
        return fingerprints

    @cached_property
    def content_hash(self) -> str:
        """SHA-256, as 64 hex digits, of the hashes of questions, keys and answers."""
        files = (file_sha256(self.path / name) for name in (KEYS_FILE, ARRAY_FILE))
        return hashlib.sha256(' '.join([self.description.questions.hash, *files]).encode()).hexdigest()

    def validate_keys(self) -> None:
        """Compare the index with the keys; raise a TargetsError if keys are not found by it."""
        self.keys.validate(self.path)


def write_folder(path: Path, description: Description, content: Content) -> None:
    """Write a folder, which appears whole or not at all, in place of an existing one.

    Raises:
        TargetsError: A line is not a key, or occurs twice.
        OSError: The folder cannot be written.
    """
    words = build_words(content.text, path / KEYS_FILE)
    count = content.text.count(NEWLINE)
    with atomic_folder(path) as temporary:
        (temporary / KEYS_FILE).write_bytes(content.text)
        np.save(temporary / INDEX_FILE, words)
        del words  # a partition's index takes 100 MB
        if lines := [
            json.dumps({'key': key, 'reason': reason}, ensure_ascii=False) for key, reason in content.failures
        ]:
            (temporary / FAILED_FILE).write_text(''.join(f'{line}\n' for line in lines), 'utf-8')
        with (temporary / ARRAY_FILE).open('wb') as file:
            answers_hash = write_blocks(file, LOGPROBS, (count, len(description.questions), 2), content.logprobs)
        if content.fingerprints is not None:
            with (temporary / FINGERPRINTS_FILE).open('wb') as file:
                write_blocks(file, FINGERPRINT, (count,), content.fingerprints)
        head = {'format': FORMAT, 'format_version': FORMAT_VERSION}
        hashes = {'keys_hash': keys_hash(content.text), 'answers_hash': answers_hash}
        meta = json.dumps({**head, **hashes, **description.to_dict()}, indent=2, ensure_ascii=False)
        (temporary / META_FILE).write_text(meta + '\n', 'utf-8')


def read_failures(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each image whose answers are missing for a known reason, with the reason.

    Raises:
        TargetsError: The file is damaged.
    """
    path = folder / FAILED_FILE
    if not path.exists():
        return
    for entry in read_json_lines(path, TargetsError):
        match entry:
            case {'key': str(key), 'reason': str(reason)}:
                yield key, reason
            case _:
                raise TargetsError(f'{path} is damaged ({entry!r:.100}): annotate again, or remove it')


def _check_files(folder: Path) -> None:
    if not folder.exists():
        raise TargetsError(f'there is no folder {folder}: check the path, or annotate the dataset first')
    absent = [name for name in _REQUIRED_FILES if not (folder / name).is_file()]
    if len(absent) == len(_REQUIRED_FILES):
        raise TargetsError(f'{folder} is not a folder of targets: it has none of {", ".join(_REQUIRED_FILES)}')
    if absent:
        raise TargetsError(f'{folder} is incomplete: {", ".join(absent)} is absent; copy or write the folder again')
