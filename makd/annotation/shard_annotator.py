"""What every process of an annotation run does, whoever started it: read images, ask about them, write their shards."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from makd.annotation.annotation_images import AnnotationImages
from makd.annotation.annotators import Annotator
from makd.annotation.answers import Answers
from makd.annotation.estimate import Estimate
from makd.annotation.shard_writer import ShardWriter, Task
from makd.errors import AnnotatorStopped, ConfigError, DataError, TargetsError
from makd.registry import MODELS
from makd.targets.fingerprints import UNKNOWN
from makd.version import __version__

MAX_TRIED = 100  # images, in search of a readable one
SAMPLED = 3  # images, to estimate what all will take


class ShardAnnotator:
    """Does tasks with one annotator. A batch lies within one shard; loader workers prepare images meanwhile.

    Args:
        annotator: The annotator.
        images: The images of all tasks.
        writer: What the shards are written with; :meth:`ShardWriter.open` has been called, maybe by another process.
        loader: ``batch_size``, and other arguments of ``torch.utils.data.DataLoader``.
    """

    def __init__(
        self, annotator: Annotator, images: AnnotationImages, writer: ShardWriter, loader: Mapping[str, Any]
    ) -> None:
        self.annotator, self.images, self.writer = annotator, images, writer
        self._settings = dict(loader)
        self._batch_size = self._settings.pop('batch_size', 1)

    def start(self) -> dict[str, Any]:
        """Let the annotator check itself; return the notes for :meth:`ShardWriter.begin`.

        Raises:
            DataError: No image can be read.
        """
        self.images.prepare = self.annotator.preparer
        (first,) = self._readable(1)
        report = self.annotator.start(self.images.image(first['index']))
        self.images.prepare = self.annotator.preparer
        return {'self_check': report, 'versions': _versions(), 'batch_size': self._batch_size}

    def estimate(self) -> Estimate:
        """Ask about three images from all over the dataset, and measure; :meth:`start` has been called."""
        inputs = [item['inputs'] for item in self._readable(SAMPLED)]
        before = copy.copy(self.annotator.usage)
        start = time.perf_counter()
        answers = self.annotator.answer(inputs)
        seconds, usage = time.perf_counter() - start, self.annotator.usage
        # One that the server did not even take costs nothing, and would make the others cheap.
        answered = sum(answer.refused or bool(np.isfinite(answer.logprobs).any()) for answer in answers)
        return Estimate(answered or len(inputs), seconds, usage and before and usage.since(before))

    def annotate(self, tasks: Sequence[Task], advance: Callable[[int, float], None]) -> Iterator[Task]:
        """Do the tasks, and yield each as soon as its shard is written.

        Args:
            tasks: The tasks of this process.
            advance: Called after each batch with its number of images and the seconds that the annotator took.

        Raises:
            AnnotatorStopped: The annotator cannot go on. All answers so far are kept.
        """
        batches = [
            list(task.rows[start : start + self._batch_size])
            for task in tasks
            for start in range(0, len(task.rows), self._batch_size)
        ]
        settings = self._settings if batches else {}
        loader = iter(DataLoader(self.images, batch_sampler=batches, collate_fn=list, **settings))
        for task in tasks:
            answers: list[Answers] = []
            fingerprints: list[tuple[int, int, int]] = []
            try:
                while len(answers) < len(task.rows):
                    items = next(loader)
                    fingerprints += [item['fingerprint'] for item in items]
                    answers += self._answer(items, advance)
                self.writer.write(task, answers, fingerprints)
            except TargetsError:
                raise
            except BaseException as error:
                answers += getattr(error, 'answers', [])
                self._keep(task, answers, fingerprints[: len(answers)])
                raise
            yield task

    def _keep(self, task: Task, answers: list[Answers], fingerprints: list[tuple[int, int, int]]) -> None:
        """Write the answers of an unfinished task, which may have been paid for; the others are asked for again."""
        if not any(np.isfinite(answer.logprobs).any() for answer in answers):
            return
        rest = len(task.rows) - len(answers)
        if task.again:
            task = Task(task.shard, task.rows[: len(answers)], again=True)
        else:
            answers = answers + [Answers.missing(len(self.annotator.questions), 'the run ended before')] * rest
            fingerprints = fingerprints + [UNKNOWN] * rest
        self.writer.write(task, answers, fingerprints)

    @torch.no_grad()
    def _answer(self, items: list[dict[str, Any]], advance: Callable[[int, float], None]) -> list[Answers]:
        """Return the answers about a batch; for an unreadable image, NaN and the reason."""
        inputs = [item['inputs'] for item in items if item['error'] is None]
        start = time.perf_counter()
        try:
            answered = self.annotator.answer(inputs) if inputs else []
        except (AnnotatorStopped, KeyboardInterrupt) as error:
            arrived = getattr(error, 'answers', [])
            kept = self._with_unreadable(items, arrived) if arrived else []
            if isinstance(error, AnnotatorStopped):
                text = f'{error}\nAll answers so far are kept in {self.writer.partial}: give the same command again.'
                raise AnnotatorStopped(text, kept) from error
            error.answers = kept  # type: ignore[attr-defined]
            raise
        advance(len(items), time.perf_counter() - start)
        return self._with_unreadable(items, answered)

    def _with_unreadable(self, items: list[dict[str, Any]], answered: Iterable[Answers]) -> list[Answers]:
        """Return the answers about all items, from those about the readable ones."""
        rest, num_questions = iter(answered), len(self.annotator.questions)
        return [Answers.missing(num_questions, item['error']) if item['error'] else next(rest) for item in items]

    def _readable(self, count: int) -> list[dict[str, Any]]:
        """Return the items of some images that can be read and prepared: the first, the last, one between."""
        tried = range(0, len(self.images), max(1, len(self.images) // MAX_TRIED))
        order = dict.fromkeys([tried[0], tried[-1], tried[len(tried) // 2], *tried])
        items = (self.images[index] for index in order)
        found = list(islice((item for item in items if item['error'] is None), count))
        if not found:
            first = self.images[0]
            raise DataError(
                f'none of {len(tried)} {self.images.about} below {self.images.data_root} can be read and prepared; '
                f'{first["key"]}: {first["error"]}. Is dataloader.dataset right?'
            )
        return found


def build_annotator(config: Any) -> Annotator:
    """Return the annotator of a config."""
    annotator = MODELS.build(config)
    if not isinstance(annotator, Annotator):
        raise ConfigError(f'model.type={type(annotator).__name__!r} is not an annotator; annotation needs one.')
    return annotator


def _versions() -> dict[str, str]:
    """Return the versions of the packages that take part in an answer and are installed."""
    versions = {'makd': __version__}
    for name in ('torch', 'transformers', 'vllm', 'openai', 'numpy', 'pillow'):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
