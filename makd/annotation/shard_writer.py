"""Answers on their way into a targets folder, in shards, so that no finished work is lost."""

import fcntl
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from makd.annotation.answers import Answers
from makd.errors import TargetsError
from makd.files import atomic_file, open_npy, read_json, read_json_lines, remove_folder, remove_leftovers
from makd.questions import QuestionSet
from makd.ranges import Count
from makd.registry import WRITERS
from makd.targets.aspect_targets import AspectTargets
from makd.targets.description import Description
from makd.targets.fingerprints import FINGERPRINT, UNKNOWN, find_changed
from makd.targets.folder import Content
from makd.targets.key_index import lines_of
from makd.targets.logprobs import LOGPROBS, find_damage, open_array, write_blocks
from makd.targets.partitions import PARTITION_SIZE, check_replaceable, write_answers

MANIFEST = 'manifest.json'
LOCK = 'lock'
FORMAT = 'makd-shards 1'
_SHOWN = 5
JOINED = 'joined'  # in DIR.partial, joined-4000000 has the partitions of this size that are finished
_LISTED = 10  # keys in a message
_CHECKED = 4096  # images that are compared with their fingerprints at a time


@dataclass(frozen=True)
class Task:
    """A shard to compute, or the images of a finished shard that have no answer yet, or have changed since.

    Attributes:
        shard: Number of the shard.
        rows: Which of the N images to ask about, in ascending order.
        again: Whether the shard is finished.
    """

    shard: int
    rows: Sequence[int]
    again: bool = False


@WRITERS.register_module()
class ShardWriter:
    """Writes the answers about N images, and knows after an interruption what is left to do.

    Shard i holds the images [i S, (i + 1) S) of the N keys. The shards of ``DIR`` are written to ``DIR.partial``; once
    all exist, they become ``DIR``. ``manifest.json`` describes the annotator, the questions and the images;
    ``shard-000012.npy`` is (n, Q, 2) float32, [log p(yes), log p(no)] with NaN where there is no answer;
    ``shard-000012.jsonl``, written before it, has the reason for each image without answers, and
    ``shard-000012.files`` what files the images were, (n,) ``FINGERPRINT``. A shard appears whole or not at all, so
    one that exists is finished. The finished folder depends only on the images and answers: neither on which process
    wrote which shard, nor on interruptions. While images lack answers, the shards stay, and the next run asks about
    those images only, and about those that have been replaced by others of the same name.

    One process calls :meth:`open`, :meth:`begin` and, at the end, :meth:`finish`; any process on the same file system
    may call :meth:`write` in between.

    A folder of more than ``partition_size`` images consists of partitions, which wait for each other in a folder of
    ``DIR.partial`` with the size in its name, such as ``joined-4000000``. After an interruption, those that are there
    are not written again, unless an answer is still to come.

    Args:
        out_dir: The targets folder to write.
        shard_size: S, images per shard: the most that a killed process loses.
        resume: Continue an interrupted run. False discards its shards, and replaces its folder.
        partition_size: The most images that the folder holds itself, and that are joined at a time.

    Attributes:
        finished: After :meth:`open`, whether the folder exists and its shards are gone, so nothing is left to do.
        changed: After :meth:`open`, the keys of images that have answers, but are other files now.
        num_unchecked: After :meth:`open`, of how many images with answers it is not known what files they were.
        num_bounded: After :meth:`finish`, how many of the values are only bounds.
    """

    def __init__(
        self,
        out_dir: str | os.PathLike[str],
        shard_size: Count = 256,
        resume: bool = True,
        partition_size: Count = PARTITION_SIZE,
    ) -> None:
        for name, size in (('shard_size', shard_size), ('partition_size', partition_size)):
            if size < 1:
                raise TargetsError(f'{name}={size} must be at least 1')
        self.out_dir = Path(out_dir).absolute()
        self.partial = self.out_dir.with_name(f'{self.out_dir.name}.partial')
        self.shard_size = shard_size
        self.resume = resume
        self.partition_size = partition_size
        self.finished = False
        self.changed: list[str] = []
        self.num_unchecked = 0
        self.num_bounded = 0
        self._lock: BinaryIO | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the lock with this process: copies in others only :meth:`write`."""
        return {**vars(self), '_lock': None}

    def open(
        self, questions: QuestionSet, keys: Sequence[str], identity: Mapping[str, Any], data_root: str
    ) -> list[Task]:
        """Return what is left to do: first absent shards, then images without answers, and those that have changed.

        Args:
            questions: The Q questions.
            keys: The N keys, sorted.
            identity: Everything besides the questions and the images that decides the answers, as JSON values by
                section, for example ``{'teacher': {'model': ..., 'prompt': ...}}``.
            data_root: The folder that the keys are relative to, with a separator at its end.

        Raises:
            TargetsError: The answers on disk have other questions, images or identity, and ``resume`` keeps them; or
                the folder is finished, and images have been replaced since; or another run writes to them; or the disk
                has no room for the answers.
        """
        self._questions, self._keys, self._data_root = questions, keys, data_root
        self._manifest = _describe(questions, keys, identity, self.shard_size)
        manifest = self.partial / MANIFEST
        if not self.resume:
            if self.out_dir.exists():
                check_replaceable(self.out_dir, overwrite=True)
        elif manifest.exists():
            self._refuse_another(manifest, _read_json(manifest))
        elif self.out_dir.exists():
            targets = AspectTargets.open(self.out_dir)
            sections = {section: targets.meta.get(section) for section in identity}
            self._refuse_another(self.out_dir, _describe(targets.questions, targets.keys, sections, self.shard_size))
            self._refuse_changed_images(targets)
            self.finished = True
            if self.partial.exists():  # a run was killed while removing its shards, or before it began anew
                self._take_lock()
                shutil.rmtree(self.partial)
            return []
        self._take_lock()
        if not (self.resume and manifest.exists()):
            self._discard_all()
        tasks = self._left_to_do()
        self._discard_partitions(tasks)
        self._check_room(tasks)
        return tasks

    def begin(self, notes: Mapping[str, Any]) -> dict[str, Any]:
        """Write the manifest, before the first shard.

        Args:
            notes: Further JSON values for ``meta.json``, independent of time, place and the number of processes.

        Returns:
            The notes of the first run, which are kept.
        """
        path = self.partial / MANIFEST
        if not path.exists():
            self._manifest['notes'] = dict(notes)
            with self._keeping_the_shards(), atomic_file(path) as file:
                file.write((json.dumps(self._manifest, indent=2, ensure_ascii=False) + '\n').encode('utf-8'))
        return _read_json(path)['notes']

    def write(
        self,
        task: Task,
        answers: Sequence[Answers],
        fingerprints: Sequence[tuple[int, int, int]],
    ) -> None:
        """Write a shard, or the repeated images of a finished one.

        Values that are not probabilities become missing answers. A repeated image keeps its former answers if it had
        more of them, and is the same file.

        Args:
            task: The task.
            answers: The answers about each of its n rows.
            fingerprints: For each row, what file the image is.

        Raises:
            TargetsError: The shard cannot be written, for example because the disk is full.
        """
        logprobs, reasons = _without_damage(
            np.stack([answer.logprobs for answer in answers]), [answer.reason for answer in answers]
        )
        notes = {
            row: {'reason': reason, 'bounded': answer.bounded, **({'refused': True} if answer.refused else {})}
            for row, reason, answer in zip(task.rows, reasons, answers)
            if reason is not None or answer.bounded
        }
        files: np.ndarray | None = np.array(fingerprints, FINGERPRINT)
        first = task.shard * self.shard_size
        if task.again:
            merged, former_notes = np.array(self._read(task.shard)), self._read_notes(task.shard)
            merged_files = self._read_fingerprints(task.shard)
            for row, pairs, file_now in zip(task.rows, logprobs, fingerprints):
                index = row - first
                replaced = merged_files is not None and _are_different(merged_files[index], file_now)
                if replaced or np.isnan(pairs).sum() <= np.isnan(merged[index]).sum():
                    merged[index] = pairs
                    former_notes.pop(row, None)
                    if merged_files is not None:
                        merged_files[index] = file_now
                else:
                    notes.pop(row, None)
            logprobs, notes, files = merged, {**former_notes, **notes}, merged_files
        with self._keeping_the_shards():
            with atomic_file(self._path(task.shard, 'jsonl')) as file:
                for row in sorted(notes):
                    file.write((json.dumps({'row': row, **notes[row]}, ensure_ascii=False) + '\n').encode('utf-8'))
            # The answers end a new shard. In a finished one they come first: if the process is killed in between,
            # answers about a former image must not stand beside the fingerprint of the new one.
            for suffix in ('npy', 'files') if task.again else ('files', 'npy'):
                array, dtype = (logprobs, LOGPROBS) if suffix == 'npy' else (files, FINGERPRINT)
                if array is not None:
                    with atomic_file(self._path(task.shard, suffix)) as file:
                        write_blocks(file, dtype, array.shape, [array])

    def written(self, tasks: Sequence[Task]) -> int:
        """Return how many images are in the shards of new tasks that have been written by now."""
        names = set(os.listdir(self.partial))
        return sum(len(task.rows) for task in tasks if not task.again and self._path(task.shard, 'npy').name in names)

    def finish(self, has_label_mass: bool = True) -> AspectTargets:
        """Join the shards, with one in memory at a time, and remove them if no image is to be asked about again.

        Args:
            has_label_mass: See :meth:`AspectTargets.write`.

        Raises:
            TargetsError: A shard is absent or damaged, or the folder cannot be written.
        """
        os.listdir(self.partial)  # makes network file systems look for the other machines' files
        manifest = _read_json(self.partial / MANIFEST)
        notes = (note for shard in range(self._num_shards) for note in self._read_notes(shard).values())
        self.num_bounded = sum(note['bounded'] for note in notes)
        with self._keeping_the_shards():
            write_answers(
                self.out_dir,
                Description(self._questions, {**self._manifest['identity'], **manifest['notes']}, has_label_mass),
                len(self._keys),
                self._content,
                partition_size=self.partition_size,
                overwrite=True,
                unfinished=self._joined,
            )
        targets = AspectTargets.open(self.out_dir)
        if not targets.failure_reasons or all(refused for _, _, refused in self._failures(range(len(self._keys)))):
            (self.partial / MANIFEST).unlink()  # first: shards without a manifest are discarded, not resumed
            shutil.rmtree(self.partial)
        return targets

    @property
    def _joined(self) -> Path:
        return self.partial / f'{JOINED}-{self.partition_size}'

    @property
    def _num_shards(self) -> int:
        return -(-len(self._keys) // self.shard_size)

    def _rows(self, shard: int) -> range:
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, len(self._keys)))

    def _shards_of(self, rows: range) -> Iterator[tuple[int, slice]]:
        """Yield the shards that hold some of the rows, with the part of the shard that these are."""
        for shard in range(rows.start // self.shard_size, -(-rows.stop // self.shard_size)):
            first = shard * self.shard_size
            yield shard, slice(max(rows.start - first, 0), rows.stop - first)

    def _content(self, rows: range) -> Content:
        """Return what the folder is to hold about the rows, with one shard in memory at a time."""
        return Content(
            lines_of(self._keys, rows, self.out_dir),
            (self._read_or_raise(shard)[part] for shard, part in self._shards_of(rows)),
            ((self._keys[row], reason) for row, reason, _ in self._failures(rows)),
            (self._fingerprints_or_unknown(shard)[part] for shard, part in self._shards_of(rows)),
        )

    def _discard_all(self) -> None:
        """Remove what another run has left, the manifest first: shards without one may be from any run."""
        with self._keeping_the_shards():
            for path in sorted(self.partial.iterdir(), key=lambda path: path.name != MANIFEST):
                if path.is_dir():
                    remove_folder(path)
                elif path.name != LOCK:
                    path.unlink()

    def _discard_partitions(self, tasks: Sequence[Task]) -> None:
        """Remove the finished partitions if answers will change, and always those of another size.

        While the partitions of one size are used, the answers in those of another may change unnoticed.
        """
        with self._keeping_the_shards():
            for path in self.partial.glob(f'{JOINED}*'):
                if tasks or path != self._joined:
                    remove_folder(path)

    def _path(self, shard: int, suffix: str) -> Path:
        return self.partial / f'shard-{shard:06d}.{suffix}'

    def _read(self, shard: int) -> np.ndarray:
        """Return a shard, (n, Q, 2); an empty array if it is absent or damaged."""
        try:
            return open_array(self._path(shard, 'npy'))
        except (TargetsError, OSError):
            return np.empty((0, 0, 2), np.float32)

    def _is_done(self, shard: int) -> bool:
        return self._read(shard).shape == (len(self._rows(shard)), len(self._questions), 2)

    def _read_or_raise(self, shard: int) -> np.ndarray:
        if not self._is_done(shard):
            raise TargetsError(f'{self._path(shard, "npy")} is absent or damaged: give the same command again')
        return self._read(shard)

    def _read_fingerprints(self, shard: int) -> np.ndarray | None:
        """Return what files the images of a shard were; None in a shard of a makd that did not store it."""
        try:
            files = np.array(open_npy(self._path(shard, 'files'), TargetsError))  # not a view of a file to be replaced
        except (OSError, TargetsError):
            return None
        return files if files.dtype == FINGERPRINT and files.shape == self._read(shard).shape[:1] else None

    def _fingerprints_or_unknown(self, shard: int) -> np.ndarray:
        files = self._read_fingerprints(shard)
        return np.zeros(len(self._rows(shard)), FINGERPRINT) if files is None else files

    def _read_notes(self, shard: int) -> dict[int, dict[str, Any]]:
        """Return the notes on the images of a shard, by row."""
        path = self._path(shard, 'jsonl')
        if not path.exists():
            return {}
        return {entry.pop('row'): entry for entry in read_json_lines(path, TargetsError)}

    def _without_answer(self, shard: int) -> list[int]:
        missing = np.isnan(self._read(shard)).any(axis=(1, 2))
        return [self._rows(shard)[index] for index in np.flatnonzero(missing)]

    def _failures(self, rows: range) -> Iterator[tuple[int, str, bool]]:
        """Yield each image without all answers, in order: row, reason, and whether the model refused."""
        for shard, _ in self._shards_of(rows):
            if lacking := [row for row in self._without_answer(shard) if row in rows]:
                notes = self._read_notes(shard)
                # A kill between notes and shard of a second try leaves the notes ahead of the answers.
                for row in lacking:
                    note = notes.get(row, {})
                    yield row, note.get('reason') or 'interrupted', note.get('refused', False)

    def _left_to_do(self) -> list[Task]:
        done = {shard for shard in range(self._num_shards) if self._is_done(shard)}
        absent = [Task(shard, self._rows(shard)) for shard in range(self._num_shards) if shard not in done]
        again = [Task(shard, self._to_ask_again(shard), again=True) for shard in sorted(done)]
        return absent + [task for task in again if task.rows]

    def _to_ask_again(self, shard: int) -> list[int]:
        """Return the images of a finished shard that lack answers, or whose answers may be about another file.

        An image about which the model refused to answer is not asked about again.
        """
        lacking, files = self._without_answer(shard), self._read_fingerprints(shard)
        if lacking:
            notes = self._read_notes(shard)
            lacking = [row for row in lacking if not notes.get(row, {}).get('refused')]
        if files is None:
            self.num_unchecked += len(self._rows(shard))
            return lacking
        changed = self._changed(self._rows(shard), files)
        self.changed += [self._keys[row] for row in changed]
        # A kill between the answers and the fingerprints of a second try leaves answers about an unknown file.
        unknown = (self._rows(shard)[index] for index in np.flatnonzero(files['hash'] == 0))
        return sorted({*lacking, *changed, *unknown})

    def _changed(self, rows: Sequence[int], files: np.ndarray) -> list[int]:
        paths = [self._data_root + self._keys[row] for row in rows]
        return [rows[index] for index in find_changed(paths, files)]

    def _refuse_changed_images(self, targets: AspectTargets) -> None:
        files = targets.fingerprints
        if files is None:
            self.num_unchecked = len(targets)
            return
        for start in range(0, len(files), _CHECKED):
            block = files[start : start + _CHECKED]
            self.num_unchecked += int((block['hash'] == 0).sum())
            self.changed += [self._keys[row] for row in self._changed(range(start, start + len(block)), block)]
        if self.changed:
            listed = '\n  '.join(self.changed[:_LISTED] + ['...'] * (len(self.changed) > _LISTED))
            raise TargetsError(
                f'{targets.path} is finished, and {len(self.changed)} of its {len(files)} images below '
                f'{self._data_root} have been replaced by others of the same name since they were asked about:\n  '
                f'{listed}\nRestore them, choose another folder (writer.out_dir), or annotate all images anew with '
                '--no-resume.'
            )

    def _take_lock(self) -> None:
        """Refuse to work alongside another run, and remove files that killed runs left half-written."""
        self.partial.mkdir(parents=True, exist_ok=True)
        self._lock = (self.partial / LOCK).open('wb')
        try:
            # Unlike flock's, this lock is not inherited by forked loader workers, which can outlive a killed run.
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise TargetsError(
                f'another run is writing to {self.partial}: wait until it ends, end it, or choose another out_dir'
            ) from None
        except OSError:  # a network file system without locks
            pass
        remove_leftovers(self.partial)
        remove_leftovers(self.out_dir.parent, glob.escape(self.out_dir.name))

    def _check_room(self, tasks: list[Task]) -> None:
        images = sum(len(task.rows) for task in tasks)
        needed = (images + len(self._keys)) * len(self._questions) * 8  # the shards, then the folder
        free = shutil.disk_usage(self.partial).free
        if images and needed > free:
            raise TargetsError(
                f'{self.partial}: the answers need {needed / 1e9:.2f} GB and the disk has {free / 1e9:.2f} GB left: '
                'make room, or choose another out_dir'
            )

    @contextmanager
    def _keeping_the_shards(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TargetsError(
                f'cannot write next to {self.out_dir}: {error.strerror or error}. Finished shards are kept in '
                f'{self.partial}: fix the cause and give the same command again'
            ) from error

    def _refuse_another(self, place: Path, on_disk: Mapping[str, Any]) -> None:
        found, wanted = dict(_flat(on_disk, '')), dict(_flat(self._manifest, ''))
        different = [
            f'{field.removeprefix("identity.")}: on disk {found.get(field)!r}, in the config {wanted.get(field)!r}'
            for field in {**wanted, **found}
            if found.get(field) != wanted.get(field) and not field.startswith('notes')
        ]
        if different:
            listed = '\n  '.join(different[:_SHOWN] + ['...'] * (len(different) > _SHOWN))
            raise TargetsError(
                f'{place} has answers that must not be mixed with the answers of this run:\n  {listed}\nRestore the '
                'config, choose another folder (writer.out_dir), or start anew with --no-resume, which discards them.'
            )


def _are_different(former: np.void, now: tuple[int, int, int]) -> bool:
    """Say whether two known files have another content."""
    return UNKNOWN not in (former.item(), now) and former['hash'] != now[2]


def _describe(
    questions: QuestionSet, keys: Sequence[str], identity: Mapping[str, Any], shard_size: int
) -> dict[str, Any]:
    """Return the description that distinguishes one run's answers from another's, as JSON values."""
    digest = hashlib.sha256()
    for key in keys:
        digest.update(f'{key}\n'.encode())
    return {
        'format': FORMAT,
        'questions': [[question.id, question.text] for question in questions],
        'images': {'count': len(keys), 'sha256': digest.hexdigest()},
        'identity': json.loads(json.dumps(identity)),
        'shard_size': shard_size,
    }


def _without_damage(logprobs: np.ndarray, reasons: Sequence[str | None]) -> tuple[np.ndarray, list[str | None]]:
    """Return the answers, NaN where they are not probabilities, and a reason exactly where an answer is missing."""
    logprobs, given = np.array(logprobs, np.float32), list(reasons)
    for damage, mask in find_damage(logprobs).items():
        for row in np.flatnonzero(mask.any(axis=1)):
            given[row] = given[row] or f'the model gave no probability: {damage}'
        logprobs[mask] = np.nan
    missing = np.isnan(logprobs).any(axis=(1, 2))
    return logprobs, [(reason or 'the model gave NaN') if lacks else None for reason, lacks in zip(given, missing)]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path, TargetsError)
    except TargetsError as error:
        raise TargetsError(f'{error}: start anew with --no-resume') from None
    if not isinstance(content, dict) or content.get('format') != FORMAT:
        raise TargetsError(f'{path} does not say "format": "{FORMAT}": start anew with --no-resume')
    return content


def _flat(node: Any, field: str) -> Iterator[tuple[str, Any]]:
    """Yield the leaves of JSON values with their fields, such as 'teacher.prompt'."""
    if isinstance(node, dict | list) and node:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _flat(value, f'{field}.{key}' if field else str(key))
    else:
        yield field, node
