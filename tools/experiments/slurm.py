"""Trials as jobs of a Slurm cluster."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.teacher_training import TeacherTraining
from experiments.trial import Trial
from makd.errors import ConfigError
from makd.files import write_text

PROGRAM = Path(__file__).parents[1] / '_job.py'
JOB_FILE = 'slurm_job'  # in a work dir: the id of the last submitted job


def submit_waiting(tasks: Sequence[Trial | TeacherTraining], options: Sequence[str]) -> None:
    """Submit a job for each task without a waiting or running one; ``options`` are passed to sbatch.

    Raises:
        ConfigError: Slurm is absent or rejects a job.
    """
    queued = _queued()
    for number, task in enumerate(tasks, start=1):
        file = task.work_dir / JOB_FILE
        if file.exists() and file.read_text() in queued:
            print(f'{number} of {len(tasks)}: {task.label} is job {file.read_text()} already', flush=True)
            continue
        task.work_dir.mkdir(parents=True, exist_ok=True)
        write_text(file, submit([sys.executable, '-u', *job_command(task)], task.label, task.work_dir, options))
        print(f'{number} of {len(tasks)}: {task.label} is job {file.read_text()}', flush=True)


def job_command(task: Trial | TeacherTraining) -> list[str]:
    """Return the arguments of ``python`` that run a trial or train a teacher."""
    trial = task.trial if isinstance(task, TeacherTraining) else task
    options = dict(seed=trial.seed, root=trial.root, tools=trial.tools, gpus=trial.gpus)
    if isinstance(task, TeacherTraining):
        options |= dict(checkpoint=task.checkpoint, role=task.role)
    arguments = [f'--{name}={value}' for name, value in options.items()]
    return [str(PROGRAM), trial.config, *arguments, '--overrides', *trial.overrides]


def submit(command: Sequence[str], name: str, folder: Path, options: Sequence[str]) -> str:
    """Submit a job that writes its output into a folder, and return its id."""
    argv = ['sbatch', '--parsable', f'--job-name={name}', f'--output={folder}/slurm-%j.txt', *options]
    return _output([*argv, f'--wrap={shlex.join(command)}']).strip().partition(';')[0]


def _queued() -> set[str]:
    """Return the ids of this user's waiting and running jobs."""
    return set(_output(['squeue', '--me', '--noheader', '--format=%i']).split())


def _output(argv: Sequence[str]) -> str:
    try:
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise ConfigError(f'--launcher slurm: there is no {argv[0]} on this machine.') from None
    except subprocess.CalledProcessError as error:
        raise ConfigError(f'--launcher slurm: {argv[0]} says: {error.stderr.strip()}') from None
