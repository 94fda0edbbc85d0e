"""Annotation as a run: every image of a data set is put to an annotator, and the answers become a targets folder."""

import copy
import datetime
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import metadata
from typing import Any, TypeVar

import numpy as np
import torch
from mmengine.dist import all_gather_object, broadcast_object_list, get_dist_info, is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner
from torch.utils.data import DataLoader
from tqdm import tqdm

from makd.annotation.annotation_images import AnnotationImages
from makd.annotation.annotators import Annotator, Answers
from makd.annotation.shard_writer import ShardWriter, Task
from makd.errors import AnnotatorStopped, ConfigError, DataError, MakdError
from makd.registry import DATASETS, LOOPS, METRICS
from makd.targets import AspectTargets
from makd.version import __version__

METRICS.register_module(module=ShardWriter)  # targets/ knows no registry

LOG_EVERY_S = 60
TRIED_AT_MOST = 100  # images, in search of one that can be read
LOW_MASS = 0.5
_Result = TypeVar('_Result')


@LOOPS.register_module()
class AnnotateLoop(BaseLoop):
    """Ask an annotator about every image that has no answers yet.

    Each rank takes whole shards, and a batch lies within one shard, so that the answers, and the bytes of the finished
    folder, depend neither on the number of ranks nor on interruptions. The loader's workers read and prepare images
    while the model answers.

    Args:
        runner: The runner; its model is an :class:`~makd.annotation.annotators.Annotator`.
        dataloader: Config of the loader: ``dataset`` of type ``makd.AnnotationImages``, ``batch_size`` (images a call
            of the model), ``num_workers``, and other arguments of ``torch.utils.data.DataLoader``. It has no sampler.
        evaluator: Config of a :class:`~makd.annotation.shard_writer.ShardWriter`.

    Raises:
        ConfigError: Model, loader or evaluator are of other kinds.
    """

    def __init__(self, runner: Runner, dataloader: Mapping[str, Any], evaluator: Mapping[str, Any]) -> None:
        super().__init__(runner, dataloader={'dataset': [], 'sampler': None})  # which images are left is known in run()
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(model, Annotator):
            raise ConfigError(f'makd.AnnotateLoop needs an annotator: model.type={type(model).__name__!r} is none.')
        self.annotator = model
        self._loader_settings = copy.deepcopy(dict(dataloader))
        self._loader_settings.pop('collate_fn', None)  # mmpretrain's default, which stacks images of one size
        for key in ('sampler', 'batch_sampler', 'shuffle', 'drop_last'):
            if key in self._loader_settings:
                raise ConfigError(f'test_dataloader.{key} has no meaning: makd.AnnotateLoop takes each image once.')
        self._batch_size = self._loader_settings.pop('batch_size', 1)
        self.images = DATASETS.build(self._loader_settings.pop('dataset'))
        self.writer = METRICS.build(evaluator)
        for field, value, kind in (
            ('test_dataloader.dataset', self.images, AnnotationImages),
            ('test_evaluator', self.writer, ShardWriter),
        ):
            if not isinstance(value, kind):
                raise ConfigError(f'{field}.type={type(value).__name__!r} must be makd.{kind.__name__} in annotation.')
        self.images.prepare = self.annotator.preparer

    def run(self) -> dict[str, float]:
        """Ask, write, and report.

        Returns:
            The figures of the summary. ``failed`` is the number of images without (all) answers.

        Raises:
            AnnotatorStopped: The annotator cannot go on. What is done is kept.
            MakdError: See :meth:`ShardWriter.open`; or no image can be read.
        """
        # 'teacher' is the annotator's name in the file format.
        identity = {'teacher': self.annotator.identity, 'images': self.images.identity}
        tasks, finished = _on_main_process(lambda: self._open(identity))
        if finished:
            targets = AspectTargets.open(self.writer.out_dir)
            self.runner.logger.info(_already_finished(targets))
            return {'images': len(targets), 'failed': len(targets.failures)}
        self.runner.call_hook('before_test')
        self.runner.call_hook('before_test_epoch')
        self.runner.model.eval()
        if tasks:
            self._begin()
        asked = sum(len(task.rows) for task in tasks)
        progress = _Progress(self.runner, asked, len(self.annotator.questions))
        self._ask(tasks, progress)
        in_model = all_gather_object(progress.in_model)  # waits for all ranks: after it all shards are there
        seconds = progress.seconds
        speed = {
            'seconds': seconds,
            'images_per_second': asked / seconds,
            'questions_per_second': asked * len(self.annotator.questions) / seconds,
            'busy': float(np.mean(in_model)) / seconds,
        }
        metrics = _on_main_process(lambda: self._finish(asked, speed))
        self.runner.call_hook('after_test_epoch', metrics=metrics)
        self.runner.call_hook('after_test')
        return metrics

    def _open(self, identity: dict[str, Any]) -> tuple[list[Task], bool]:
        tasks = self.writer.open(self.annotator.questions, self.images.keys, identity)
        if not self.writer.finished:
            left = sum(len(task.rows) for task in tasks)
            self.runner.logger.info(
                f'{self.writer.out_dir}: {left} of {len(self.images)} images are left to be asked '
                f'{len(self.annotator.questions)} questions.'
            )
        return tasks, self.writer.finished

    def _begin(self) -> None:
        """Let the annotator check itself on each rank, and store its report before any shard is written."""
        report = self.annotator.start(self._first_readable())
        versions = _versions()

        def begin() -> None:
            notes = self.writer.begin({'self_check': report, 'versions': versions})
            self.runner.logger.info(f'Self-check of {type(self.annotator).__name__}: {report}')
            if notes['versions'] != versions:
                self.runner.logger.warning(
                    f'The first shards were made with other versions: {notes["versions"]}, now {versions}.'
                )

        _on_main_process(begin)

    def _first_readable(self) -> Any:
        """Return the inputs of the first image that can be read, among some from all over the data set."""
        tried = range(0, len(self.images), max(1, len(self.images) // TRIED_AT_MOST))
        items = (self.images[index] for index in tried)
        first = next(items)
        readable = first if first['error'] is None else next((item for item in items if item['error'] is None), None)
        if readable is None:
            raise DataError(
                f'none of {len(tried)} images below {self.images.data_root} can be read and prepared; '
                f'{first["key"]}: {first["error"]}. Is test_dataloader.dataset right?'
            )
        return readable['inputs']

    def _ask(self, tasks: list[Task], progress: '_Progress') -> None:
        """Do this rank's share of the tasks."""
        rank, world_size = get_dist_info()
        mine, others = tasks[rank::world_size], [task for i, task in enumerate(tasks) if i % world_size != rank]
        batches = [
            list(task.rows[start : start + self._batch_size])
            for task in mine
            for start in range(0, len(task.rows), self._batch_size)
        ]
        self.dataloader = DataLoader(
            self.images, batch_sampler=batches, collate_fn=list, **self._loader_settings if batches else {}
        )
        numbered = enumerate(self.dataloader)
        for task in mine:
            answers: list[Answers] = []
            while len(answers) < len(task.rows):
                answers += self._answer(*next(numbered), progress)
            self.writer.write(
                task,
                np.stack([answer.logprobs for answer in answers]),
                [answer.reason for answer in answers],
                [answer.bounded for answer in answers],
            )
            if is_main_process():
                progress.others_are_at(self.writer.written(others))
        progress.close()
        if others:
            self.runner.logger.info('This rank is done and waits for the others.')

    @torch.no_grad()
    def _answer(self, index: int, items: list[dict[str, Any]], progress: '_Progress') -> list[Answers]:
        """Return the answers about a batch; none, with the reason, about an image that could not be read."""
        self.runner.call_hook('before_test_iter', batch_idx=index, data_batch=items)
        inputs = [item['inputs'] for item in items if item['error'] is None]
        start = time.perf_counter()
        try:
            given = iter(self.runner.model(inputs) if inputs else [])
        except AnnotatorStopped as error:
            raise AnnotatorStopped(
                f'{error}\nThe shards that are done are kept in {self.writer.partial}: give the same command again.'
            ) from error
        progress.advance(len(items), time.perf_counter() - start)
        nothing = np.full((len(self.annotator.questions), 2), np.nan, np.float32)
        answers = [Answers(nothing, item['error']) if item['error'] else next(given) for item in items]
        self.runner.call_hook('after_test_iter', batch_idx=index, data_batch=items, outputs=answers)
        return answers

    def _finish(self, asked: int, speed: dict[str, float]) -> dict[str, float]:
        targets = self.writer.finish()
        mass = targets.label_mass()
        failed, bounded = len(targets.failures), self.writer.num_bounded
        usage = self.annotator.usage
        self.runner.logger.info('\n'.join(['Summary', *_summary(targets, mass, asked, speed, bounded, usage)]))
        return {
            'images': len(targets),
            'questions': len(targets.questions),
            **speed,
            'label_mass': float(np.nanmean(mass)) if np.isfinite(mass).any() else float('nan'),
            'failed': failed,
            'bounded': bounded,
        }


class _Progress:
    """The bar on rank 0, and a line in the log and in the visual backends once a minute; of all ranks' images."""

    def __init__(self, runner: Runner, total: int, num_questions: int) -> None:
        self._runner, self._num_questions = runner, num_questions
        self._started = self._logged = time.perf_counter()
        self._mine = self._others = 0
        self.in_model = 0.0  # seconds that the model took on this rank
        # None: no bar where nobody looks. Without smoothing, since other ranks are heard of by the shard.
        self._bar = tqdm(total=total, unit=' images', smoothing=0, disable=None if is_main_process() else True)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return max(time.perf_counter() - self._started, 1e-9)

    def advance(self, images: int, in_model: float) -> None:
        """Count a batch, and the seconds that the model took for it."""
        self._mine += images
        self.in_model += in_model
        self._show()

    def others_are_at(self, images: int) -> None:
        """Take note of how many images the other ranks have finished."""
        self._others = images

    def close(self) -> None:
        """Log the last line and leave the bar as it is."""
        if self._mine:
            self._log()
        self._bar.close()

    def _show(self) -> None:
        done = self._mine + self._others
        self._bar.set_postfix_str(f'{done * self._num_questions / self.seconds:.0f} questions/s', refresh=False)
        self._bar.update(done - self._bar.n)
        if time.perf_counter() - self._logged > LOG_EVERY_S:
            self._log()

    def _log(self) -> None:
        self._logged = time.perf_counter()
        done, total = self._mine + self._others, self._bar.total
        figures = {
            'images_per_second': done / self.seconds,
            'questions_per_second': done * self._num_questions / self.seconds,
            'busy': self.in_model / self.seconds,
        }
        self._bar.clear()
        self._runner.logger.info(
            f'{done} of {total} images, {figures["images_per_second"]:.3g} images/s, '
            f'{figures["questions_per_second"]:.4g} questions/s, model busy {figures["busy"]:.0%}, '
            f'{_duration((total - done) / figures["images_per_second"])} left'
        )
        self._runner.visualizer.add_scalars(figures, step=done)


def _on_main_process(function: Callable[[], _Result]) -> _Result:
    """Call ``function`` on rank 0, and return its result, or raise its MakdError, on every rank."""
    outcome: list[Any] = [None]
    if is_main_process():
        try:
            outcome = [(function(), None)]
        except MakdError as mistake:
            outcome = [(None, mistake)]
    broadcast_object_list(outcome)
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def _versions() -> dict[str, str]:
    """Return the versions of what takes part in an answer, as far as it is installed."""
    versions = {'makd': __version__}
    for name in ('torch', 'transformers', 'openai', 'numpy', 'pillow'):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _already_finished(targets: AspectTargets) -> str:
    message = f'{targets.path} is finished: {len(targets)} images, the same annotator and questions. Nothing is done.'
    if targets.failures:
        message += (
            f' {len(targets.failures)} of them lack answers ({_counted(targets.failures)}), and the shards to try them '
            'again are gone: --no-resume annotates everything anew.'
        )
    return message


def _summary(
    targets: AspectTargets, mass: np.ndarray, asked: int, speed: Mapping[str, float], bounded: int, usage: str | None
) -> list[str]:
    rows = [
        ('folder', targets.path),
        ('images', f'{len(targets)}, of which {asked} were asked about now'),
        ('questions', len(targets.questions)),
        (
            'time',
            f'{_duration(speed["seconds"])}, {speed["images_per_second"]:.3g} images/s, '
            f'{speed["questions_per_second"]:.4g} questions/s, model busy {speed["busy"]:.0%}',
        ),
    ]
    if np.isfinite(mass).any():
        low = int((mass < LOW_MASS).sum())
        rows.append(
            (
                'label mass',
                f'p(yes) + p(no) is {np.nanmean(mass):.3f} in the mean, {low} questions are below {LOW_MASS}',
            )
        )
        rows += [('', f'{mass[column]:.3f}  {targets.questions[int(column)].text}') for column in np.argsort(mass)[:3]]
    if targets.failures:
        rows.append(('failed', f'{len(targets.failures)} images, see failed.jsonl: {_counted(targets.failures)}'))
    if bounded:
        rows.append(('bounded', f'{bounded} values are upper bounds'))
    if usage:
        rows.append(('usage', f'{usage} (by this rank)'))
    return [f'{name:>12}  {text}' for name, text in rows]


def _counted(failures: Mapping[str, str]) -> str:
    return '; '.join(f'{count} x {reason}' for reason, count in Counter(failures.values()).most_common(10))


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
