"""Answers about many millions of images: a folder of partitions, each a folder of targets."""

import hashlib
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from makd.errors import TargetsError
from makd.files import atomic_folder, read_json, replace_folder, write_text
from makd.targets.chained import ChainedArray, ChainedKeys
from makd.targets.description import FORMAT, Description
from makd.targets.fingerprints import FINGERPRINT
from makd.targets.folder import (
    FILES,
    META_FILE,
    Content,
    TargetsFolder,
    read_failures,
    write_folder,
)
from makd.targets.key_index import KeyIndex, hash64, keys_hash
from makd.targets.logprobs import LOGPROBS, chunks, npy_header

PARTITION_SIZE = 4_000_000
MANIFEST_FILE = 'partitions.json'
MANIFEST_VERSION = 1
_NAME = re.compile(r'part-\d{5,}')


@dataclass(frozen=True)
class Partition:
    """What the manifest says about a partition.

    Attributes:
        name: Its folder.
        count: The number of its images.
        first_key: The smallest of its keys, by their UTF-8.
        last_key: The largest.
        keys_hash: Hash of its keys in the order of the rows.
        answers_hash: Hash of its answers, which tells it from the same partition of another run.
    """

    name: str
    count: int
    first_key: str
    last_key: str
    keys_hash: str
    answers_hash: str


class PartitionedFolder:
    """The partitions of a folder as one folder. Each is opened when it is needed, and checked against the manifest.

    If another folder has taken the path by then, nothing of it is read: the partitions that are open stay as they were,
    and those that are not raise a TargetsError.

    Attributes:
        path: The folder.
        description: The questions, and how they were answered.
        keys: The N keys.
        array: (N, Q, 2) float32, [log p(yes), log p(no)].
    """

    def __init__(self, path: Path, description: Description, partitions: Sequence[Partition]) -> None:
        self.path = path
        self.description = description
        self._partitions = partitions
        self._opened: dict[int, TargetsFolder] = {}
        self._starts = list(accumulate((partition.count for partition in partitions), initial=0))
        ranges = [(partition.first_key, partition.last_key) for partition in partitions]
        self.keys = ChainedKeys(self._starts, ranges, self._open_keys)
        self.array = ChainedArray(self._starts, self._open_answers, (len(description.questions), 2), LOGPROBS)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open files with this process: a copy opens them when it needs them."""
        read_on_access = ('failures', 'fingerprints')
        return {name: value for name, value in vars(self).items() if name not in read_on_access} | {'_opened': {}}

    @classmethod
    def open(cls, path: Path) -> 'PartitionedFolder':
        """Read the manifest of a folder.

        Raises:
            TargetsError: The manifest is damaged or of a newer format, or the folder of a partition is absent.
        """
        if (path / META_FILE).exists():
            raise TargetsError(
                f'{path} has both {MANIFEST_FILE} and {META_FILE}, the files of two folders: copy the right one again'
            )
        description, content = Description.read(path / MANIFEST_FILE, MANIFEST_VERSION)
        partitions = _read_partitions(path / MANIFEST_FILE, content)
        if absent := [partition.name for partition in partitions if not (path / partition.name).is_dir()]:
            raise TargetsError(
                f'{path} is incomplete: {len(absent)} of its {len(partitions)} partitions are absent, first '
                f'{absent[0]}; copy or write the folder again'
            )
        return cls(path, description, partitions)

    def parts(self) -> Iterator[tuple[int, TargetsFolder]]:
        """Yield the folders that it consists of with their first rows."""
        for number, start in enumerate(self._starts[:-1]):
            yield start, self._open(number)

    @cached_property
    def failures(self) -> dict[str, str]:
        """The reason why answers are missing, for each image with a known reason."""
        found: dict[str, str] = {}
        with self._not_replaced():
            for partition in self._partitions:
                found.update(read_failures(self.path / partition.name))
        return found

    @cached_property
    def failure_reasons(self) -> Counter[str]:
        """How many images lack answers for each of the known reasons."""
        with self._not_replaced():
            folders = (self.path / partition.name for partition in self._partitions)
            return Counter(reason for folder in folders for _, reason in read_failures(folder))

    @cached_property
    def fingerprints(self) -> ChainedArray | None:
        """What files the images were, (N,) ``FINGERPRINT``; None if no partition says."""
        with self._not_replaced():
            found = [part.fingerprints for _, part in self.parts()]
        if all(known is None for known in found):
            return None
        arrays = [
            np.zeros(partition.count, FINGERPRINT) if known is None else known
            for partition, known in zip(self._partitions, found)
        ]
        return ChainedArray(self._starts, arrays.__getitem__, (), FINGERPRINT)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the hashes of questions, keys and answers: that of a single folder of the same content."""
        keys, answers = hashlib.sha256(), hashlib.sha256(npy_header(LOGPROBS, self.array.shape))
        for _, part in self.parts():
            keys.update(part.keys.text(range(len(part.keys))))
            for _, block in chunks(part.array):
                answers.update(block.data)
        parts = [self.description.questions.hash, keys.hexdigest(), answers.hexdigest()]
        return hashlib.sha256(' '.join(parts).encode()).hexdigest()

    def validate_keys(self) -> None:
        """Compare indexes with keys, and keys with the manifest.

        Raises:
            TargetsError: Keys are not found by the index or the manifest, or are in two partitions.
        """
        for partition, (_, part) in zip(self._partitions, self.parts()):
            part.validate_keys()
            if (found := part.keys.extremes()) != (partition.first_key, partition.last_key):
                raise TargetsError(
                    f'{self.path / MANIFEST_FILE}: the keys of {partition.name} lie between {found[0]!r} and '
                    f'{found[1]!r}, it says {partition.first_key!r} and {partition.last_key!r}; write the folder again'
                )
        self.check_distinct()

    def _open(self, number: int) -> TargetsFolder:
        if number not in self._opened:
            partition = self._partitions[number]
            with self._not_replaced():
                opened = TargetsFolder.open(self.path / partition.name)
                _check_member(partition, self.description, opened)
            self._opened[number] = opened
        return self._opened[number]

    def _open_keys(self, number: int) -> KeyIndex:
        return self._open(number).keys

    def _open_answers(self, number: int) -> np.ndarray:
        return self._open(number).array

    @contextmanager
    def _not_replaced(self) -> Iterator[None]:
        """Raise a TargetsError if another folder has the path, whatever reading it gave.

        The manifest is looked at afterwards: the folder may be replaced while it is read.
        """
        try:
            yield
        finally:
            if not self._has_path():
                raise TargetsError(
                    f'{self.path} was replaced while it was open: open it again. Partitions are opened when they are '
                    'first needed, and those of the former folder are no longer there'
                ) from None

    def _has_path(self) -> bool:
        """Say whether the manifest on disk still names these partitions."""
        try:
            manifest = read_json(self.path / MANIFEST_FILE, TargetsError)
        except TargetsError:
            return False
        listed = [asdict(partition) for partition in self._partitions]
        return isinstance(manifest, dict) and manifest.get('partitions_hash') == _hash(listed)

    def check_distinct(self) -> None:
        """Raise a TargetsError if a key is in two partitions, which cannot be if their keys do not overlap."""
        if not self.keys.overlap:
            return
        all_keys = [part.keys for _, part in self.parts()]
        # The hashes are sorted, so those with the same first byte can be compared at a time.
        first_of_byte = np.arange(256, dtype=np.uint64) << np.uint64(56)
        bounds = [np.append(np.searchsorted(keys.hashes, first_of_byte), len(keys)) for keys in all_keys]
        for byte in range(256):
            hashes = np.sort(
                np.concatenate([keys.hashes[at[byte] : at[byte + 1]] for keys, at in zip(all_keys, bounds)])
            )
            for hashed in np.unique(hashes[1:][hashes[1:] == hashes[:-1]]).tolist():
                owners: dict[str, str] = {}
                for partition, keys in zip(self._partitions, all_keys):
                    for key in keys.with_hash(hashed):
                        if (other := owners.setdefault(key, partition.name)) != partition.name:
                            raise TargetsError(
                                f'{self.path}: duplicate key {key!r} in {other} and {partition.name}; an image has '
                                'one row of answers: drop one of them'
                            )


def open_folder(path: Path) -> TargetsFolder | PartitionedFolder:
    """Open a folder of either kind, without reading the answers.

    Raises:
        TargetsError: The folder is absent, incomplete or damaged, or has a newer format.
    """
    return (PartitionedFolder if (path / MANIFEST_FILE).exists() else TargetsFolder).open(path)


def write_answers(
    path: Path,
    description: Description,
    count: int,
    content: Callable[[range], Content],
    *,
    partition_size: int,
    overwrite: bool,
    unfinished: Path | None = None,
) -> None:
    """Write a folder, of partitions if there are more images than fit in one. It appears whole or not at all.

    Args:
        path: The folder.
        description: The questions, and how they were answered.
        count: N, the number of images.
        content: Returns what to write about some rows; it is called for one partition after the other.
        partition_size: The most images of a partition.
        overwrite: Replace an existing folder of targets.
        unfinished: A folder on the same disk, where partitions wait for the others. If the process is killed, the next
            one finds them there and does not write them again. Only partitions of these answers and this size may be
            there. Defaults to None: nothing is kept.

    Raises:
        TargetsError: A key is invalid, or occurs twice; or the folder exists, and is not to be replaced.
        OSError: The folder cannot be written.
    """
    if partition_size < 1:
        raise TargetsError(f'partition_size={partition_size} must be at least 1')
    if path.exists():
        check_replaceable(path, overwrite)
    if count <= partition_size:
        write_folder(path, description, content(range(count)))
    elif unfinished is None:
        with atomic_folder(path) as temporary:
            _write_partitions(temporary, description, count, content, partition_size)
    else:
        _write_partitions(unfinished, description, count, content, partition_size)
        replace_folder(path, unfinished)


def check_replaceable(folder: Path, overwrite: bool) -> None:
    """Raise a TargetsError unless the existing ``folder`` may be replaced: with ``overwrite``, and no other files."""
    if not overwrite:
        raise TargetsError(f'{folder} exists: choose another path, or overwrite it (overwrite=True, --overwrite)')
    if not folder.is_dir():
        raise TargetsError(f'{folder} is a file, not a folder of targets, and is not replaced: choose another path')
    inside = [path for path in folder.iterdir() if path.name != MANIFEST_FILE]
    partitions = [path for path in inside if _NAME.fullmatch(path.name) and path.is_dir()]
    files = [path for path in inside if path not in partitions]
    files += [path for partition in partitions for path in partition.iterdir()]
    if foreign := sorted(str(path.relative_to(folder)) for path in files if path.name not in FILES):
        raise TargetsError(f'{folder} also holds {foreign[0]!r} and would lose it: move it away or choose another path')


def _write_partitions(
    whole: Path, description: Description, count: int, content: Callable[[range], Content], partition_size: int
) -> None:
    """Write the partitions that are absent, and the manifest."""
    whole.mkdir(exist_ok=True)
    names = []
    for number, start in enumerate(range(0, count, partition_size)):
        name, part = f'part-{number:05d}', content(range(start, min(start + partition_size, count)))
        if not _is_written(whole / name, description, part):
            write_folder(whole / name, description, part)
        names.append(name)
    for path in whole.iterdir():  # half-written by a killed process
        if path.name not in names:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    listed = [asdict(_describe(TargetsFolder.open(whole / name))) for name in names]
    head = {'format': FORMAT, 'format_version': MANIFEST_VERSION}
    manifest = {**head, **description.to_dict(), 'partitions_hash': _hash(listed), 'partitions': listed}
    write_text(whole / MANIFEST_FILE, json.dumps(manifest, indent=2, ensure_ascii=False) + '\n')
    PartitionedFolder.open(whole).check_distinct()


def _is_written(folder: Path, description: Description, content: Content) -> bool:
    if not folder.exists():
        return False
    try:
        written = TargetsFolder.open(folder)
    except TargetsError:
        return False
    return written.keys_hash == keys_hash(content.text) and not _differences(written.description, description)


def _describe(part: TargetsFolder) -> Partition:
    return Partition(part.path.name, len(part.keys), *part.keys.extremes(), str(part.keys_hash), str(part.answers_hash))


def _check_member(partition: Partition, description: Description, found: TargetsFolder) -> None:
    """Raise a TargetsError if a partition is not the one that the manifest names."""
    different = _differences(found.description, description)
    for field, value in (
        ('keys_hash', found.keys_hash),
        ('answers_hash', found.answers_hash),
        ('count', len(found.keys)),
    ):
        if value != (expected := getattr(partition, field)):
            different.append(f'its {field} is {value!r}, the manifest says {expected!r}')
    if different:
        raise TargetsError(
            f'{found.path} is not the partition that {MANIFEST_FILE} names: {"; ".join(different)}. Copy the partition '
            'again, or write the folder again'
        )


def _differences(found: Description, expected: Description) -> list[str]:
    """Return in what a partition differs from the whole."""
    values = {
        'question_hash': (found.questions.hash, expected.questions.hash),
        'has_label_mass': (found.has_label_mass, expected.has_label_mass),
    }
    different = [f'its {field} is {a!r}, the manifest says {b!r}' for field, (a, b) in values.items() if a != b]
    wanted = json.loads(json.dumps(dict(expected.meta)))
    for field in sorted({*found.meta, *wanted}):
        if (a := found.meta.get(field)) != (b := wanted.get(field)):
            different.append(f'its meta.{field} is {a!r:.200}, the manifest says {b!r:.200}')
    return different


def _read_partitions(path: Path, content: Mapping[str, Any]) -> list[Partition]:
    """Return what a manifest says about the partitions; raise a TargetsError if it is damaged."""
    listed = content.get('partitions')
    if content.get('partitions_hash') != _hash(listed):
        raise TargetsError(f'{path} is damaged: its partitions do not have the hash that it names; copy it again')
    types = {field.name: int if field.name == 'count' else str for field in fields(Partition)}
    if not isinstance(listed, list) or not listed:
        raise TargetsError(f'{path}: "partitions" must be a list of partitions, got {listed!r:.100}')
    for entry in listed:
        is_one = isinstance(entry, dict) and {name: type(value) for name, value in entry.items()} == types
        if not is_one or not _NAME.fullmatch(entry['name']) or entry['count'] < 1:
            raise TargetsError(f'{path}: {entry!r:.200} does not describe a partition; write the folder again')
    partitions = [Partition(**entry) for entry in listed]
    if len({partition.name for partition in partitions}) < len(partitions):
        raise TargetsError(f'{path} names a partition twice; write the folder again')
    return partitions


def _hash(listed: Any) -> str:
    return f'{hash64(json.dumps(listed, sort_keys=True).encode()):016x}'
