"""The shards of an unfinished targets folder on disk."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from makd.errors import TargetsError
from makd.files import atomic_file, open_npy, read_json_lines
from makd.targets.fingerprints import FINGERPRINT
from makd.targets.logprobs import LOGPROBS, open_array, write_blocks


class ShardFiles:
    """Reads and writes shards. Shard i holds the rows [i S, (i + 1) S) of N images; absent and damaged ones are alike.

    ``shard-000012.npy`` is (n, Q, 2) float32, [log p(yes), log p(no)] with NaN where there is no answer;
    ``shard-000012.jsonl`` has the notes on images, and ``shard-000012.files`` what files the images were, (n,)
    ``FINGERPRINT``.

    Args:
        folder: Where they are.
        size: S, images per shard.
        num_images: N. Those who only write need not know it.
        num_questions: Q. Likewise.
    """

    def __init__(self, folder: Path, size: int, num_images: int = 0, num_questions: int = 0) -> None:
        self._folder, self._size, self._num_images, self._num_questions = folder, size, num_images, num_questions

    def __len__(self) -> int:
        """Return the number of shards."""
        return -(-self._num_images // self._size)

    def rows(self, shard: int) -> range:
        """Return the rows of a shard."""
        return range(shard * self._size, min((shard + 1) * self._size, self._num_images))

    def of_rows(self, rows: range) -> Iterator[tuple[int, slice]]:
        """Yield the shards that hold some of the rows, with the part of the shard that these are."""
        for shard in range(rows.start // self._size, -(-rows.stop // self._size)):
            first = shard * self._size
            yield shard, slice(max(rows.start - first, 0), rows.stop - first)

    def path(self, shard: int, suffix: str = 'npy') -> Path:
        """Return the path of one of a shard's files."""
        return self._folder / f'shard-{shard:06d}.{suffix}'

    def write(
        self,
        shard: int,
        logprobs: np.ndarray,
        notes: Mapping[int, Mapping[str, Any]],
        fingerprints: np.ndarray | None,
        again: bool,
    ) -> None:
        """Write a shard, or write it again.

        A new one ends with the answers: if they are there, all is there. One that is written again begins with them: if
        the process is killed in between, answers about a former image must not stand beside the fingerprint of the new.

        Args:
            shard: Its number.
            logprobs: (n, Q, 2) float32.
            notes: Notes on images, by row.
            fingerprints: (n,) ``FINGERPRINT``; None leaves the file as it is.
            again: Whether it is there already.

        Raises:
            OSError: The disk is full, for example.
        """
        with atomic_file(self.path(shard, 'jsonl')) as file:
            for row in sorted(notes):
                file.write((json.dumps({'row': row, **notes[row]}, ensure_ascii=False) + '\n').encode('utf-8'))
        arrays = [('files', FINGERPRINT, fingerprints), ('npy', LOGPROBS, logprobs)]
        for suffix, dtype, array in reversed(arrays) if again else arrays:
            if array is not None:
                with atomic_file(self.path(shard, suffix)) as file:
                    write_blocks(file, dtype, array.shape, [array])

    def read(self, shard: int) -> np.ndarray:
        """Return the answers of a shard, (n, Q, 2); an empty array if it is absent or damaged."""
        try:
            return open_array(self.path(shard))
        except (TargetsError, OSError):
            return np.empty((0, 0, 2), np.float32)

    def is_there(self, shard: int) -> bool:
        """Say whether a shard is there, undamaged and of the right shape."""
        return self.read(shard).shape == (len(self.rows(shard)), self._num_questions, 2)

    def read_or_raise(self, shard: int) -> np.ndarray:
        """Return the answers of a shard; raise a TargetsError if it is not there."""
        if not self.is_there(shard):
            raise TargetsError(f'{self.path(shard)} is absent or damaged: give the same command again')
        return self.read(shard)

    def read_fingerprints(self, shard: int) -> np.ndarray | None:
        """Return what files the images of a shard were; None in a shard of a makd that did not store it."""
        try:
            files = np.array(open_npy(self.path(shard, 'files'), TargetsError))  # not a view of a file to be replaced
        except (OSError, TargetsError):
            return None
        return files if files.dtype == FINGERPRINT and files.shape == self.read(shard).shape[:1] else None

    def fingerprints_or_unknown(self, shard: int) -> np.ndarray:
        """Return what files the images of a shard were; zeros if it is not known."""
        files = self.read_fingerprints(shard)
        return np.zeros(len(self.rows(shard)), FINGERPRINT) if files is None else files

    def read_notes(self, shard: int) -> dict[int, dict[str, Any]]:
        """Return the notes on the images of a shard, by row."""
        path = self.path(shard, 'jsonl')
        if not path.exists():
            return {}
        return {entry.pop('row'): entry for entry in read_json_lines(path, TargetsError)}

    def without_answer(self, shard: int) -> list[int]:
        """Return the rows of a shard that lack an answer."""
        missing = np.isnan(self.read(shard)).any(axis=(1, 2))
        return [self.rows(shard)[index] for index in np.flatnonzero(missing)]

    def failures(self, rows: range) -> Iterator[tuple[int, str, bool]]:
        """Yield each row without all answers, in order: row, reason, and whether the model refused."""
        for shard, _ in self.of_rows(rows):
            if lacking := [row for row in self.without_answer(shard) if row in rows]:
                notes = self.read_notes(shard)
                # A kill between notes and shard of a second try leaves the notes ahead of the answers.
                for row in lacking:
                    note = notes.get(row, {})
                    yield row, note.get('reason') or 'interrupted', note.get('refused', False)
