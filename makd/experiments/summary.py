"""The table of a comparison: means and spread over seeds, and paired differences with their confidence interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from statistics import fmean, stdev

from scipy.stats import t as student_t

from makd.experiments.trial import Result

# mmengine's metric -> column, in the order of the table.
PRIMARY = ('accuracy/top1', 'coco/bbox_mAP')  # the first that there is: the metric of the paired difference
COLUMNS = {
    'accuracy/top1': 'top-1 %',
    'accuracy/top5': 'top-5 %',
    'coco/bbox_mAP': 'AP %',
    'coco/bbox_mAP_50': 'AP50 %',
    'coco/bbox_mAP_75': 'AP75 %',
    'aspect/agreement': 'aspect agreement %',
    'aspect/auc': 'aspect AUC %',
}
# Metrics in [0, 1] that the table shows in percent.
PERCENT = {metric: 100.0 for metric in COLUMNS if metric.startswith(('aspect/', 'coco/'))}


@dataclass(frozen=True)
class Row:
    """A config's line.

    Attributes:
        name: The config.
        seeds: The seeds that have a result.
        missing: The seeds that were asked for and have none.
        values: Column -> (mean, standard deviation over seeds; NaN with one seed).
        compared: The metric of the difference; None where no config has one.
        difference: (mean, half width of the 95 % confidence interval) of its difference to the first config over the
            seeds that both have, by Student's t, in the unit of the column; None for the first config or without a
            common seed.
    """

    name: str
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    values: dict[str, tuple[float, float]]
    compared: str | None
    difference: tuple[float, float] | None


def summarise(results: Mapping[str, Mapping[int, Result | None]]) -> list[Row]:
    """Summarise results by config.

    Args:
        results: Config name -> seed -> result, or None where the run failed. The first config is the baseline.

    Returns:
        list[Row]: One for each config, in the given order.
    """
    baseline = next(iter(results.values()))
    compared = primary_metric(results)
    rows = []
    for name, by_seed in results.items():
        done = {seed: result for seed, result in by_seed.items() if result is not None}
        values = {
            column: _mean_and_spread([r.metrics[metric] * PERCENT.get(metric, 1.0) for r in done.values()])
            for metric, column in COLUMNS.items()
            if done and all(metric in r.metrics for r in done.values())
        }
        # Unknown where epochs are not counted, or a line of the log is lost with the process that was to keep it.
        if seconds := [r.seconds_per_epoch for r in done.values() if not isnan(r.seconds_per_epoch)]:
            values['s/epoch'] = _mean_and_spread(seconds)
        pairs = [
            (result.metrics[compared] - base.metrics[compared]) * PERCENT.get(compared, 1.0)
            for seed, result in done.items()
            if (base := baseline.get(seed)) is not None and compared in result.metrics and compared in base.metrics
        ]
        missing = tuple(seed for seed, result in by_seed.items() if result is None)
        difference = paired_difference(pairs) if pairs and by_seed is not baseline else None
        rows.append(Row(name, tuple(done), missing, values, compared, difference))
    return rows


def primary_metric(results: Mapping[str, Mapping[int, Result | None]]) -> str | None:
    """Return the metric by which configs are compared; None if no result has one."""
    found = {
        metric for by_seed in results.values() for result in by_seed.values() if result for metric in result.metrics
    }
    return next((metric for metric in PRIMARY if metric in found), None)


def paired_difference(differences: Sequence[float]) -> tuple[float, float]:
    """Return the mean of paired differences and the half width of its 95 % confidence interval (NaN for one pair)."""
    mean, spread = _mean_and_spread(differences)
    n = len(differences)
    return mean, spread / sqrt(n) * float(student_t.ppf(0.975, n - 1)) if n > 1 else nan


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    columns = list(dict.fromkeys(column for row in rows for column in row.values))
    compared = next((row.compared for row in rows if row.difference is not None), None)
    with_difference = compared is not None
    header = ['config', 'seeds', *columns]
    if compared is not None:
        header.append(f'{COLUMNS[compared].removesuffix(" %")} - baseline, 95 % CI')
    body = []
    for row in rows:
        trials = [row.name, show_seeds(row), *(show_mean(row.values.get(column)) for column in columns)]
        if with_difference:
            trials.append(show_difference(row.difference))
        body.append(trials)
    return markdown_table(header, body)


def markdown_table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown, whose columns are aligned for who reads it as text."""
    widths = [max(map(len, column)) for column in zip(header, *body)]
    lines = [header, ['-' * width for width in widths], *body]
    return '\n'.join('| ' + ' | '.join(c.ljust(w) for c, w in zip(line, widths)) + ' |' for line in lines)


def _mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    return fmean(values), stdev(values) if len(values) > 1 else nan


def show_seeds(row: Row) -> str:
    """Return how many seeds have a result, and which have none."""
    return str(len(row.seeds)) + (f' (no result: {", ".join(map(str, row.missing))})' if row.missing else '')


def show_mean(value: tuple[float, float] | None) -> str:
    """Return 'mean ± standard deviation', the mean alone of one value, '-' for none."""
    if value is None:
        return '-'
    mean, spread = value
    return f'{mean:.2f}' if spread != spread else f'{mean:.2f} ± {spread:.2f}'


def show_difference(difference: tuple[float, float] | None) -> str:
    """Return a difference with its sign, '± half width of its interval' where there is one, '-' for none."""
    if difference is None:
        return '-'
    mean, half_width = difference
    return f'{mean:+.2f}' if half_width != half_width else f'{mean:+.2f} ± {half_width:.2f}'
