"""The program of a cluster job: run one trial, or train one teacher."""

import argparse
from pathlib import Path

from makd.cli.main import run
from makd.experiments.run_trials import job_environments
from makd.experiments.teacher_training import TeacherTraining
from makd.experiments.trial import Trial


def job_command(task: Trial | TeacherTraining) -> list[str]:
    """Return the arguments of ``python`` that run a trial or train a teacher."""
    trial = task.trial if isinstance(task, TeacherTraining) else task
    options = dict(seed=trial.seed, root=trial.root, tools=trial.tools, gpus=trial.gpus)
    if isinstance(task, TeacherTraining):
        options['checkpoint'] = task.checkpoint
    arguments = [f'--{name}={value}' for name, value in options.items()]
    return ['-m', 'makd.experiments.job', trial.config, *arguments, '--overrides', *trial.overrides]


def main() -> None:
    """Run the trial, or train the teacher."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('config')
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--root', type=Path, required=True)
    p.add_argument('--tools', type=Path, required=True)
    p.add_argument('--gpus', type=int, required=True)
    p.add_argument('--checkpoint', type=Path, help='train the teacher of this checkpoint instead')
    p.add_argument('--overrides', nargs='*', required=True)
    args = p.parse_args()
    trial = Trial(args.config, args.seed, args.root, args.tools, tuple(args.overrides), args.gpus)
    task = TeacherTraining(trial, args.checkpoint) if args.checkpoint else trial
    task.run(lambda line: print(line, flush=True), *job_environments(1, args.gpus, ()))


if __name__ == '__main__':
    run(main)
