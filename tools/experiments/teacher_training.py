"""Training of the teachers and of the pre-trained weights that trials need, by the configs that they name."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.tool_run import ToolRun
from experiments.trial import Trial
from makd.errors import ConfigError
from makd.work_dir import last_checkpoint

FIELDS = {'teacher': 'model.teacher_checkpoint', 'pre-training': 'load_from'}


@dataclass(frozen=True)
class TeacherTraining:
    """A teacher, or pre-trained weights, to be trained in the folder that students load them from.

    Args:
        trial: Its config; the folder of the trial is not used.
        checkpoint: The file that its students load.
        role: What it is to them, 'teacher' or 'pre-training'.
    """

    trial: Trial
    checkpoint: Path
    role: str

    @property
    def label(self) -> str:
        """Its name in lines of progress."""
        return f'{self.role} {self.trial.name}'

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
                f'students load {self.checkpoint}: correct {FIELDS[self.role]}.'
            )
        return self.checkpoint


def teacher_of(trial: Trial) -> TeacherTraining | None:
    """Return the teacher, or the pre-training, that a trial's config names.

    All students share it: it is trained by its config without overrides, with seed 0. The config of a pre-training is
    the config's field ``pretraining``.

    Returns:
        None if there is none, or if it is a URL, which mmengine downloads.
    """
    model = trial.cfg.get('model') or {}
    for role, config, checkpoint in (
        ('teacher', model.get('teacher'), model.get('teacher_checkpoint')),
        ('pre-training', trial.cfg.get('pretraining'), trial.cfg.get('load_from')),
    ):
        if isinstance(config, str) and checkpoint and '://' not in checkpoint:
            return TeacherTraining(Trial(config, 0, trial.root, trial.tools, gpus=trial.gpus), Path(checkpoint), role)
    return None


def absent_teachers(trials: Iterable[Trial]) -> list[TeacherTraining]:
    """Return the teachers of these trials that are not trained yet, each once."""
    teachers = {teacher.checkpoint: teacher for trial in trials if (teacher := teacher_of(trial)) is not None}
    return [teacher for teacher in teachers.values() if not teacher.done]
