"""The teachers that cells of KD and DKD need, trained by the configs that they name."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from makd.errors import ConfigError
from makd.experiments.cell import Cell
from makd.experiments.tool_run import ToolRun


@dataclass(frozen=True)
class Teacher:
    """A teacher to be trained, in the folder where its students look for it.

    Args:
        cell: Its config; the folder of the cell is not used.
        checkpoint: Where its students look for it.
    """

    cell: Cell
    checkpoint: Path

    @property
    def label(self) -> str:
        """What a line of progress calls it."""
        return f'teacher {self.cell.name}'

    @property
    def work_dir(self) -> Path:
        """Its folder."""
        return self.checkpoint.parent

    @property
    def done(self) -> bool:
        """Whether it is there."""
        return self.checkpoint.is_file()

    def run(self, report: Callable[[str], None], threads: int) -> Path:
        """Train it, going on where an interrupted run stopped, and return its checkpoint.

        Raises:
            CellFailedError: If training fails, or another process is training it.
            ConfigError: If its config ends with another checkpoint than its students look for.
        """
        run = ToolRun(self.work_dir, self.cell.tools)
        with run.locked():
            run.train(self.cell.config, self.cell.options, report, threads, self.cell.gpus)
        if not self.done:
            raise ConfigError(
                f'{self.cell.config} has been trained, and its last checkpoint is {run.checkpoint()}, but its students '
                f'look for {self.checkpoint}: correct model.teacher_checkpoint.'
            )
        return self.checkpoint


def absent_teachers(cells: Iterable[Cell]) -> Iterator[Teacher]:
    """Yield the teachers of these cells that are not there; of a URL, mmengine takes care."""
    seen = set()
    for cell in cells:
        model = Config.fromfile(cell.config).model
        config, checkpoint = model.get('teacher'), model.get('teacher_checkpoint')
        if not isinstance(config, str) or not checkpoint or '://' in checkpoint or checkpoint in seen:
            continue
        seen.add(checkpoint)
        teacher = Teacher(Cell(config, 0, cell.root, cell.tools, cell.overrides, cell.gpus), Path(checkpoint))
        if not teacher.done:
            yield teacher
