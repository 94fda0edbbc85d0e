"""Run one cell, or train one teacher, as a job of a cluster does."""

import argparse
from pathlib import Path

from makd.cli.main import run
from makd.experiments.cell import Cell
from makd.experiments.run_cells import job_environments
from makd.experiments.teachers import Teacher


def job_command(task: Cell | Teacher) -> list[str]:
    """Return the arguments that this module takes for a cell or a teacher."""
    cell = task.cell if isinstance(task, Teacher) else task
    checkpoint = ['--checkpoint', str(task.checkpoint)] if isinstance(task, Teacher) else []
    fixed = ['--seed', str(cell.seed), '--root', str(cell.root), '--tools', str(cell.tools), '--gpus', str(cell.gpus)]
    return ['-m', 'makd.experiments.job', cell.config, *fixed, *checkpoint, '--overrides', *cell.overrides]


def main() -> None:
    """Run what the command line names."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('config')
    p.add_argument('--seed', type=int, required=True)
    p.add_argument('--root', type=Path, required=True)
    p.add_argument('--tools', type=Path, required=True)
    p.add_argument('--gpus', type=int, required=True)
    p.add_argument('--checkpoint', type=Path, help='train the teacher that is looked for there')
    p.add_argument('--overrides', nargs='*', required=True)
    args = p.parse_args()
    cell = Cell(args.config, args.seed, args.root, args.tools, tuple(args.overrides), args.gpus)
    task = Teacher(cell, args.checkpoint) if args.checkpoint else cell
    task.run(lambda line: print(line, flush=True), *job_environments(1, args.gpus, ()))


if __name__ == '__main__':
    run(main)
