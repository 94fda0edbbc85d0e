"""A reproduced table beside the paper's: Markdown to read, CSV to compute with, and the numbers of its plot."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from experiments.plots import Gain, Sweep
from experiments.summary import (
    COLUMNS,
    Row,
    primary_metric,
    show_difference,
    show_mean,
    show_seeds,
    summarise,
)
from experiments.tables import DATASET_TITLES, Arm, Block
from experiments.trial import Result
from makd.cli.markdown_table import markdown_table

BlockResults = Mapping[Arm, Mapping[int, Result | None]]  # arm -> seed -> result, or None where there is none


@dataclass(frozen=True)
class Line:
    """An arm with its measured figures, and the paper's.

    Attributes:
        block: The block of the arm.
        arm: The arm.
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

    @property
    def place(self) -> str:
        """The dataset and the setting, such as 'Emoji, ResNet-18'."""
        return f'{DATASET_TITLES[self.block.dataset]}, {self.block.setting}'


def paper_figure(config: str, overrides: Sequence[str] = ()) -> float | None:
    """Return the figure that the paper reports for a config, such as top-1 in percent; None if it reports none.

    It is the first metric of the config's result in ``configs/FOLDER/metafile.yml`` whose Source is the paper
    and whose Options, if any, are the overrides.
    """
    path = Path(config).absolute()
    for model in _models(path.parent / 'metafile.yml'):
        if Path(model['Config']).name == path.name:
            for result in model.get('Results', ()):
                of_paper = str(result.get('Source', '')).startswith('paper')
                if of_paper and result.get('Options', '') == ' '.join(overrides):
                    return float(next(iter(result['Metrics'].values())))
    return None


@cache
def _models(metafile: Path) -> list[dict]:
    return yaml.safe_load(metafile.read_text('utf-8'))['Models'] if metafile.is_file() else []


def make_lines(blocks: Sequence[Block], results: Sequence[BlockResults], with_paper: bool = True) -> list[Line]:
    """Compute each arm's statistics.

    Args:
        blocks: The table.
        results: The results of each block.
        with_paper: Whether the paper's figures are comparable; not if options have changed every config.
    """
    by_method = [{arm.method: of_block[arm] for arm in block.arms} for block, of_block in zip(blocks, results)]
    metric = next((found for of_block in by_method if (found := primary_metric(of_block))), 'accuracy/top1')
    lines = []
    for block, of_block in zip(blocks, by_method):
        base = paper_figure(block.arms[0].config, block.arms[0].overrides) if with_paper else None
        for arm, row in zip(block.arms, summarise(of_block)):
            paper = paper_figure(arm.config, arm.overrides) if with_paper else None
            compared = paper is not None and base is not None and arm is not block.arms[0]
            difference = paper - base if compared else None  # type: ignore[operator]
            lines.append(Line(block, arm, row, COLUMNS[metric], paper, difference))
    return lines


def report_markdown(lines: Sequence[Line]) -> str:
    """Return the table as Markdown. Means are over seeds, with their standard deviation; see :class:`Row`."""
    column = lines[0].column
    header = ['dataset', 'student', 'method', 'seeds', column, f'{column.removesuffix(" %")} - base, 95 % CI']
    with_paper = any(line.paper is not None for line in lines)
    body = []
    for line in lines:
        cells = [DATASET_TITLES[line.block.dataset], line.block.setting, line.arm.method, show_seeds(line.row)]
        cells += [show_mean(line.row.values.get(column)), show_difference(line.row.difference)]
        if with_paper:
            cells.append('-' if line.paper is None else f'{line.paper:.2f}')
            cells.append('-' if line.paper_difference is None else f'{line.paper_difference:+.2f}')
        body.append(cells)
    return markdown_table([*header, 'paper', 'paper - base'] if with_paper else header, body)


def report_csv(lines: Sequence[Line]) -> str:
    """Return the table as CSV: every metric's mean and spread; a field without a value is empty."""
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


def gains(lines: Sequence[Line]) -> list[Gain]:
    """Return the difference of each arm to its baseline, measured and the paper's."""
    return [
        Gain(f'{line.place}: {line.arm.method}', line.block.dataset, line.row.difference, line.paper_difference)
        for line in lines
        if line.arm is not line.block.arms[0]
    ]


def sweeps(lines: Sequence[Line]) -> list[Sweep]:
    """Return a sweep for each block of a figure, over the ``x`` of its arms."""
    column = lines[0].column
    by_block: dict[Block, list[Line]] = {}
    for line in lines:
        by_block.setdefault(line.block, []).append(line)
    made = []
    for base, *others in by_block.values():
        points = sorted(
            (line.arm.x, *line.row.values[column])
            for line in others
            if line.arm.x is not None and column in line.row.values
        )
        made.append(Sweep(base.place, base.row.values.get(column, (None,))[0], points))
    return made


def _number(value: float | None) -> str:
    return '' if value is None or value != value else f'{value:.4f}'
