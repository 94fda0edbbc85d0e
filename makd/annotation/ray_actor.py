"""What runs in a Ray actor: an annotator of its own, which does the tasks that it is given."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

import torch
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner.utils import set_random_seed
from mmengine.utils import import_modules_from_strings
from mmengine.utils.dl_utils import set_multi_processing

from makd.annotation.annotation_images import AnnotationImages
from makd.annotation.annotators import Annotator
from makd.annotation.outcome import Outcome
from makd.annotation.shard_annotator import ShardAnnotator, build_annotator
from makd.annotation.shard_writer import ShardWriter, Task
from makd.errors import ConfigError


class AnnotatorActor:
    """Builds an annotator when it is first needed: what a constructor raises reaches the driver as text only.

    Args:
        folder: The folder that the command runs in, which relative paths start from.
        config: ``model`` and, as far as the config has them, ``env_cfg``, ``randomness``, ``default_scope`` and
            ``custom_imports``.
        loader: See :class:`~makd.annotation.shard_annotator.ShardAnnotator`.
    """

    def __init__(self, folder: str, config: Mapping[str, Any], loader: Mapping[str, Any]) -> None:
        self._folder, self._config, self._loader = folder, config, loader
        self._annotator: Annotator | None = None
        self._shards: ShardAnnotator | None = None
        self._warnings = _Warnings()

    def describe(self) -> Outcome:
        """Return questions and identity of the annotator, and whether it gives a label mass."""
        annotator = self._built()
        return self._outcome((annotator.questions, annotator.identity, annotator.has_label_mass))

    def start(self, shared: tuple[AnnotationImages, ShardWriter]) -> Outcome:
        """Let the annotator check itself; return the notes for :meth:`ShardWriter.begin`.

        Args:
            shared: The driver's images, so that a row means the same image to all, and its writer.
        """
        return self._outcome(self._start(shared))

    def estimate(self, shared: tuple[AnnotationImages, ShardWriter]) -> Outcome:
        """Ask about three images; return the :class:`~makd.annotation.estimate.Estimate`."""
        if self._shards is None:  # it replaces one that has died
            self._start(shared)
        assert self._shards is not None
        return self._outcome(self._shards.estimate())

    def annotate(self, task: Task) -> Outcome:
        """Do a task; return the seconds that the annotator took. :meth:`start` has been called."""
        assert self._shards is not None
        seconds: list[float] = []
        for _ in self._shards.annotate([task], lambda images, in_model: seconds.append(in_model)):
            pass
        return self._outcome(sum(seconds))

    def _start(self, shared: tuple[AnnotationImages, ShardWriter]) -> dict[str, Any]:
        shards = ShardAnnotator(self._built(), *shared, self._loader)
        notes = shards.start()
        self._shards = shards
        return notes

    def _built(self) -> Annotator:
        if self._annotator is None:
            self._set_up()
            self._annotator = build_annotator(self._config['model'])
        return self._annotator

    def _set_up(self) -> None:
        """Make this process what mmengine's Runner makes of a rank."""
        try:
            os.chdir(self._folder)
        except OSError as error:
            raise ConfigError(
                f'The folder that the command runs in, {self._folder}, cannot be entered on the node '
                f'{os.uname().nodename} ({error.strerror}): all nodes must see it, the images and writer.out_dir under '
                'the same paths.'
            ) from None
        sys.path.append(self._folder)
        import_modules_from_strings(**self._config.get('custom_imports', {}))
        environment = self._config.get('env_cfg', {})
        torch.backends.cudnn.benchmark = bool(environment.get('cudnn_benchmark'))
        set_multi_processing(**environment.get('mp_cfg', {}), distributed=False)
        set_random_seed(**self._config.get('randomness', {}))
        init_default_scope(self._config.get('default_scope', 'mmengine'))
        MMLogger.get_current_instance().addHandler(self._warnings)

    def _outcome(self, value: Any) -> Outcome:
        assert self._annotator is not None
        return Outcome(value, self._shards is not None, self._warnings.taken(), self._annotator.usage)


class _Warnings(logging.Handler):
    """Keeps warnings for the driver, whose terminal and log file an actor does not have."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record.getMessage())

    def taken(self) -> tuple[str, ...]:
        messages, self._messages = tuple(self._messages), []
        return messages
