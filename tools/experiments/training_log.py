"""The log that mmengine wrote of a run, all its starts put together."""

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from makd.errors import DataError
from makd.files import parse_json

Curve = dict[int, float]  # epoch, or step where epochs are not counted -> value

SCALARS = '*/vis_data/scalars.json'
NOT_METRICS = {'step', 'time', 'data_time'}


@dataclass(frozen=True)
class TrainingLog:
    """The curves of a run, which may have been stopped and resumed, or begun again.

    Of a step that was repeated, the last record counts.

    Attributes:
        starts: How often the run was started, testing included.
        training: Step -> its record: the losses (``loss`` is their sum), ``lr``, ``time`` and ``data_time`` in seconds
            per step, averaged by mmengine over its window.
        validation: Step, or epoch where epochs are counted -> metrics.
    """

    starts: int
    training: dict[int, dict[str, float]] = field(default_factory=dict)
    validation: dict[int, dict[str, float]] = field(default_factory=dict)

    @classmethod
    def read(cls, work_dir: Path) -> 'TrainingLog':
        """Read ``WORK_DIR/TIMESTAMP/vis_data/scalars.json`` of every start.

        Raises:
            DataError: There is none.
        """
        files = sorted(work_dir.glob(SCALARS))
        if not files:
            raise DataError(f'{work_dir} holds no log of a run ({SCALARS}): name the work dir of tools/train.py.')
        log = cls(len(files))
        for path in files:
            begun = False
            for line in path.read_text('utf-8', errors='replace').splitlines():
                try:
                    record: Any = parse_json(line, path, DataError)
                except DataError:  # the process was killed while it wrote the line
                    continue
                if not isinstance(record, dict) or 'step' not in record:  # a test
                    continue
                if 'lr' in record and not begun:  # this start repeats what an earlier one did beyond this point
                    log._forget(record['step'], record.get('epoch') or record['step'])
                    begun = True
                if 'lr' in record:
                    log.training[record['step']] = record
                else:
                    log.validation[record['step']] = {k: v for k, v in record.items() if _is_metric(k, v)}
        return log

    def _forget(self, step: int, validated: int) -> None:
        """Drop the training records from a step on, and the validations from an epoch or step on."""
        for curve, first in ((self.training, step), (self.validation, validated)):
            for later in [number for number in curve if number >= first]:
                del curve[later]

    @property
    def losses(self) -> list[str]:
        """Names of the losses, their sum first."""
        names = dict.fromkeys(name for record in self.training.values() for name in record if 'loss' in name)
        return sorted(names, key=lambda name: (name != 'loss', name))

    @property
    def metrics(self) -> list[str]:
        """Names of the validation metrics."""
        return list(dict.fromkeys(name for record in self.validation.values() for name in record))

    def training_points(self, name: str) -> list[tuple[int, float]]:
        """Return (step, value) of each training record with this name, such as a loss or 'lr'."""
        return [(step, record[name]) for step, record in sorted(self.training.items()) if name in record]

    def validation_points(self, name: str) -> list[tuple[int, float]]:
        """Return (step or epoch, value) of each validation with this metric."""
        return [(step, record[name]) for step, record in sorted(self.validation.items()) if name in record]

    @property
    def unit(self) -> str:
        """What validations are counted by: 'epoch' or 'iteration'."""
        epochs = [record['epoch'] for record in self.training.values() if 'epoch' in record]
        if self.training and not epochs:
            return 'iteration'
        return 'epoch' if all(step <= max(epochs, default=step) for step in self.validation) else 'iteration'

    @property
    def broken(self) -> list[int]:
        """Steps at which a loss is not finite."""
        return [
            step
            for step, record in sorted(self.training.items())
            if not all(isfinite(record[name]) for name in self.losses if name in record)
        ]


def _is_metric(name: str, value: float) -> bool:
    """Tell a metric from a time, and from the -1 of pycocotools where there is nothing to measure."""
    return name not in NOT_METRICS and not (name.startswith('coco/') and value == -1)
