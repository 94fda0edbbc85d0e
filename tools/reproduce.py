"""Reproduce a table or figure of the paper: train and test its trials, and show their results beside the paper's."""

from __future__ import annotations

import argparse
import hashlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from makd.cli.main import run
from makd.errors import DataError
from makd.files import write_text

if TYPE_CHECKING:
    from experiments import Trial
    from experiments.tables import Arm, Block, Table
    from experiments.teacher_training import TeacherTraining

    Trials = list[dict[Arm, dict[int, Trial]]]  # for each block: arm -> seed -> trial

NAMES = (
    'table1',
    'table2',
    'table3',
    'table4',
    'table5',
    'table6',
    'table7',
    'figure2',
    'figure3',
    'questions',
    'unlabelled',
    'distillers',
    'students',
)
TOOLS = Path(__file__).parent
EXAMPLES = """examples:
  python tools/reproduce.py table2 --datasets emoji --seeds 3              # on the data that ships
  python tools/reproduce.py table1 --datasets stanford_cars --dry-run      # what it would run
  python tools/reproduce.py table1 --launcher slurm --slurm-args "--partition=gpu --gres=gpu:1 --time=24:00:00"

Tables 1 to 7, Figures 2 and 3, and 'questions', 'unlabelled', 'distillers' and 'students', which the paper does not
have. The command may be repeated: finished trials are skipped, interrupted ones resumed; a config that has changed is
run again. A trial is tested once, at its last epoch, or at the best epoch on a split held out of training if its config
says so. Absent teachers and pre-trained weights are trained first. The table, with any gaps, is written to
WORK_DIR/NAME.md, .csv and .png."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('table', choices=NAMES, metavar='TABLE', help=', '.join(NAMES))
    p.add_argument('--datasets', nargs='+', metavar='NAME', help="such as stanford_cars or emoji; default: the paper's")
    p.add_argument('--seeds', type=int, default=5, help='number of seeds, from 0 on (default: 5)')
    p.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='pytorch: several GPUs per trial'
    )
    p.add_argument('--gpus', type=int, default=1, help='GPUs per trial, on one machine (default: 1)')
    p.add_argument('--jobs', type=int, default=1, help='trials at a time on this machine (default: 1)')
    p.add_argument('--slurm-args', default='', metavar='ARGS', help='further options of sbatch, in one string')
    p.add_argument(
        '--work-dir',
        default='work_dirs/compare',
        help='folder of all runs, shared with compare.py (default: %(default)s)',
    )
    p.add_argument('--dry-run', action='store_true', help='list the trials and the data they lack, and run nothing')
    p.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields of every config')
    args = p.parse_args()
    if min(args.seeds, args.jobs, args.gpus) < 1:
        p.error('--seeds, --jobs and --gpus are 1 or more')
    if args.gpus > 1 and args.launcher == 'none':
        p.error(f'--gpus {args.gpus}: with --launcher pytorch, or slurm')
    return args


def main() -> None:
    """Run the unfinished trials, and show the table."""
    args = parse_args()
    # Imported here, so that --help is answered at once.
    from experiments.tables import TABLES
    from experiments.teacher_training import absent_teachers, teacher_of

    table = TABLES[args.table]
    blocks = table.blocks(tuple(args.datasets) if args.datasets else None)
    trials = make_trials(blocks, args)
    absent = absent_data(each(trials))
    if absent and not args.dry_run:
        raise DataError(f'The data are not there (paths are relative to the working directory):\n{absent}')
    teachers = absent_teachers(each(trials))
    if args.dry_run:
        list_what_runs(each(trials), teachers, absent)
        return
    if teachers:
        start(teachers, args)
        trials = make_trials(blocks, args)  # again: a student's fingerprint depends on its teacher

    distinct = list(dict.fromkeys(each(trials)))
    waiting = [trial for trial in distinct if not trial.done]
    print(f'{len(distinct)} trials, of which {len(distinct) - len(waiting)} are finished already.', flush=True)
    needed = {trial: teacher_of(trial) for trial in waiting}
    held_back = {trial: teacher for trial, teacher in needed.items() if teacher is not None and not teacher.done}
    for trial, teacher in held_back.items():
        print(f'{trial.label} waits for the {teacher.label}.', flush=True)
    start([trial for trial in waiting if trial not in held_back], args)
    show(args, table, blocks, trials)
    if all(trial.done for trial in waiting):
        return
    if args.launcher == 'slurm':
        print('The same command shows the table when the jobs have ended, and submits the trials that failed or wait.')
    else:
        raise SystemExit('The same command runs the trials without a result, and skips the others.')


def make_trials(blocks: list[Block], args: argparse.Namespace) -> Trials:
    """Return the trials of each block."""
    from experiments import Trial

    def trial(arm: Arm, seed: int) -> Trial:
        overrides = (*arm.overrides, *arm.overrides_of_seed(seed), *args.cfg_options)
        return Trial(arm.config, seed, Path(args.work_dir), TOOLS, overrides, args.gpus)

    return [{arm: {seed: trial(arm, seed) for seed in range(args.seeds)} for arm in block.arms} for block in blocks]


def each(trials: Trials) -> Iterator[Trial]:
    """Yield the trials seed by seed, so that an interrupted table has complete pairs."""
    for seed in next(iter(trials[0].values())):
        for block in trials:
            for by_seed in block.values():
                yield by_seed[seed]


def absent_data(trials: Iterable[Trial]) -> str:
    """Name each absent dataset and targets folder once, with a config that needs it and the command that makes it."""
    from makd import config

    places: dict[str, str] = {}
    for trial in {trial.config: trial for trial in trials}.values():
        absent = config.absent_data(trial.cfg, ('train_dataloader', 'val_dataloader', 'test_dataloader'))
        for place, remedy in absent.items():
            places.setdefault(remedy, f'{trial.config}: {place}')
    lines = [f'  {place}\n    {remedy}' for remedy, place in places.items()]
    return '\n'.join([*lines, 'Or select the datasets that are there: --datasets NAME ...']) if lines else ''


def list_what_runs(trials: Iterable[Trial], teachers: list[TeacherTraining], absent: str) -> None:
    """Print each trial and its state."""
    for teacher in teachers:
        print(f'{teacher.label}: to be trained first')
    done = 0
    distinct = list(dict.fromkeys(trials))
    for trial in distinct:
        checkpoint = trial.run_of_tools.checkpoint()
        done += trial.done
        state = 'finished' if trial.done else f'to go on from {checkpoint.stem}' if checkpoint else 'to be run'
        print(f'{trial.label}: {state}')
    print(f'{len(distinct)} trials, of which {done} are finished already.')
    if absent:
        print(f'The data are not there:\n{absent}')


def start(tasks: Sequence[Trial | TeacherTraining], args: argparse.Namespace) -> None:
    """Run trials or teachers on this machine, or submit them as jobs."""
    from experiments import run_trials
    from experiments.slurm import submit_waiting

    if args.launcher == 'slurm':
        submit_waiting(tasks, shlex.split(args.slurm_args))
    else:
        for _ in run_trials(tasks, args.jobs, args.gpus):
            pass


def show(args: argparse.Namespace, table: Table, blocks: list[Block], trials: Trials) -> None:
    """Write the table and the figure, and print the table."""
    from experiments.plots import draw_gains, draw_sweep
    from experiments.report import gains, make_lines, report_csv, report_markdown, sweeps

    results = [
        {arm: {seed: trial.result() for seed, trial in by_seed.items()} for arm, by_seed in block.items()}
        for block in trials
    ]
    lines = make_lines(blocks, results, with_paper=not args.cfg_options)
    root = Path(args.work_dir)
    root.mkdir(parents=True, exist_ok=True)
    name = '_'.join([args.table, *(args.datasets or ())])
    markdown = report_markdown(lines)
    if args.cfg_options:  # another experiment, which must not overwrite the table
        options = shlex.join(args.cfg_options)
        name += f'_{hashlib.sha256(options.encode()).hexdigest()[:6]}'
        markdown += f'\n\nWith --cfg-options {options}'
    write_text(root / f'{name}.md', f'{markdown}\n')
    write_text(root / f'{name}.csv', report_csv(lines))
    column = lines[0].column
    figure = draw_gains(gains(lines), column) if table.axis is None else draw_sweep(sweeps(lines), table.axis, column)
    figure.savefig(root / f'{name}.png', dpi=150)
    print(f'\n{table.title} (mean ± standard deviation over seeds):\n\n{markdown}\n')
    print(f'Written: {root / name}.md, .csv and .png; runs: {root}')


if __name__ == '__main__':
    run(main)
