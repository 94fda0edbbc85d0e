"""Annotation as a run: an annotator answers every question about every image, and a targets folder is written."""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine import dump
from mmengine.config import Config
from mmengine.dist import all_gather_object, is_main_process
from mmengine.runner import Runner

from makd.annotation.annotation_images import AnnotationImages
from makd.annotation.annotators import Annotator
from makd.annotation.annotators.base import AnnotatorInfo
from makd.annotation.progress import Progress, already_finished, changed_images, summary
from makd.annotation.shard_annotator import ShardAnnotator, build_annotator
from makd.annotation.shard_writer import ShardWriter, Task
from makd.config import without_secrets
from makd.errors import ConfigError
from makd.ranks import on_main_rank
from makd.registry import DATASETS, RUNNERS, WRITERS
from makd.targets import AspectTargets

# What makd.Runner takes from mmengine's Runner, and so from the config under the same names.
_RUNNER_FIELDS = (
    *('model', 'work_dir', 'launcher', 'env_cfg', 'randomness', 'default_scope'),
    *('experiment_name', 'log_level', 'log_processor', 'visualizer'),
)  # fmt: skip
FEWEST_ESTIMATED = 30  # images; of fewer, the sample would be a large part


@RUNNERS.register_module()
class AnnotationRunner(Runner):
    """Asks an annotator about every image that has no answers yet.

    Of mmengine's Runner it keeps the launchers, the work directory, the log and the visualizer. It has no loops and no
    hooks, and it neither moves the model nor wraps it: an annotator has nothing to train and places itself.

    Each rank takes whole shards, and a batch lies within one shard. So the answers, and the bytes of the finished
    folder, depend neither on the number of ranks nor on interruptions, as long as batch size, versions and hardware
    stay the same and every image is answered at its first try; otherwise rounding differs. The loader's workers read
    and prepare images while the model answers.

    Args:
        model: An :class:`~makd.annotation.annotators.Annotator` or its config.
        dataloader: ``dataset``, the config of :class:`~makd.annotation.annotation_images.AnnotationImages`;
            ``batch_size``, images per call of the model; ``num_workers``; and other arguments of
            ``torch.utils.data.DataLoader``, except those that choose or collate the items.
        writer: Config of the :class:`~makd.annotation.shard_writer.ShardWriter`.
        **kwargs: Arguments of mmengine's Runner: ``work_dir``, ``launcher``, ``env_cfg``, ``randomness``,
            ``default_scope``, ``experiment_name``, ``log_level``, ``log_processor``, ``visualizer`` and ``cfg``.

    Raises:
        ConfigError: The model, the dataset or the writer is of another kind, or the loader has an argument without
            meaning.
    """

    model: AnnotatorInfo
    _fields: ClassVar[tuple[str, ...]] = ('dataloader', 'writer', *_RUNNER_FIELDS)

    def __init__(self, model: Any, dataloader: Mapping[str, Any], writer: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(model, **kwargs)
        loader = copy.deepcopy(dict(dataloader))
        for key in ('sampler', 'batch_sampler', 'shuffle', 'drop_last', 'collate_fn'):
            if key in loader:
                raise ConfigError(f'dataloader.{key} has no meaning: makd.AnnotationRunner takes each image once.')
        self.images = build('dataloader.dataset', DATASETS, loader.pop('dataset'), AnnotationImages)
        self.writer = build('writer', WRITERS, writer, ShardWriter)
        self._shards = self._build_shards(loader)

    @classmethod
    def from_cfg(cls, cfg: Config | Mapping[str, Any]) -> 'AnnotationRunner':
        """Build the runner of a config."""
        cfg = copy.deepcopy(cfg)
        return cls(**{field: cfg[field] for field in cls._fields if field in cfg}, cfg=without_secrets(cfg))

    def build_model(self, model: Any) -> AnnotatorInfo:
        """Return the annotator of a config; an annotator is returned as it is."""
        return model if isinstance(model, Annotator) else build_annotator(model)

    def _build_shards(self, loader: dict[str, Any]) -> ShardAnnotator:
        """Return what asks about the images and writes the shards."""
        assert isinstance(self.model, Annotator)  # not only what is known of one in other processes
        return ShardAnnotator(self.model, self.images, self.writer, loader)

    def wrap_model(self, model_wrapper_cfg: None, model: AnnotatorInfo) -> AnnotatorInfo:
        """Return the annotator as it is: DistributedDataParallel refuses a model without trainable parameters."""
        return model

    def register_hooks(self, default_hooks: None = None, custom_hooks: None = None) -> None:
        """Register nothing: there are no epochs, checkpoints or schedules, and progress logs itself."""

    def annotate(self) -> dict[str, float]:
        """Ask, write, and report.

        Returns:
            The figures of the summary. ``failed`` is the number of images that lack answers.

        Raises:
            AnnotatorStopped: The annotator cannot go on. All answers so far are kept.
            MakdError: See :meth:`ShardWriter.open`; or no image can be read.
        """
        # 'teacher' is the annotator's name in the file format.
        identity = {'teacher': self.model.identity, 'images': self.images.identity}
        tasks, finished = on_main_rank(lambda: self._open(identity))
        if finished:
            targets = AspectTargets.open(self.writer.out_dir)
            self.logger.info(already_finished(targets))
            return {'images': len(targets), 'failed': targets.failure_reasons.total()}
        num_images, num_questions = sum(len(task.rows) for task in tasks), len(self.model.questions)
        if tasks:
            self._begin(num_images)
        progress = Progress(self.logger, self.visualizer, num_images, num_questions, self.images.about)
        self._ask(tasks, progress)
        in_model = all_gather_object(progress.in_model)  # waits for all ranks: now all shards are written
        figures = progress.figures(num_images, float(np.mean(in_model)))
        return on_main_rank(lambda: self._finish(num_images, {'seconds': progress.seconds, **figures}))

    def estimate(self) -> str:
        """Ask about three images, and return what the whole dataset will take; nothing is written."""

        def ask() -> str:
            self._shards.start()
            return self._shards.estimate().describe(len(self.images), self.images.about)

        return on_main_rank(ask)

    def _open(self, identity: dict[str, Any]) -> tuple[list[Task], bool]:
        tasks = self.writer.open(self.model.questions, self.images.keys, identity, self.images.data_root)
        if self.writer.num_unchecked:
            self.logger.warning(
                f'{self.writer.out_dir} does not say what files {self.writer.num_unchecked} of its {self.images.about} '
                'were: they may have been replaced since.'
            )
        if self.writer.changed:
            self.logger.warning(changed_images(self.writer.changed, self.images.about))
        if not self.writer.finished:
            left = sum(len(task.rows) for task in tasks)
            self.logger.info(
                f'{self.writer.out_dir}: {left} of {len(self.images)} {self.images.about} are left to be asked '
                f'{len(self.model.questions)} questions.'
            )
        return tasks, self.writer.finished

    def _begin(self, num_images: int) -> None:
        """Let the annotator check itself on each rank, and store its report before any shard is written."""
        notes = self._shards.start()
        on_main_rank(lambda: self._store(notes))
        if num_images >= FEWEST_ESTIMATED and self.model.usage is not None and self.model.usage.dollars is not None:
            on_main_rank(lambda: self.logger.info(self._shards.estimate().describe(num_images, self.images.about)))

    def _store(self, notes: dict[str, Any]) -> None:
        """Store the notes of the first process that is ready; warn where they are not those of an earlier run."""
        first = self.writer.begin(notes)
        self.logger.info(f'Self-check: {notes["self_check"]}')
        for field in ('served_by', 'server_model'):
            former, now = (of['self_check'].get(field) for of in (first, notes))
            if former is not None and former != now:
                self.logger.warning(f'The first shards were answered by {former}, and now answers {now}.')
        if first['versions'] != notes['versions']:
            self.logger.warning(
                f'The first shards were made with other versions: {first["versions"]}, now {notes["versions"]}.'
            )
        if first.get('batch_size', notes['batch_size']) != notes['batch_size']:
            self.logger.warning(
                f'The first shards were made with dataloader.batch_size={first["batch_size"]}, now '
                f'{notes["batch_size"]}: answers may differ in the last digits from those of one undisturbed run.'
            )

    def _ask(self, tasks: list[Task], progress: Progress) -> None:
        """Do this rank's share of the tasks."""
        mine = tasks[self.rank :: self.world_size]
        others = [task for index, task in enumerate(tasks) if index % self.world_size != self.rank]
        for _ in self._shards.annotate(mine, progress.advance):
            if is_main_process():
                progress.update_others(self.writer.written(others))
        progress.close()
        if others:
            self.logger.info('This rank is done and waits for the others.')

    def _finish(self, num_asked: int, figures: dict[str, float]) -> dict[str, float]:
        targets = self.writer.finish(self.model.has_label_mass)
        mass = targets.label_mass()
        self.logger.info(summary(targets, mass, num_asked, figures, self.writer.num_bounded, self.model.usage))
        metrics = {
            'images': len(targets),
            'questions': len(targets.questions),
            **figures,
            'label_mass': float(np.nanmean(mass)) if np.isfinite(mass).any() else float('nan'),
            'failed': targets.failure_reasons.total(),
            'bounded': self.writer.num_bounded,
        }
        dump(metrics, Path(self.log_dir, f'{self.timestamp}.json'))
        return metrics


def build(field: str, registry: Any, config: Mapping[str, Any], kind: type) -> Any:
    """Build what a field of the config describes; raise a ConfigError if it is of another kind."""
    built = registry.build(config)
    if not isinstance(built, kind):
        raise ConfigError(f'{field}.type={type(built).__name__!r} must be makd.{kind.__name__} in annotation.')
    return built
