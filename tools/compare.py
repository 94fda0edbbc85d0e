"""Train several configs with the same seeds, test each once at its last epoch, and compare them."""

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from makd.cli.main import run

EXAMPLES = """examples:
  python tools/compare.py configs/baseline/resnet18_emoji.py configs/makd/resnet18_emoji.py
  python tools/compare.py configs/baseline/resnet18_emoji.py configs/makd/resnet18_emoji.py \\
      configs/ablation/resnet18_emoji_shuffled.py --seeds 0 1 2 3 4 --jobs 2

The first config is the baseline of the paired differences. A finished cell is not run again, a broken one is resumed; a
config that has changed is run anew. The table (Markdown) and the curves (PNG) are written to the work dir."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('configs', nargs='+', metavar='CONFIG', help='config files, the baseline first')
    p.add_argument('--seeds', nargs='+', type=int, default=[0], help='seeds, the same for each config (default: 0)')
    p.add_argument('--jobs', type=int, default=1, help='runs at a time; they share the CPU threads (default: 1)')
    p.add_argument('--work-dir', default='work_dirs/compare', help='folder of all runs (default: %(default)s)')
    p.add_argument('--name', default='comparison', help='name of the table and the picture (default: %(default)s)')
    p.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override fields of every config')
    return p.parse_args()


def main() -> None:
    """Run what is not finished, then print the table and draw the curves."""
    args = parse_args()

    # Imported here, so that --help is answered at once.
    from makd.cli.config import find_config
    from makd.experiments import Cell, CellFailedError, summarise, to_markdown
    from makd.visualization import plot_curves

    configs = [find_config(config) for config in args.configs]
    root, tools = Path(args.work_dir), Path(__file__).parent
    # Seed by seed, so that a comparison that is cut short has whole pairs.
    cells = [Cell(config, seed, root, tools, tuple(args.cfg_options)) for seed in args.seeds for config in configs]
    results = {cell.name: {} for cell in cells}
    started, failures = time.monotonic(), []
    threads = max(1, (os.cpu_count() or 1) // args.jobs) if args.jobs > 1 else None
    waiting = []
    for cell in cells:
        results[cell.name][cell.seed] = cell.result()
        if results[cell.name][cell.seed] is None:
            waiting.append(cell)
    print(f'{len(cells)} runs, of which {len(cells) - len(waiting)} are finished already.', flush=True)

    def run_cell(cell: Cell) -> None:
        label = f'[{cell.name} seed {cell.seed}]'
        results[cell.name][cell.seed] = cell.run(lambda line: print(label, line, flush=True), threads)

    with ThreadPoolExecutor(args.jobs) as pool:
        jobs = {pool.submit(run_cell, cell): cell for cell in waiting}
        for number, job in enumerate(as_completed(jobs), start=1):
            cell = jobs[job]
            try:
                job.result()
            except CellFailedError as error:
                failures.append(cell)
                print(f'error: {error}', flush=True)
            elapsed = time.monotonic() - started
            left = elapsed / number * (len(jobs) - number)
            print(f'{cell.name} seed {cell.seed}: {number} of {len(jobs)} runs, {elapsed:.0f} s, {left:.0f} s to go.')

    root.mkdir(parents=True, exist_ok=True)
    table = to_markdown(summarise(results))
    (root / f'{args.name}.md').write_text(table + '\n')
    plot_curves(results, root / f'{args.name}.png')
    print(f'\nTest at the last epoch (mean ± standard deviation over seeds):\n\n{table}\n')
    print(f'Table: {root / args.name}.md, validation curves: {root / args.name}.png, runs: {root}')
    if failures:
        raise SystemExit(1)


if __name__ == '__main__':
    run(main)
