"""The answers of a multimodal LLM about the images of a dataset, on disk."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from makd.errors import QuestionsError, TargetsError
from makd.files import atomic_folder, file_sha256, open_npy, parse_json, read_json, read_text
from makd.questions import QuestionSet
from makd.targets.fingerprints import FINGERPRINT
from makd.targets.key_index import INDEX_FILE, KEYS_FILE, KeyIndex, build_words, encode_keys, keys_hash
from makd.targets.logprobs import LOGPROBS, chunks, find_damage, open_array, sigmoid_of_pair, write_blocks

FORMAT = 'makd-targets'
FORMAT_VERSION = 1
META_FILE = 'meta.json'
ARRAY_FILE = 'logprobs.npy'
FAILED_FILE = 'failed.jsonl'
FINGERPRINTS_FILE = 'fingerprints.npy'
_REQUIRED_FILES = (META_FILE, KEYS_FILE, ARRAY_FILE)
_FILES = {*_REQUIRED_FILES, INDEX_FILE, FAILED_FILE, FINGERPRINTS_FILE}


class AspectTargets:
    """A memory-mapped folder of answers: log p(yes) and log p(no) for each image and question.

    The folder has ``meta.json`` (format version, questions and the hashes of questions and keys, free metadata),
    ``images.txt`` (one key per line: the POSIX path of the image relative to the dataset's root), ``logprobs.npy`` ((N,
    Q, 2) float32, [log p(yes), log p(no)] of the annotator's full softmax; NaN where there is no answer), the derived
    ``index.npy`` (see :class:`~makd.targets.key_index.KeyIndex`), for missing answers with a known reason
    ``failed.jsonl`` (``{"key": ..., "reason": ...}``, one image per line) and, if the answers are from an annotation
    run, ``fingerprints.npy``, which says what files the images were. All processes that open the folder share the page
    cache. A pickled ``AspectTargets`` has the path and the selection, and opens the folder again. Reading is thread-
    safe.

    Attributes:
        path: The folder.
        questions: The Q questions.
        meta: Facts about the answers, as JSON values.
        has_label_mass: Whether p(yes) + p(no) says anything. It is 1 by construction if the annotator gave P(yes) only.

    Create one with :meth:`open`, :meth:`write` or :meth:`select`.
    """

    def __init__(
        self,
        path: Path,
        *,
        questions: QuestionSet,
        meta: Mapping[str, Any],
        has_label_mass: bool,
        keys: KeyIndex,
        array: np.ndarray,
        columns: slice | np.ndarray,
    ) -> None:
        self.path = path
        self.questions = questions
        self.meta = dict(meta)
        self.has_label_mass = has_label_mass
        self._keys = keys
        self._array = array
        self._columns = columns

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> 'AspectTargets':
        """Open a folder without reading the answers, which :meth:`validate` does.

        Raises:
            TargetsError: The folder is missing, incomplete or damaged, or has a newer format.
        """
        folder = Path(path).absolute()
        _check_files(folder)
        meta = _read_meta(folder / META_FILE)
        questions = meta.questions
        array = open_array(folder / ARRAY_FILE)
        keys = KeyIndex.open(folder, meta.keys_hash)
        if len(keys) != len(array):
            raise TargetsError(
                f'{folder}: {KEYS_FILE} lists {len(keys)} images, {ARRAY_FILE} has answers for {len(array)}; '
                'the files do not belong together'
            )
        if len(questions) != array.shape[1]:
            raise TargetsError(
                f'{folder}: {META_FILE} has {len(questions)} questions, {ARRAY_FILE} has answers to {array.shape[1]}; '
                'the files do not belong together'
            )
        return cls(
            folder,
            questions=questions,
            meta=meta.meta,
            has_label_mass=meta.has_label_mass,
            keys=keys,
            array=array,
            columns=slice(0, len(questions)),
        )

    @classmethod
    def write(
        cls,
        path: str | os.PathLike[str],
        *,
        questions: QuestionSet,
        keys: Iterable[str],
        logprobs: np.ndarray | Iterable[np.ndarray],
        meta: Mapping[str, Any] | None = None,
        failures: Mapping[str, str] | None = None,
        fingerprints: Iterable[np.ndarray] | None = None,
        has_label_mass: bool = True,
        overwrite: bool = False,
    ) -> 'AspectTargets':
        """Write a folder and open it. It appears whole or not at all.

        Args:
            path: The folder; its parents are created.
            questions: The Q questions.
            keys: N keys, each the POSIX path of an image relative to the dataset's root.
            logprobs: (N, Q, 2) floating point, [log p(yes), log p(no)]; both NaN where there is no answer. It may be
                memory-mapped, or consist of blocks (n, Q, 2). The values are stored as float32 without a check, see
                :meth:`validate`.
            meta: Facts about the answers, as JSON values: model, prompt, versions.
            failures: Keys of images whose answers are missing, with the reason.
            fingerprints: What files the images were: blocks of N ``FINGERPRINT`` in all, see
                :mod:`makd.targets.fingerprints`. None if it is not known.
            has_label_mass: False if only P(yes) is known, and the values are log P(yes) and log(1 - P(yes)).
            overwrite: Replace an existing folder of targets.

        Raises:
            TargetsError: A shape, a key or the path is invalid.
        """
        folder, keys = Path(path).absolute(), list(keys)
        shape = (len(keys), len(questions), 2)
        if isinstance(logprobs, np.ndarray):
            _check_fit(folder, shape, logprobs.shape, logprobs.dtype)
            logprobs = (block for _, block in chunks(logprobs))
        if folder.exists():
            check_replaceable(folder, overwrite)
        text = encode_keys(keys, folder / KEYS_FILE)
        words = build_words(text, folder / KEYS_FILE)
        content = {
            'format': FORMAT,
            'format_version': FORMAT_VERSION,
            'keys_hash': keys_hash(text),
            'question_hash': questions.hash,
            'question_set': questions.to_dict(),
            'meta': dict(meta or {}),
            **({} if has_label_mass else {'has_label_mass': False}),
        }
        with atomic_folder(folder) as temporary:
            (temporary / META_FILE).write_text(json.dumps(content, indent=2, ensure_ascii=False) + '\n', 'utf-8')
            (temporary / KEYS_FILE).write_bytes(text)
            np.save(temporary / INDEX_FILE, words)
            if failures:
                lines = (json.dumps({'key': key, 'reason': failures[key]}, ensure_ascii=False) for key in failures)
                (temporary / FAILED_FILE).write_text(''.join(f'{line}\n' for line in lines), 'utf-8')
            with (temporary / ARRAY_FILE).open('wb') as file:
                write_blocks(file, LOGPROBS, shape, _checked(logprobs, folder, shape))
            if fingerprints is not None:
                with (temporary / FINGERPRINTS_FILE).open('wb') as file:
                    write_blocks(file, FINGERPRINT, (len(keys),), fingerprints)
        return cls.open(folder)

    def __len__(self) -> int:
        """Return N, the number of images."""
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __repr__(self) -> str:
        return f'AspectTargets({str(self.path)!r}: {len(self)} images, {len(self.questions)} questions)'

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.questions.ids)

    @property
    def keys(self) -> Sequence[str]:
        """The N keys in row order, read from the file on access."""
        return self._keys

    @property
    def logprobs(self) -> np.ndarray:
        """(N, Q, 2) float32, [log p(yes), log p(no)], read-only and memory-mapped.

        For a selection of scattered questions, each access makes a copy in memory.
        """
        return self._array[:, self._columns]

    @cached_property
    def num_missing(self) -> int:
        """The number of missing answers (NaN) among the N x Q. The first access reads the whole array."""
        return sum(int(np.isnan(block).all(axis=-1).sum()) for _, block in self.blocks())

    @cached_property
    def content_hash(self) -> str:
        """SHA-256, as 64 hex digits, of the folder's question hash, keys and answers, whatever is selected.

        The first access reads every answer.
        """
        question_hash = read_json(self.path / META_FILE, TargetsError)['question_hash']
        parts = [question_hash, *(file_sha256(self.path / name) for name in (KEYS_FILE, ARRAY_FILE))]
        return hashlib.sha256(' '.join(parts).encode()).hexdigest()

    @cached_property
    def failures(self) -> dict[str, str]:
        """The reason why answers are missing, for each image with a known reason.

        Raises:
            TargetsError: The file is damaged.
        """
        path = self.path / FAILED_FILE
        if not path.exists():
            return {}
        try:
            lines = [line for line in read_text(path, TargetsError).split('\n') if line]
            entries = [parse_json(line, path, TargetsError) for line in lines]
            return {entry['key']: entry['reason'] for entry in entries}
        except (KeyError, TypeError) as error:
            raise TargetsError(f'{path} is damaged ({error}): annotate again, or remove it') from None

    @cached_property
    def fingerprints(self) -> np.ndarray | None:
        """What files the images were, (N,) ``FINGERPRINT``, memory-mapped; None if the folder does not say.

        Raises:
            TargetsError: The file is damaged.
        """
        path = self.path / FINGERPRINTS_FILE
        if not path.exists():
            return None
        try:
            fingerprints = open_npy(path, TargetsError)
        except TargetsError as error:
            raise TargetsError(f'{error}: copy the folder again, or remove the file') from None
        if fingerprints.dtype != FINGERPRINT or fingerprints.shape != (len(self),):
            raise TargetsError(
                f'{path} has {fingerprints.dtype} of shape {fingerprints.shape}, expected {FINGERPRINT} of shape '
                f'({len(self)},): copy the folder again, or remove the file'
            )
        return fingerprints

    def mass_of(self, logprobs: np.ndarray) -> np.ndarray:
        """Return the label mass p(yes) + p(no) of answers of this folder.

        Args:
            logprobs: (..., 2), [log p(yes), log p(no)].

        Returns:
            (...) float64 in [0, 1]; NaN where there is no answer, and everywhere if ``has_label_mass`` is False.
        """
        if not self.has_label_mass:
            return np.full(logprobs.shape[:-1], np.nan)
        return np.exp(logprobs, dtype=np.float64).sum(axis=-1)

    def label_mass(self) -> np.ndarray:
        """Return the mean of p(yes) + p(no) over the images with an answer.

        A low mass means that the annotator tends to answer something other than yes or no.

        Returns:
            (Q,) float64 in [0, 1]; NaN if no image has an answer, or ``has_label_mass`` is False.
        """
        total, count = np.zeros((2, len(self.questions)))
        for _, block in self.blocks():
            mass = self.mass_of(block)
            total += np.nansum(mass, axis=0)
            count += (~np.isnan(mass)).sum(axis=0)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    def find(self, key: str) -> int | None:
        """Return the row of an image, or None."""
        return self._keys.find(key)

    def row(self, key: str) -> int:
        """Return the row of an image, in microseconds.

        Raises:
            TargetsError: The image has no row.
        """
        row = self.find(key)
        if row is None:
            raise TargetsError(self._explain_missing(key))
        return row

    def probability(self, key: str) -> np.ndarray:
        """Return P(yes) = sigmoid(log p(yes) - log p(no)) of an image (paper section 3.3).

        Returns:
            (Q,) float32 in [0, 1]; NaN where there is no answer.

        Raises:
            TargetsError: The image has no row.
        """
        return sigmoid_of_pair(self.logprobs_of(key)).astype(np.float32)

    def logprobs_of(self, key: str) -> np.ndarray:
        """Return [log p(yes), log p(no)] of an image.

        Returns:
            (Q, 2) float32; NaN where there is no answer.

        Raises:
            TargetsError: The image has no row.
        """
        return self._array[self.row(key)][self._columns]

    def logprobs_at(self, rows: np.ndarray) -> np.ndarray:
        """Return [log p(yes), log p(no)] of some rows (n,): (n, Q, 2) float32; NaN where there is no answer."""
        return self._array[rows][:, self._columns]

    def select(self, question_ids: Iterable[str] | None = None, top: int | None = None) -> 'AspectTargets':
        """Return the same folder with fewer questions: these ids in the given order, or the first ``top``.

        Nothing is copied. Without an argument, all questions stay.

        Raises:
            QuestionsError: An id is unknown, ``top`` is out of range, or both are given.
        """
        if question_ids is not None and top is not None:
            raise QuestionsError(f'give question_ids or top={top}, not both')
        questions = self.questions
        if question_ids is not None:
            questions = questions.select(question_ids)
        elif top is not None:
            questions = questions.top(top)
        position = {id_: column for column, id_ in enumerate(self.questions.ids)}
        columns = np.arange(self._array.shape[1])[self._columns][[position[id_] for id_ in questions.ids]]
        run = slice(int(columns[0]), int(columns[0]) + len(columns))
        return AspectTargets(
            self.path,
            questions=questions,
            meta=self.meta,
            has_label_mass=self.has_label_mass,
            keys=self._keys,
            array=self._array,
            columns=run if np.array_equal(columns, np.arange(run.start, run.stop)) else columns,
        )

    def validate(self) -> None:
        """Read every answer to the selected questions, a few megabytes at a time, and look for impossible values.

        The index of the keys is compared with the keys.

        NaN for both log p(yes) and log p(no) is a missing answer, not damage, see :attr:`num_missing`.

        Raises:
            TargetsError: The index is damaged, or answers are impossible, see :func:`find_damage`. The message names
                each kind of damage with its count and its first image and question.
        """
        self._keys.validate(self.path)
        counts: dict[str, int] = {}
        first: dict[str, str] = {}
        for start, block in self.blocks():
            for damage, mask in find_damage(block).items():
                if count := int(mask.sum()):
                    counts[damage] = counts.get(damage, 0) + count
                    row, column = np.argwhere(mask)[0]
                    first.setdefault(
                        damage,
                        f'image {self.keys[start + int(row)]!r}, question {self.questions[int(column)].id!r}: '
                        f'{block[row, column].tolist()}',
                    )
        if counts:
            listed = '; '.join(f'{damage}: {count} answers, first {first[damage]}' for damage, count in counts.items())
            raise TargetsError(f'{self.path / ARRAY_FILE} is damaged: {listed}. Annotate these images again')

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield all answers as (first row, (n, Q, 2) float32), a few megabytes at a time."""
        for start, block in chunks(self._array):
            yield start, block[:, self._columns]

    def _explain_missing(self, key: str) -> str:
        message = f'{self.path} has no answers for the image {key!r}'
        if other := self._keys.same_name(key):
            return f'{message}, but for {other!r}. Keys are paths relative to the dataset: is data_root right?'
        return f'{message}: its {len(self)} keys look like {self.keys[0]!r}. Annotate the image, or leave it out'


def _reopen(path: Path, question_ids: tuple[str, ...]) -> AspectTargets:
    return AspectTargets.open(path).select(question_ids)


def _check_files(folder: Path) -> None:
    if not folder.exists():
        raise TargetsError(f'there is no folder {folder}: check the path, or annotate the dataset first')
    absent = [name for name in _REQUIRED_FILES if not (folder / name).is_file()]
    if len(absent) == len(_REQUIRED_FILES):
        raise TargetsError(f'{folder} is not a folder of targets: it has none of {", ".join(_REQUIRED_FILES)}')
    if absent:
        raise TargetsError(f'{folder} is incomplete: {", ".join(absent)} is absent; copy or write the folder again')


class _Meta(NamedTuple):
    """The content of ``meta.json``; an older one has no hash of the keys."""

    questions: QuestionSet
    meta: dict[str, Any]
    keys_hash: str | None
    has_label_mass: bool


def _read_meta(path: Path) -> _Meta:
    content = read_json(path, TargetsError)
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise TargetsError(f'{path} does not describe targets: it lacks "format": "{FORMAT}"')
    if (version := content.get('format_version')) != FORMAT_VERSION:
        newer = isinstance(version, int) and version > FORMAT_VERSION
        raise TargetsError(
            f'{path}: format_version is {version!r}, this makd reads {FORMAT_VERSION}; '
            + ('install a newer makd' if newer else 'write the folder again')
        )
    try:
        questions = QuestionSet.from_dict(content.get('question_set'))
    except QuestionsError as error:
        raise TargetsError(f'{path}, question_set: {error}') from None
    if (stored := content.get('question_hash')) != questions.hash:
        raise TargetsError(
            f'{path}: question_hash is {stored!r}, but its questions have the hash {questions.hash!r}: they were '
            'changed after the annotator answered them. Restore them, or store the new hash if the meaning is the same'
        )
    if not isinstance(meta := content.get('meta', {}), dict):
        raise TargetsError(f'{path}: "meta" must be a JSON object, got {meta!r}')
    return _Meta(questions, meta, content.get('keys_hash'), content.get('has_label_mass', True) is not False)


def check_replaceable(folder: Path, overwrite: bool) -> None:
    """Raise a TargetsError unless the existing ``folder`` may be replaced: with ``overwrite``, and no other files."""
    if not overwrite:
        raise TargetsError(f'{folder} exists: choose another path, or overwrite it (overwrite=True, --overwrite)')
    if not folder.is_dir():
        raise TargetsError(f'{folder} is a file, not a folder of targets, and is not replaced: choose another path')
    if foreign := {file.name for file in folder.iterdir()} - _FILES:
        raise TargetsError(
            f'{folder} also holds {min(foreign)!r} and would lose it: move it away or choose another path'
        )


def _check_fit(folder: Path, expected: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype) -> None:
    if shape != expected or dtype.kind != 'f' or not expected[0]:
        raise TargetsError(
            f'{folder}: {expected[0]} keys and {expected[1]} questions need floating-point logprobs of shape '
            f'{expected} with at least one image, got {dtype} {shape}'
        )


def _checked(blocks: Iterable[np.ndarray], folder: Path, expected: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Yield the blocks; raise a TargetsError if one has another shape, or there are too many or too few rows."""
    rows, dtype = 0, np.dtype(np.float32)
    for block in blocks:
        rows, dtype = rows + len(block), block.dtype
        _check_fit(folder, expected, (max(rows, expected[0]), *block.shape[1:]), dtype)
        yield block
    _check_fit(folder, expected, (rows, *expected[1:]), dtype)
