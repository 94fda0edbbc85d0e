"""Training of the teachers that trials of KD and DKD need, by the teacher configs that they name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.tool_run import ToolRun
from experiments.trial import Trial
from makd.errors import ConfigError
from makd.work_dir import last_checkpoint


@dataclass(frozen=True)
class TeacherTraining:
    """A teacher to be trained in the folder that its students load it from.

    Args:
        trial: Its config; the folder of the trial is not used.
        checkpoint: The file that its students load.
    """

    trial: Trial
    checkpoint: Path

    @property
    def label(self) -> str:
        """Its name in lines of progress."""
        return f'teacher {self.trial.name}'

    @property
    def work_dir(self) -> Path:
        """Its folder."""
        return self.checkpoint.parent

    @property
    def done(self) -> bool:
        """Whether its checkpoint is complete: mmengine writes ``last_checkpoint`` after the checkpoint itself."""
        last = last_checkpoint(self.work_dir)
        return self.checkpoint.is_file() and (last is None or last.name == self.checkpoint.name)

    @property
    def _tool_run(self) -> ToolRun:
        return ToolRun(self.work_dir, self.trial.tools)

    def run(self, report: Callable[[str], None], environment: Mapping[str, str]) -> Path:
        """Train it, resuming an interrupted run, and return its checkpoint.

        Raises:
            TrialFailedError: Training fails, or another process is training it.
            ConfigError: Its config ends with another checkpoint than the one that its students load.
        """
        run = self._tool_run
        with run.locked():
            run.train(self.trial.config, self.trial.options, report, environment, self.trial.gpus)
        if not self.done:
            raise ConfigError(
                f'{self.trial.config} has been trained, and its last checkpoint is {run.checkpoint()}, but its '
                f'students load {self.checkpoint}: correct model.teacher_checkpoint.'
            )
        return self.checkpoint


def teacher_of(trial: Trial) -> TeacherTraining | None:
    """Return the teacher that a trial's config names; None if it names none, or a URL, which mmengine downloads.

    All students share it: it is trained by its config without overrides, with seed 0.
    """
    model = trial.cfg.get('model') or {}
    config, checkpoint = model.get('teacher'), model.get('teacher_checkpoint')
    if not isinstance(config, str) or not checkpoint or '://' in checkpoint:
        return None
    return TeacherTraining(Trial(config, 0, trial.root, trial.tools, gpus=trial.gpus), Path(checkpoint))


def absent_teachers(trials: Iterable[Trial]) -> list[TeacherTraining]:
    """Return the teachers of these trials that are not trained yet, each once."""
    teachers = {teacher.checkpoint: teacher for trial in trials if (teacher := teacher_of(trial)) is not None}
    return [teacher for teacher in teachers.values() if not teacher.done]
