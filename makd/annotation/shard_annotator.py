"""What every process of an annotation run does, whoever started it: read images, ask about them, write their shards."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch.utils.data import DataLoader

from makd.annotation.annotation_images import AnnotationImages
from makd.annotation.annotators import Annotator, Answers
from makd.annotation.shard_writer import ShardWriter, Task
from makd.errors import AnnotatorStopped, DataError
from makd.version import __version__

MAX_TRIED = 100  # images, in search of a readable one


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
        images.prepare = annotator.preparer

    def start(self) -> dict[str, Any]:
        """Let the annotator check itself; return the notes for :meth:`ShardWriter.begin`.

        Raises:
            DataError: No image can be read.
        """
        report = self.annotator.start(self._first_readable())
        self.images.prepare = self.annotator.preparer
        return {'self_check': report, 'versions': _versions(), 'batch_size': self._batch_size}

    def annotate(self, tasks: Sequence[Task], advance: Callable[[int, float], None]) -> Iterator[Task]:
        """Do the tasks, and yield each as soon as its shard is written.

        Args:
            tasks: The tasks of this process.
            advance: Called after each batch with its number of images and the seconds that the annotator took.

        Raises:
            AnnotatorStopped: The annotator cannot go on. Finished shards are kept.
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
            while len(answers) < len(task.rows):
                items = next(loader)
                answers += self._answer(items, advance)
                fingerprints += [item['fingerprint'] for item in items]
            self.writer.write(
                task,
                np.stack([answer.logprobs for answer in answers]),
                [answer.reason for answer in answers],
                [answer.bounded for answer in answers],
                fingerprints,
            )
            yield task

    @torch.no_grad()
    def _answer(self, items: list[dict[str, Any]], advance: Callable[[int, float], None]) -> list[Answers]:
        """Return the answers about a batch; for an unreadable image, NaN and the reason."""
        inputs = [item['inputs'] for item in items if item['error'] is None]
        start = time.perf_counter()
        try:
            answered = iter(self.annotator.answer(inputs) if inputs else [])
        except AnnotatorStopped as error:
            raise AnnotatorStopped(
                f'{error}\nFinished shards are kept in {self.writer.partial}: give the same command again.'
            ) from error
        advance(len(items), time.perf_counter() - start)
        missing = np.full((len(self.annotator.questions), 2), np.nan, np.float32)
        return [Answers(missing, item['error']) if item['error'] else next(answered) for item in items]

    def _first_readable(self) -> Image:
        """Return the first image that can be read and prepared, among some from all over the dataset."""
        tried = range(0, len(self.images), max(1, len(self.images) // MAX_TRIED))
        items = (self.images[index] for index in tried)
        first = next(items)
        readable = first if first['error'] is None else next((item for item in items if item['error'] is None), None)
        if readable is None:
            raise DataError(
                f'none of {len(tried)} images below {self.images.data_root} can be read and prepared; '
                f'{first["key"]}: {first["error"]}. Is dataloader.dataset right?'
            )
        return self.images.image(readable['index'])


def _versions() -> dict[str, str]:
    """Return the versions of the packages that take part in an answer and are installed."""
    versions = {'makd': __version__}
    for name in ('torch', 'transformers', 'openai', 'numpy', 'pillow'):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions
