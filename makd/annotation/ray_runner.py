"""Annotation on a Ray cluster: this process hands out the shards, and actors do them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from logging import WARNING
from typing import Any, ClassVar

from mmengine.logging import print_log

from makd.annotation.annotation_runner import AnnotationRunner, build
from makd.annotation.annotators.base import AnnotatorInfo
from makd.annotation.estimate import Estimate
from makd.annotation.ray_actor import AnnotatorActor
from makd.annotation.ray_pool import RayPool
from makd.annotation.shard_annotator import ShardAnnotator
from makd.annotation.shard_writer import Task
from makd.annotation.usage import Usage
from makd.questions import QuestionSet
from makd.registry import POOLS, RUNNERS


@RUNNERS.register_module()
class RayAnnotationRunner(AnnotationRunner):
    """An :class:`~makd.annotation.annotation_runner.AnnotationRunner` whose annotators are the actors of a pool.

    This process lists the images, opens and finishes the folder, and loads no model. The actors read the images and
    write the shards, so both must lie on a file system that all nodes see under the same paths.

    Args:
        model: Config of the annotator.
        dataloader: As for ranks; each actor has its own ``num_workers``.
        writer: As for ranks.
        ray: Config of the :class:`~makd.annotation.ray_pool.RayPool`.
        custom_imports: Modules that the actors import, as mmengine's configs name them.
        **kwargs: As for ranks, but without ``launcher``.
    """

    _fields: ClassVar[tuple[str, ...]] = (*AnnotationRunner._fields, 'ray', 'custom_imports')

    def __init__(
        self,
        model: Any,
        dataloader: Mapping[str, Any],
        writer: Mapping[str, Any],
        ray: Mapping[str, Any] | None = None,
        custom_imports: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._pool = build('ray', POOLS, ray or dict(type='makd.RayPool'), RayPool)
        self._actor_config: dict[str, Any] = {'model': model, 'custom_imports': custom_imports or {}}
        for field in ('env_cfg', 'randomness', 'default_scope'):
            if field in kwargs:
                self._actor_config[field] = kwargs[field]
        self._loader = {key: value for key, value in dataloader.items() if key != 'dataset'}
        try:
            super().__init__(model, dataloader, writer, **kwargs)
        except BaseException:
            self._pool.close()
            raise

    def build_model(self, model: Any) -> AnnotatorInfo:
        """Return what stands for the annotator of the actors; one of them builds it."""
        self._pool.open(AnnotatorActor, os.getcwd(), self._actor_config, self._loader)
        return _DistantAnnotator(self._pool, *self._pool.first('describe'))

    def _build_shards(self, loader: dict[str, Any]) -> ShardAnnotator:
        return _DistantShards(self._pool, self.model, self.images, self.writer, loader)

    def annotate(self) -> dict[str, float]:
        """Ask, write, and report; see :meth:`AnnotationRunner.annotate`. Then the actors end."""
        with closing(self._pool):
            return super().annotate()

    def estimate(self) -> str:
        """Ask about three images; see :meth:`AnnotationRunner.estimate`. Then the actors end."""
        with closing(self._pool):
            return super().estimate()


class _DistantAnnotator(AnnotatorInfo):
    """What is known here of the annotator that each actor has."""

    def __init__(self, pool: RayPool, questions: QuestionSet, identity: dict[str, Any], has_label_mass: bool) -> None:
        super().__init__(questions)
        self.has_label_mass = has_label_mass
        self._pool, self._identity = pool, identity

    @property
    def identity(self) -> dict[str, Any]:
        return self._identity

    @property
    def usage(self) -> Usage | None:
        """The costs of all actors' answers so far, if they cost more than time."""
        known = [usage for usage in self._pool.usages.values() if usage is not None]
        return sum(known[1:], known[0]) if known else None


class _DistantShards(ShardAnnotator):
    """Lets the actors of a pool do what its base does in this process."""

    def __init__(self, pool: RayPool, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._pool = pool
        self._shared: Any = None
        self._versions: dict[str, str] = {}

    def start(self) -> dict[str, Any]:
        """Let the first actor start; return its notes."""
        self._shared = self._pool.share((self.images, self.writer))
        notes = self._pool.first('start', self._shared)
        self._versions = notes['versions']
        return notes

    def estimate(self) -> Estimate:
        """Let the first actor ask about three images."""
        return self._pool.first('estimate', self._shared)

    def annotate(self, tasks: Sequence[Task], advance: Callable[[int, float], None]) -> Iterator[Task]:
        """Let the actors do the tasks, and yield each as soon as its shard is written."""
        for task, value in self._pool.run(tasks, self._shared, self._name):
            if task is not None:
                advance(len(task.rows), value / self._pool.size)
                yield task
            elif value['versions'] != self._versions:
                print_log(
                    f'An actor has joined with other versions: {value["versions"]}, the first one has '
                    f'{self._versions}. Its answers may differ in the last digits.',
                    'current',
                    WARNING,
                )

    def _name(self, task: Task) -> str:
        keys = self.images.keys
        return f'shard {task.shard} ({keys[task.rows[0]]} to {keys[task.rows[-1]]})'
