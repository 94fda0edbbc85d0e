"""The table of a comparison: means and spread over seeds, and paired differences with their confidence interval."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from statistics import fmean, stdev

from scipy.stats import ttest_rel

from experiments.training_log import Curve
from experiments.trial import Result
from makd.cli.markdown_table import markdown_table

Results = Mapping[str, Mapping[int, Result | None]]  # config -> seed -> result, or None where the run failed

PRIMARY = ('accuracy/top1', 'coco/bbox_mAP')  # the first that a result has is the metric that is plotted
COMPARED = (*PRIMARY, 'coco/bbox_mAP_50')  # whose paired differences are shown
# mmengine's metric -> column, in the order of the table.
COLUMNS = {
    'accuracy/top1': 'top-1 %',
    'accuracy/top5': 'top-5 %',
    'coco/bbox_mAP': 'AP %',
    'coco/bbox_mAP_50': 'AP50 %',
    'coco/bbox_mAP_75': 'AP75 %',
    'aspect/agreement': 'aspect agreement %',
    'aspect/auc': 'aspect AUC %',
    'region_aspect/agreement': 'region aspect agreement %',
    'region_aspect/auc': 'region aspect AUC %',
}


def in_column_unit(metric: str, value: float) -> float:
    """Return the value of a metric in the unit of its column: metrics in [0, 1] of ``COLUMNS`` are shown in percent."""
    in_percent = metric.startswith('accuracy/') or metric not in COLUMNS
    return value if in_percent else 100.0 * value


@dataclass(frozen=True)
class Row:
    """The row of a config.

    Attributes:
        name: The config.
        seeds: The seeds that have a result.
        missing: The requested seeds without a result.
        values: Column -> (mean, standard deviation over seeds; NaN with one seed).
        compared: The metric that the configs are compared by; None if no config has one.
        differences: Metric of ``COMPARED`` -> (mean, half width of the 95 % confidence interval) of its difference to
            the first config over the seeds that both have, by Student's t, in the unit of the column; the half width is
            NaN with one seed. Empty for the first config or without a common seed.
    """

    name: str
    seeds: tuple[int, ...]
    missing: tuple[int, ...]
    values: dict[str, tuple[float, float]]
    compared: str | None
    differences: dict[str, tuple[float, float]]

    @property
    def difference(self) -> tuple[float, float] | None:
        """The difference by ``compared``; None if there is none."""
        return None if self.compared is None else self.differences.get(self.compared)


def summarise(results: Results) -> list[Row]:
    """Return a row for each config, in the given order; the first config is the baseline."""
    baseline = next(iter(results.values()))
    compared = primary_metric(results)
    rows = []
    for name, by_seed in results.items():
        done = {seed: result for seed, result in by_seed.items() if result is not None}
        values = {
            column: mean_and_spread([in_column_unit(metric, r.metrics[metric]) for r in done.values()])
            for metric, column in COLUMNS.items()
            if done and all(metric in r.metrics for r in done.values())
        }
        # Unknown where epochs are not counted, or if the process was killed before it wrote that line of the log.
        if seconds := [r.seconds_per_epoch for r in done.values() if not isnan(r.seconds_per_epoch)]:
            values['s/epoch'] = mean_and_spread(seconds)
        missing = tuple(seed for seed, result in by_seed.items() if result is None)
        differences = {
            metric: paired_difference(*zip(*pairs))
            for metric in COMPARED
            if by_seed is not baseline and (pairs := _pairs(metric, done, baseline))
        }
        rows.append(Row(name, tuple(done), missing, values, compared, differences))
    return rows


def _pairs(metric: str, done: Mapping[int, Result], baseline: Mapping[int, Result | None]) -> list[tuple[float, float]]:
    """Return the values of a metric of a config and of the baseline, for each seed that both have."""
    return [
        (in_column_unit(metric, result.metrics[metric]), in_column_unit(metric, base.metrics[metric]))
        for seed, result in done.items()
        if (base := baseline.get(seed)) is not None and metric in result.metrics and metric in base.metrics
    ]


def has_curves(results: Results) -> bool:
    """Say whether a run was validated more than once."""
    return any(result and len(result.curve) > 1 for by_seed in results.values() for result in by_seed.values())


def validation_curves(results: Results) -> dict[str, list[Curve]]:
    """Return the curve of the primary metric of each finished run, by config."""
    metric = primary_metric(results)
    return {
        name: [
            {epoch: in_column_unit(metric, metrics[metric]) for epoch, metrics in result.curve if metric in metrics}
            for result in by_seed.values()
            if result
        ]
        for name, by_seed in results.items()
    }


def final_scores(results: Results) -> dict[str, dict[int, float]]:
    """Return the primary metric of the test of each finished run, by config and seed."""
    metric = primary_metric(results)
    return {
        name: {
            seed: in_column_unit(metric, result.metrics[metric])
            for seed, result in by_seed.items()
            if result and metric in result.metrics
        }
        for name, by_seed in results.items()
    }


def primary_metric(results: Results) -> str | None:
    """Return the metric by which configs are compared; None if no result has one."""
    found = {
        metric for by_seed in results.values() for result in by_seed.values() if result for metric in result.metrics
    }
    return next((metric for metric in PRIMARY if metric in found), None)


def paired_difference(values: Sequence[float], baseline: Sequence[float]) -> tuple[float, float]:
    """Return the mean paired difference and the half width of its 95 % confidence interval (NaN for one pair)."""
    mean = fmean(values) - fmean(baseline)
    if len(values) == 1:
        return mean, nan
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', RuntimeWarning)  # about equal differences, whose interval is rightly 0
        interval = ttest_rel(values, baseline).confidence_interval(0.95)
    return mean, float(interval.high - interval.low) / 2


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    columns = list(dict.fromkeys(column for row in rows for column in row.values))
    compared = [metric for metric in COMPARED if any(metric in row.differences for row in rows)]
    header = ['config', 'seeds', *columns]
    header += [f'{COLUMNS[metric].removesuffix(" %")} - baseline, 95 % CI' for metric in compared]
    body = []
    for row in rows:
        cells = [row.name, show_seeds(row), *(show_mean(row.values.get(column)) for column in columns)]
        cells += [show_difference(row.differences.get(metric)) for metric in compared]
        body.append(cells)
    return markdown_table(header, body)


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean, and the standard deviation over seeds; NaN with one seed."""
    return fmean(values), stdev(values) if len(values) > 1 else nan


def show_seeds(row: Row) -> str:
    """Return the number of seeds with a result, and the seeds without."""
    return str(len(row.seeds)) + (f' (no result: {", ".join(map(str, row.missing))})' if row.missing else '')


def show_mean(value: tuple[float, float] | None) -> str:
    """Return 'mean ± standard deviation', the mean alone with one seed, '-' for None."""
    if value is None:
        return '-'
    mean, spread = value
    return f'{mean:.2f}' if spread != spread else f'{mean:.2f} ± {spread:.2f}'


def show_difference(difference: tuple[float, float] | None) -> str:
    """Return a difference with its sign and '± half width of its interval', if it has one; '-' for None."""
    if difference is None:
        return '-'
    mean, half_width = difference
    return f'{mean:+.2f}' if half_width != half_width else f'{mean:+.2f} ± {half_width:.2f}'
