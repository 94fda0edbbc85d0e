"""How far an annotation run is, and what it came to."""

import datetime
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from logging import Logger

import numpy as np
from mmengine.dist import get_world_size, is_main_process
from mmengine.visualization import Visualizer
from tqdm import tqdm

from makd.annotation.usage import Usage
from makd.targets import AspectTargets

LOG_EVERY_S = 60
LOW_MASS = 0.5
LISTED = 10  # keys in a message


class Progress:
    """A bar on rank 0, and once a minute a line in the log and in the visual backends, of all ranks' images.

    Args:
        logger: The run's logger.
        visualizer: The run's visualizer, which gets the figures.
        total: Images to be asked about, on all ranks together.
        num_questions: Questions per image.
        about: What they are, such as 'images' or 'regions'.

    Attributes:
        in_model: Seconds that this rank has spent in the model.
    """

    def __init__(self, logger: Logger, visualizer: Visualizer, total: int, num_questions: int, about: str) -> None:
        self._logger, self._visualizer, self._num_questions, self._about = logger, visualizer, num_questions, about
        self._started = self._logged = time.perf_counter()
        self._mine = self._others = 0
        self.in_model = 0.0
        # disable=None: no bar where the output is not a terminal. No smoothing, since other ranks report whole shards.
        self._bar = tqdm(total=total, unit=f' {about}', smoothing=0, disable=None if is_main_process() else True)

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return max(time.perf_counter() - self._started, 1e-9)

    def figures(self, images: int, in_model: float) -> dict[str, float]:
        """Return the speed so far, and the share of the time that was spent in the model."""
        seconds = self.seconds
        return {
            'images_per_second': images / seconds,
            'questions_per_second': images * self._num_questions / seconds,
            'busy': in_model / seconds,
        }

    def advance(self, images: int, in_model: float) -> None:
        """Count a batch, and the seconds that the model took for it."""
        self._mine += images
        self.in_model += in_model
        done = self._mine + self._others
        self._bar.set_postfix_str(f'{done * self._num_questions / self.seconds:.0f} questions/s', refresh=False)
        self._bar.update(done - self._bar.n)
        if time.perf_counter() - self._logged > LOG_EVERY_S:
            self._log()

    def update_others(self, images: int) -> None:
        """Set how many images the other ranks have finished."""
        self._others = images

    def close(self) -> None:
        """Log the last line and leave the bar as it is."""
        if self._mine:
            self._log()
        self._bar.close()

    def _log(self) -> None:
        self._logged = time.perf_counter()
        done, total = self._mine + self._others, self._bar.total
        figures = self.figures(done, self.in_model)
        left = (total - done) / figures['images_per_second']
        self._bar.clear()
        self._logger.info(f'{done} of {total} {self._about}, {_speed(figures, self._about)}, {_duration(left)} left')
        self._visualizer.add_scalars(figures, step=done)


def changed_images(keys: Sequence[str], about: str) -> str:
    """Return the message of a run that asks again about images, or their regions, that have been replaced."""
    listed = '\n  '.join([*keys[:LISTED], *['...'] * (len(keys) > LISTED)])
    return f'{len(keys)} {about} have been replaced since they were asked about, and are asked about again:\n  {listed}'


def already_finished(targets: AspectTargets) -> str:
    """Return the message of a run that finds its folder finished."""
    message = (
        f'{targets.path} is finished: {len(targets)} {targets.about}, the same annotator and questions. Nothing is '
        'done.'
    )
    if failed := targets.failure_reasons:
        message += (
            f' {failed.total()} of them lack answers ({_counted(failed)}), and are not tried again: '
            '--no-resume annotates everything anew.'
        )
    return message


def summary(
    targets: AspectTargets,
    mass: np.ndarray,
    num_asked: int,
    figures: Mapping[str, float],
    bounded: int,
    usage: Usage | None,
) -> str:
    """Return the summary of a finished run.

    Args:
        targets: The finished folder.
        mass: (Q,) mean of p(yes) + p(no) for each question; NaN where it has no answers.
        num_asked: How many of the images this run asked about.
        figures: ``seconds``, and those of :meth:`Progress.figures`.
        bounded: How many values are only bounds.
        usage: The annotator's costs on this rank or in all actors, if they are more than time.
    """
    rows = [
        ('folder', targets.path),
        (targets.about, f'{len(targets)}, of which {num_asked} were asked about now'),
        ('questions', len(targets.questions)),
        ('time', f'{_duration(figures["seconds"])}, {_speed(figures, targets.about)}'),
    ]
    if not targets.has_label_mass:
        rows.append(('label mass', 'not given by this annotator'))
    if np.isfinite(mass).any():
        low = int((mass < LOW_MASS).sum())
        rows.append(
            ('label mass', f'p(yes) + p(no) is {np.nanmean(mass):.3f} on average, {low} questions are below {LOW_MASS}')
        )
        rows += [('', f'{mass[column]:.3f}  {targets.questions[int(column)].text}') for column in np.argsort(mass)[:3]]
    if failed := targets.failure_reasons:
        rows.append(('failed', f'{failed.total()} {targets.about}, see failed.jsonl: {_counted(failed)}'))
    if bounded:
        rows.append(('bounded', f'{bounded} values are only bounds'))
    if usage:
        rows.append(('usage', f'{usage} (by this rank)' if get_world_size() > 1 else str(usage)))
    return '\n'.join(['Summary', *(f'{name:>12}  {text}' for name, text in rows)])


def _speed(figures: Mapping[str, float], about: str) -> str:
    return (
        f'{figures["images_per_second"]:.3g} {about}/s, {figures["questions_per_second"]:.4g} questions/s, '
        f'model busy {figures["busy"]:.0%}'
    )


def _counted(failed: Counter[str]) -> str:
    return '; '.join(f'{count} x {reason}' for reason, count in failed.most_common(10))


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
