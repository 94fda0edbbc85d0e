"""Train several configs with the same seeds, test each run once at its last epoch, and compare them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from makd.cli.main import run
from makd.errors import ConfigError
from makd.files import write_text

if TYPE_CHECKING:
    from experiments import Result, Trial

EXAMPLES = """examples:
  python tools/compare.py configs/baseline/resnet18_emoji.py configs/makd/resnet18_emoji.py
  python tools/compare.py configs/baseline/resnet18_emoji.py configs/makd/resnet18_emoji.py \\
      configs/ablation/resnet18_emoji_shuffled.py --seeds 0 1 2 3 4 --jobs 2

The first config is the baseline of the paired differences. A finished run is not repeated, a broken one is resumed; a
config that has changed is run again. The table (Markdown) and the curves (PNG) are written to the work dir."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('configs', nargs='+', metavar='CONFIG', help='config files, the baseline first')
    p.add_argument('--seeds', nargs='+', type=int, default=[0], help='seeds, the same for each config (default: 0)')
    p.add_argument('--jobs', type=int, default=1, help='runs at a time; they share the CPU threads (default: 1)')
    p.add_argument('--work-dir', default='work_dirs/compare', help='folder of all runs (default: %(default)s)')
    p.add_argument('--name', default='comparison', help='name of the table and the figure (default: %(default)s)')
    p.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields of every config')
    args = p.parse_args()
    if args.jobs < 1:
        p.error(f'--jobs {args.jobs}: at least one run at a time')
    return args


def main() -> None:
    """Run the unfinished trials, then print the table and draw the curves."""
    args = parse_args()

    # Imported here, so that --help is answered at once.
    from experiments import run_trials, summarise, to_markdown
    from experiments.plots import draw_scores, draw_validation
    from experiments.summary import COLUMNS, final_scores, has_curves, primary_metric, validation_curves

    trials = make_trials(args)
    results: dict[str, dict[int, Result | None]] = {trial.name: {} for trial in trials}
    for trial in trials:
        results[trial.name][trial.seed] = trial.result()
    waiting = [trial for trial in trials if results[trial.name][trial.seed] is None]
    print(f'{len(trials)} runs, of which {len(trials) - len(waiting)} are finished already.', flush=True)
    for trial, result in run_trials(waiting, args.jobs):
        results[trial.name][trial.seed] = result

    root = Path(args.work_dir)
    root.mkdir(parents=True, exist_ok=True)
    table = to_markdown(summarise(results))
    write_text(root / f'{args.name}.md', table + '\n')
    figure, column = root / f'{args.name}.png', COLUMNS.get(primary_metric(results), '')
    if has_curves(results):
        plotted = 'validation curves'
        draw_validation(validation_curves(results), column).savefig(figure, dpi=150)
    else:
        plotted = 'scores'
        draw_scores(final_scores(results), column).savefig(figure, dpi=150)
    print(f'\nTest at the last epoch (mean ± standard deviation over seeds):\n\n{table}\n')
    print(f'Table: {root / args.name}.md, {plotted}: {figure}, runs: {root}')
    if any(result is None for by_seed in results.values() for result in by_seed.values()):
        raise SystemExit(1)


def make_trials(args: argparse.Namespace) -> list[Trial]:
    """Return the trials seed by seed, so that an interrupted comparison has complete pairs."""
    from experiments import Trial
    from makd.config import find_config

    if any(option.startswith('randomness.seed') for option in args.cfg_options):
        raise ConfigError('--cfg-options randomness.seed: give the seeds of a comparison with --seeds.')
    root, tools = Path(args.work_dir), Path(__file__).parent
    options = tuple(args.cfg_options)
    trials = [Trial(find_config(c), seed, root, tools, options) for seed in args.seeds for c in args.configs]
    names = [(trial.name, trial.seed) for trial in trials]
    for name, seed in names:
        if names.count((name, seed)) > 1:
            raise ConfigError(f'{name} with seed {seed} is listed twice: give each config and each seed once.')
    return trials


if __name__ == '__main__':
    run(main)
