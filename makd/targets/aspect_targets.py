"""The answers of a multimodal LLM about the images of a dataset, on disk."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from makd.errors import QuestionsError, TargetsError
from makd.questions import QuestionSet
from makd.targets.chained import ChainedArray
from makd.targets.description import Description
from makd.targets.folder import ARRAY_FILE, Content, TargetsFolder
from makd.targets.key_index import KEYS_FILE, lines_of
from makd.targets.logprobs import RowStream, check_fit, checked_blocks, chunks, find_damage, sigmoid_of_pair
from makd.targets.partitions import PARTITION_SIZE, PartitionedFolder, open_folder, write_answers
from makd.targets.region_key import named_by


class AspectTargets:
    """A memory-mapped folder of answers: log p(yes) and log p(no) for each image and question.

    The folder has ``meta.json`` (format version, questions and the hashes of questions and keys, free metadata),
    ``images.txt`` (one key per line: the POSIX path of the image relative to the dataset's root), ``logprobs.npy`` ((N,
    Q, 2) float32, [log p(yes), log p(no)] of the annotator's full softmax; NaN where there is no answer), the derived
    ``index.npy`` (see :class:`~makd.targets.key_index.KeyIndex`), for missing answers with a known reason
    ``failed.jsonl`` (``{"key": ..., "reason": ...}``, one image per line) and, if the answers are from an annotation
    run, ``fingerprints.npy``, which says what files the images were. A folder of many million images consists of
    partitions, which are such folders (see :mod:`makd.targets.partitions`).

    All processes that open the folder share the page cache. A pickled ``AspectTargets`` has the path and the selection,
    and opens the folder again. Reading is thread-safe.

    Attributes:
        path: The folder.
        questions: The Q questions.
        meta: Facts about the answers, as JSON values.
        has_label_mass: Whether p(yes) + p(no) says anything. It is 1 by construction if the annotator gave P(yes) only.

    Create one with :meth:`open`, :meth:`write` or :meth:`select`.
    """

    def __init__(
        self, folder: TargetsFolder | PartitionedFolder, questions: QuestionSet, columns: slice | np.ndarray
    ) -> None:
        self.path = folder.path
        self.questions = questions
        self.meta = dict(folder.description.meta)
        self.has_label_mass = folder.description.has_label_mass
        self._folder = folder
        self._keys = folder.keys
        self._array = folder.array
        self._columns = columns

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> 'AspectTargets':
        """Open a folder without reading the answers, which :meth:`validate` does.

        Raises:
            TargetsError: The folder is missing, incomplete or damaged, or has a newer format.
        """
        folder = open_folder(Path(path).absolute())
        questions = folder.description.questions
        return cls(folder, questions, slice(0, len(questions)))

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
        partition_size: int = PARTITION_SIZE,
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
            partition_size: The most images that a folder holds itself; more are written as partitions of this size.
            overwrite: Replace an existing folder of targets.

        Raises:
            TargetsError: A shape, a key or the path is invalid.
        """
        folder = Path(path).absolute()
        keys = keys if isinstance(keys, Sequence) else list(keys)
        shape = (len(keys), len(questions), 2)
        if isinstance(logprobs, np.ndarray):
            check_fit(folder, shape, logprobs.shape, logprobs.dtype)
            logprobs = (block for _, block in chunks(logprobs))
        answers = RowStream(checked_blocks(logprobs, folder, shape))
        files = None if fingerprints is None else RowStream(fingerprints)

        def content(rows: range) -> Content:
            return Content(
                lines_of(keys, rows, folder / KEYS_FILE),
                answers.take(len(rows)),
                ((key, failures[key]) for key in keys[rows.start : rows.stop] if key in failures) if failures else (),
                None if files is None else files.take(len(rows)),
            )

        description = Description(questions, meta or {}, has_label_mass)
        write_answers(folder, description, len(keys), content, partition_size=partition_size, overwrite=overwrite)
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
    def about(self) -> str:
        """What the answers are about: 'images', or 'regions' of images."""
        return named_by(self._keys[0])

    @property
    def logprobs(self) -> np.ndarray:
        """(N, Q, 2) float32, [log p(yes), log p(no)], read-only and memory-mapped.

        For a selection of scattered questions, and for a folder of partitions, each access makes a copy in memory.
        :meth:`blocks` and :meth:`logprobs_at` do not read everything at once.
        """
        return self._array[:][:, self._columns]

    @cached_property
    def num_missing(self) -> int:
        """The number of missing answers (NaN) among the N x Q. The first access reads the whole array."""
        return sum(int(np.isnan(block).all(axis=-1).sum()) for _, block in self.blocks())

    @property
    def content_hash(self) -> str:
        """SHA-256, as 64 hex digits, of the folder's question hash, keys and answers, whatever is selected.

        The first access reads every answer.
        """
        return self._folder.content_hash

    @property
    def failures(self) -> dict[str, str]:
        """The reason why answers are missing, for each image with a known reason.

        Raises:
            TargetsError: The file is damaged.
        """
        return self._folder.failures

    @property
    def failure_reasons(self) -> Counter[str]:
        """How many images lack answers for each of the known reasons, without a list of all images that do.

        Raises:
            TargetsError: The file is damaged.
        """
        return self._folder.failure_reasons

    @property
    def fingerprints(self) -> np.ndarray | ChainedArray | None:
        """What files the images were, (N,) ``FINGERPRINT``, memory-mapped; None if the folder does not say.

        Raises:
            TargetsError: The file is damaged.
        """
        return self._folder.fingerprints

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
        is_run = np.array_equal(columns, np.arange(run.start, run.stop))
        return AspectTargets(self._folder, questions, run if is_run else columns)

    def validate(self) -> None:
        """Read every answer to the selected questions, a few megabytes at a time, and look for impossible values.

        The index of the keys is compared with the keys.

        NaN for both log p(yes) and log p(no) is a missing answer, not damage, see :attr:`num_missing`.

        Raises:
            TargetsError: The index is damaged, or answers are impossible, see :func:`find_damage`. The message names
                each kind of damage with its count and its first image and question; of several partitions, the first
                that has any.
        """
        self._folder.validate_keys()
        for _, part in self._folder.parts():
            self._validate_answers(part)

    def _validate_answers(self, part: TargetsFolder) -> None:
        counts: dict[str, int] = {}
        first: dict[str, str] = {}
        for start, block in chunks(part.array):
            block = block[:, self._columns]
            for damage, mask in find_damage(block).items():
                if count := int(mask.sum()):
                    counts[damage] = counts.get(damage, 0) + count
                    row, column = np.argwhere(mask)[0]
                    first.setdefault(
                        damage,
                        f'image {part.keys[start + int(row)]!r}, question {self.questions[int(column)].id!r}: '
                        f'{block[row, column].tolist()}',
                    )
        if counts:
            listed = '; '.join(f'{damage}: {count} answers, first {first[damage]}' for damage, count in counts.items())
            raise TargetsError(f'{part.path / ARRAY_FILE} is damaged: {listed}. Annotate these images again')

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield all answers as (first row, (n, Q, 2) float32), a few megabytes at a time."""
        for first, part in self._folder.parts():
            for start, block in chunks(part.array):
                yield first + start, block[:, self._columns]

    def _explain_missing(self, key: str) -> str:
        message = f'{self.path} has no answers for the image {key!r}'
        if other := self._keys.same_name(key):
            return f'{message}, but for {other!r}. Keys are paths relative to the dataset: is data_root right?'
        return f'{message}: its {len(self)} keys look like {self.keys[0]!r}. Annotate the image, or leave it out'


def _reopen(path: Path, question_ids: tuple[str, ...]) -> AspectTargets:
    return AspectTargets.open(path).select(question_ids)
