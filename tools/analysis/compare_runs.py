"""Draw the curves of several runs, with their spread over seeds."""

import argparse

from makd.cli.analysis import add_out
from makd.cli.main import run
from makd.errors import ConfigError

EXAMPLES = """examples:
  python tools/analysis/compare_runs.py work_dirs/compare/{baseline,makd}/resnet18_emoji
  python tools/analysis/compare_runs.py work_dirs/makd/resnet18_emoji --metric accuracy/top1 loss_cls loss_makd
  python tools/analysis/compare_runs.py 'plain'=runs/a/seed_0 runs/a/seed_1 'with aspects'=runs/b/seed_0 runs/b/seed_1

Folders are searched for runs. Runs that tools/compare.py laid out belong together if they differ in their seed only.
NAME=FOLDER begins a group, to which the folders after it belong. Losses are those of the training."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('runs', nargs='+', metavar='[NAME=]FOLDER', help='work dirs of runs, or folders of them')
    p.add_argument(
        '--metric',
        nargs='+',
        metavar='KEY',
        help='metrics and losses, a panel each (default: the first of top-1 and AP that there is, and the loss)',
    )
    add_out(p)
    return p.parse_args()


def main() -> None:
    """Read the logs and draw."""
    args = parse_args()

    # Imported here, so that --help is answered at once.
    from makd.analysis.figures.save import picture_paths, save_figure
    from makd.experiments.plots.run_curves import draw_run_curves
    from makd.experiments.seed_curves import find_runs, read_logs, seed_curves
    from makd.experiments.summary import PRIMARY

    paths = picture_paths(args.out, 'compare_runs')
    groups = find_runs(args.runs)
    for name, runs in groups.items():
        print(f'{name}: {len(runs)} runs, {", ".join(run.name for run in runs)}')
    logs = read_logs(groups)
    units = {log.unit for of_group in logs.values() for log in of_group}
    if len(units) > 1:
        raise ConfigError('some of the runs count epochs, others iterations: compare those that count alike.')
    recorded = {key for of_group in logs.values() for log in of_group for key in log.metrics}
    metrics = args.metric or [*[metric for metric in PRIMARY if metric in recorded][:1], 'loss']
    save_figure(draw_run_curves({metric: seed_curves(logs, metric) for metric in metrics}, units.pop()), paths)


if __name__ == '__main__':
    run(main)
