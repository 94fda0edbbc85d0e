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

from makd.errors import TargetsError
from makd.files import atomic_file, read_text, remove_leftovers
from makd.questions import QuestionSet
from makd.registry import WRITERS
from makd.targets.aspect_targets import AspectTargets, check_replaceable, find_damage, open_array, write_float32

MANIFEST = 'manifest.json'
LOCK = 'lock'
FORMAT = 'makd-shards 1'
_SHOWN = 5


@dataclass(frozen=True)
class Task:
    """A shard to compute, or the images of a finished shard that have no answer yet.

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
    ``shard-000012.jsonl``, written before it, has the reason for each image without answers. A shard appears whole or
    not at all, so one that exists is finished. The finished folder depends only on the answers: neither on which
    process wrote which shard, nor on interruptions. While images lack answers, the shards stay, and the next run asks
    about those images only.

    One process calls :meth:`open`, :meth:`begin` and, at the end, :meth:`finish`; any process on the same file system
    may call :meth:`write` in between.

    Args:
        out_dir: The targets folder to write.
        shard_size: S, images per shard: the most that a killed process loses.
        resume: Continue an interrupted run. False discards its shards, and replaces its folder.

    Attributes:
        finished: After :meth:`open`, whether the folder exists and its shards are gone, so nothing is left to do.
        num_bounded: After :meth:`finish`, how many of the values are only bounds.
    """

    def __init__(self, out_dir: str | os.PathLike[str], shard_size: int = 256, resume: bool = True) -> None:
        if shard_size < 1:
            raise TargetsError(f'shard_size={shard_size} must be at least 1')
        self.out_dir = Path(out_dir).absolute()
        self.partial = self.out_dir.with_name(f'{self.out_dir.name}.partial')
        self.shard_size = shard_size
        self.resume = resume
        self.finished = False
        self.num_bounded = 0
        self._lock: BinaryIO | None = None

    def open(self, questions: QuestionSet, keys: Sequence[str], identity: Mapping[str, Any]) -> list[Task]:
        """Return what is left to do: first absent shards, then images without answers.

        Args:
            questions: The Q questions.
            keys: The N keys, sorted.
            identity: Everything besides the questions and the images that decides the answers, as JSON values by
                section, for example ``{'teacher': {'model': ..., 'prompt': ...}}``.

        Raises:
            TargetsError: The answers on disk have other questions, images or identity, and ``resume`` keeps them; or
                another run writes to them; or the disk has no room for the answers.
        """
        self._questions, self._keys = questions, keys
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
            self.finished = True
            if self.partial.exists():  # a run was killed while removing its shards, or before it began anew
                self._take_lock()
                shutil.rmtree(self.partial)
            return []
        self._take_lock()
        if not (self.resume and manifest.exists()):  # shards without a manifest may be from any run
            for name in set(os.listdir(self.partial)) - {LOCK}:
                (self.partial / name).unlink()
        tasks = self._left_to_do()
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

    def write(self, task: Task, logprobs: np.ndarray, reasons: Sequence[str | None], bounded: Sequence[int]) -> None:
        """Write a shard, or the repeated images of a finished one.

        Values that are not probabilities become missing answers. A repeated image keeps its former answers if it had
        more of them.

        Args:
            task: The task.
            logprobs: (n, Q, 2) floating point, for the n rows of the task; NaN where there is no answer.
            reasons: For each row, why answers are missing; None where none is.
            bounded: For each row, how many of the values are only bounds.

        Raises:
            TargetsError: The shard cannot be written, for example because the disk is full.
        """
        logprobs, reasons = _without_damage(logprobs, reasons)
        notes = {
            row: {'reason': reason, 'bounded': count}
            for row, reason, count in zip(task.rows, reasons, bounded)
            if reason is not None or count
        }
        first = task.shard * self.shard_size
        if task.again:
            merged, former_notes = np.array(self._read(task.shard)), self._read_notes(task.shard)
            for row, answers in zip(task.rows, logprobs):
                if np.isnan(answers).sum() <= np.isnan(merged[row - first]).sum():
                    merged[row - first] = answers
                    former_notes.pop(row, None)
                else:
                    notes.pop(row, None)
            logprobs, notes = merged, {**former_notes, **notes}
        with self._keeping_the_shards():
            with atomic_file(self._path(task.shard, 'jsonl')) as file:
                for row in sorted(notes):
                    file.write((json.dumps({'row': row, **notes[row]}, ensure_ascii=False) + '\n').encode('utf-8'))
            with atomic_file(self._path(task.shard, 'npy')) as file:
                write_float32(file, logprobs.shape, [logprobs])

    def written(self, tasks: Sequence[Task]) -> int:
        """Return how many images are in the shards of new tasks that have been written by now."""
        names = set(os.listdir(self.partial))
        return sum(len(task.rows) for task in tasks if not task.again and self._path(task.shard, 'npy').name in names)

    def finish(self) -> AspectTargets:
        """Join the shards, with one in memory at a time, and remove them if every image has all answers.

        Raises:
            TargetsError: A shard is absent or damaged, or the folder cannot be written.
        """
        os.listdir(self.partial)  # makes network file systems look for the other machines' files
        manifest = _read_json(self.partial / MANIFEST)
        failures = {self._keys[row]: reason for row, reason in self._failures()}
        notes = (note for shard in range(self._num_shards) for note in self._read_notes(shard).values())
        self.num_bounded = sum(note['bounded'] for note in notes)
        with self._keeping_the_shards():
            targets = AspectTargets.write(
                self.out_dir,
                questions=self._questions,
                keys=self._keys,
                logprobs=(self._read_or_raise(shard) for shard in range(self._num_shards)),
                meta={**self._manifest['identity'], **manifest['notes']},
                failures=failures,
                overwrite=True,
            )
        if not failures:
            (self.partial / MANIFEST).unlink()  # first: shards without a manifest are discarded, not resumed
            shutil.rmtree(self.partial)
        return targets

    @property
    def _num_shards(self) -> int:
        return -(-len(self._keys) // self.shard_size)

    def _rows(self, shard: int) -> range:
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, len(self._keys)))

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

    def _read_notes(self, shard: int) -> dict[int, dict[str, Any]]:
        """Return the notes on the images of a shard, by row."""
        path = self._path(shard, 'jsonl')
        entries = (
            [json.loads(line) for line in read_text(path, TargetsError).split('\n') if line] if path.exists() else []
        )
        return {entry.pop('row'): entry for entry in entries}

    def _without_answer(self, shard: int) -> list[int]:
        missing = np.isnan(self._read(shard)).any(axis=(1, 2))
        return [self._rows(shard)[index] for index in np.flatnonzero(missing)]

    def _failures(self) -> Iterator[tuple[int, str]]:
        """Yield row and reason of each image without all answers, in order."""
        for shard in range(self._num_shards):
            if rows := self._without_answer(shard):
                notes = self._read_notes(shard)
                # A kill between notes and shard of a second try leaves the notes ahead of the answers.
                yield from ((row, notes.get(row, {}).get('reason') or 'interrupted') for row in rows)

    def _left_to_do(self) -> list[Task]:
        done = {shard for shard in range(self._num_shards) if self._is_done(shard)}
        absent = [Task(shard, self._rows(shard)) for shard in range(self._num_shards) if shard not in done]
        again = [Task(shard, self._without_answer(shard), again=True) for shard in sorted(done)]
        return absent + [task for task in again if task.rows]

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
        content = json.loads(read_text(path, TargetsError))
    except json.JSONDecodeError as error:
        content = {'format': f'not JSON: {error}'}
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
