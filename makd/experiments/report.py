"""A reproduced table beside the paper's: Markdown to read, CSV to compute with."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from makd.experiments.paper import paper_figure
from makd.experiments.summary import (
    COLUMNS,
    Row,
    markdown_table,
    primary_metric,
    show_difference,
    show_mean,
    show_seeds,
    summarise,
)
from makd.experiments.tables import DATASET_TITLES, Arm, Block
from makd.experiments.trial import Result

Results = Mapping[Arm, Mapping[int, Result | None]]  # of a block: arm -> seed -> result, or None


@dataclass(frozen=True)
class Line:
    """An arm with what was measured, and what the paper has.

    Attributes:
        block: Where it stands.
        arm: What was run.
        row: Its statistics; ``row.values[column]`` is the mean and spread of ``column``.
        column: The metric that is compared, such as 'top-1 %'.
        paper: The paper's figure; None if it has none.
        paper_difference: The paper's difference to the baseline of the block; None as above, and for the baseline.
    """

    block: Block
    arm: Arm
    row: Row
    column: str
    paper: float | None
    paper_difference: float | None


def make_lines(blocks: Sequence[Block], results: Sequence[Results], with_paper: bool = True) -> list[Line]:
    """Work out each arm's statistics.

    Args:
        blocks: The table.
        results: Of each block.
        with_paper: Whether the paper's figures belong beside these, which options have changed if not.
    """
    by_method = [{arm.method: of_block[arm] for arm in block.arms} for block, of_block in zip(blocks, results)]
    metric = next((found for of_block in by_method if (found := primary_metric(of_block))), 'accuracy/top1')
    lines = []
    for block, of_block in zip(blocks, by_method):
        base = paper_figure(block.arms[0].config) if with_paper else None
        for arm, row in zip(block.arms, summarise(of_block)):
            paper = paper_figure(arm.config) if with_paper and not arm.overrides else None
            compared = paper is not None and base is not None and arm is not block.arms[0]
            difference = paper - base if compared else None  # type: ignore[operator]
            lines.append(Line(block, arm, row, COLUMNS[metric], paper, difference))
    return lines


def report_markdown(lines: Sequence[Line]) -> str:
    """Return the table as Markdown. Means are over seeds, with their standard deviation; see :class:`Row`."""
    column = lines[0].column
    header = ['data set', 'student', 'method', 'seeds', column, f'{column.removesuffix(" %")} - base, 95 % CI']
    with_paper = any(line.paper is not None for line in lines)
    body = []
    for line in lines:
        trials = [DATASET_TITLES[line.block.dataset], line.block.setting, line.arm.method, show_seeds(line.row)]
        trials += [show_mean(line.row.values.get(column)), show_difference(line.row.difference)]
        if with_paper:
            trials.append('-' if line.paper is None else f'{line.paper:.2f}')
            trials.append('-' if line.paper_difference is None else f'{line.paper_difference:+.2f}')
        body.append(trials)
    return markdown_table([*header, 'paper', 'paper - base'] if with_paper else header, body)


def report_csv(lines: Sequence[Line]) -> str:
    """Return the table as CSV: every metric's mean and spread, and empty fields for what there is not."""
    metrics = list(dict.fromkeys(column for line in lines for column in line.row.values))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator='\n')
    spread = [name for column in metrics for name in (column, f'{column}: standard deviation')]
    place = ['data set', 'student', 'method', 'config', 'overrides', 'seeds', 'missing seeds']
    compared = [f'{lines[0].column}: difference', 'half width of its 95 % confidence interval']
    writer.writerow([*place, *spread, *compared, 'paper', 'paper: difference'])
    for line in lines:
        row = line.row
        writer.writerow([
            *(DATASET_TITLES[line.block.dataset], line.block.setting, line.arm.method, line.arm.config),
            *(' '.join(line.arm.overrides), ' '.join(map(str, row.seeds)), ' '.join(map(str, row.missing))),
            *(_number(value) for column in metrics for value in row.values.get(column, (None, None))),
            *(_number(value) for value in row.difference or (None, None)),
            *(_number(line.paper), _number(line.paper_difference)),
        ])  # fmt: skip
    return file.getvalue()


def _number(value: float | None) -> str:
    return '' if value is None or value != value else f'{value:.4f}'
