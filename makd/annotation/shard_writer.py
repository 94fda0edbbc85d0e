"""Answers on their way into a targets folder, in shards, so that no finished work is lost."""

import fcntl
import glob
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
from makd.annotation.shard_files import ShardFiles
from makd.annotation.shard_manifest import MANIFEST, describe, read_manifest, refuse_another
from makd.errors import TargetsError
from makd.files import atomic_file, remove_folder, remove_leftovers
from makd.questions import QuestionSet
from makd.ranges import Count
from makd.registry import WRITERS
from makd.targets.aspect_targets import AspectTargets
from makd.targets.description import Description
from makd.targets.fingerprints import FINGERPRINT, UNKNOWN, find_changed
from makd.targets.folder import Content
from makd.targets.key_index import lines_of
from makd.targets.logprobs import find_damage
from makd.targets.partitions import PARTITION_SIZE, check_replaceable, write_answers
from makd.targets.region_key import image_of

LOCK = 'lock'
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

    The shards of ``DIR``, :class:`~makd.annotation.shard_files.ShardFiles`, are written to ``DIR.partial``; once all
    exist, they become ``DIR``. ``manifest.json`` describes the annotator, the questions and the images. A shard appears
    whole or not at all, so one that exists is finished. The finished folder depends only on the images and answers:
    neither on which process wrote which shard, nor on interruptions. While images lack answers, the shards stay, and
    the next run asks about those images only, and about those that have been replaced by others of the same name.

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
        self._shards = ShardFiles(self.partial, shard_size)
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
        self._shards = ShardFiles(self.partial, self.shard_size, len(keys), len(questions))
        self._manifest = describe(questions, keys, identity, self.shard_size)
        manifest = self.partial / MANIFEST
        if not self.resume:
            if self.out_dir.exists():
                check_replaceable(self.out_dir, overwrite=True)
        elif manifest.exists():
            refuse_another(manifest, read_manifest(manifest), self._manifest)
        elif self.out_dir.exists():
            targets = AspectTargets.open(self.out_dir)
            sections = {section: targets.meta.get(section) for section in identity}
            found = describe(targets.questions, targets.keys, sections, self.shard_size)
            refuse_another(self.out_dir, found, self._manifest)
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
        return read_manifest(path)['notes']

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
            merged, former_notes = np.array(self._shards.read(task.shard)), self._shards.read_notes(task.shard)
            merged_files = self._shards.read_fingerprints(task.shard)
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
            self._shards.write(task.shard, logprobs, notes, files, task.again)

    def written(self, tasks: Sequence[Task]) -> int:
        """Return how many images are in the shards of new tasks that have been written by now."""
        names = set(os.listdir(self.partial))
        return sum(len(task.rows) for task in tasks if not task.again and self._shards.path(task.shard).name in names)

    def finish(self, has_label_mass: bool = True) -> AspectTargets:
        """Join the shards, with one in memory at a time, and remove them if no image is to be asked about again.

        Args:
            has_label_mass: See :meth:`AspectTargets.write`.

        Raises:
            TargetsError: A shard is absent or damaged, or the folder cannot be written.
        """
        os.listdir(self.partial)  # makes network file systems look for the other machines' files
        manifest = read_manifest(self.partial / MANIFEST)
        notes = (note for shard in range(len(self._shards)) for note in self._shards.read_notes(shard).values())
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
        failures = self._shards.failures(range(len(self._keys))) if targets.failure_reasons else ()
        if all(refused for _, _, refused in failures):
            (self.partial / MANIFEST).unlink()  # first: shards without a manifest are discarded, not resumed
            shutil.rmtree(self.partial)
        return targets

    @property
    def _joined(self) -> Path:
        return self.partial / f'{JOINED}-{self.partition_size}'

    def _content(self, rows: range) -> Content:
        """Return what the folder is to hold about the rows, with one shard in memory at a time."""
        return Content(
            lines_of(self._keys, rows, self.out_dir),
            (self._shards.read_or_raise(shard)[part] for shard, part in self._shards.of_rows(rows)),
            ((self._keys[row], reason) for row, reason, _ in self._shards.failures(rows)),
            (self._shards.fingerprints_or_unknown(shard)[part] for shard, part in self._shards.of_rows(rows)),
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

    def _left_to_do(self) -> list[Task]:
        done = {shard for shard in range(len(self._shards)) if self._shards.is_there(shard)}
        absent = [Task(shard, self._shards.rows(shard)) for shard in range(len(self._shards)) if shard not in done]
        again = [Task(shard, self._to_ask_again(shard), again=True) for shard in sorted(done)]
        return absent + [task for task in again if task.rows]

    def _to_ask_again(self, shard: int) -> list[int]:
        """Return the images of a finished shard that lack answers, or whose answers may be about another file.

        An image about which the model refused to answer is not asked about again.
        """
        lacking, files = self._shards.without_answer(shard), self._shards.read_fingerprints(shard)
        if lacking:
            notes = self._shards.read_notes(shard)
            lacking = [row for row in lacking if not notes.get(row, {}).get('refused')]
        if files is None:
            self.num_unchecked += len(self._shards.rows(shard))
            return lacking
        changed = self._changed(self._shards.rows(shard), files)
        self.changed += [self._keys[row] for row in changed]
        # A kill between the answers and the fingerprints of a second try leaves answers about an unknown file.
        unknown = (self._shards.rows(shard)[index] for index in np.flatnonzero(files['hash'] == 0))
        return sorted({*lacking, *changed, *unknown})

    def _changed(self, rows: Sequence[int], files: np.ndarray) -> list[int]:
        paths = [self._data_root + image_of(self._keys[row]) for row in rows]
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
                f'{targets.path} is finished, and {len(self.changed)} of its {len(files)} {targets.about} below '
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


def _are_different(former: np.void, now: tuple[int, int, int]) -> bool:
    """Say whether two known files have another content."""
    return UNKNOWN not in (former.item(), now) and former['hash'] != now[2]


def _without_damage(logprobs: np.ndarray, reasons: Sequence[str | None]) -> tuple[np.ndarray, list[str | None]]:
    """Return the answers, NaN where they are not probabilities, and a reason exactly where an answer is missing."""
    logprobs, given = np.array(logprobs, np.float32), list(reasons)
    for damage, mask in find_damage(logprobs).items():
        for row in np.flatnonzero(mask.any(axis=1)):
            given[row] = given[row] or f'the model gave no probability: {damage}'
        logprobs[mask] = np.nan
    missing = np.isnan(logprobs).any(axis=(1, 2))
    return logprobs, [(reason or 'the model gave NaN') if lacks else None for reason, lacks in zip(given, missing)]
