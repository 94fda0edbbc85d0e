"""The program of a cluster job: run one trial, or train one teacher."""

import argparse
from pathlib import Path

from experiments.run_trials import job_environments
from experiments.teacher_training import TeacherTraining
from experiments.trial import Trial
from makd.cli.main import run


def main() -> None:
    """Run the trial, or train the teacher."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('config')
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--root', type=Path, required=True)
    p.add_argument('--tools', type=Path, required=True)
    p.add_argument('--gpus', type=int, required=True)
    p.add_argument('--checkpoint', type=Path, help='train the teacher of this checkpoint instead')
    p.add_argument('--role', help='what its students need it for')
    p.add_argument('--overrides', nargs='*', required=True)
    args = p.parse_args()
    trial = Trial(args.config, args.seed, args.root, args.tools, tuple(args.overrides), args.gpus)
    task = TeacherTraining(trial, args.checkpoint, args.role) if args.checkpoint else trial
    task.run(lambda line: print(line, flush=True), *job_environments(1, args.gpus, ()))


if __name__ == '__main__':
    run(main)
