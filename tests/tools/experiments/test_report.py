"""A reproduced table beside the paper's figures, worked out by hand."""

import csv
import io
import re

import pytest

from experiments import Result
from experiments.plots import draw_gains, draw_sweep
from experiments.report import gains, make_lines, report_csv, report_markdown, sweeps
from experiments.tables import Arm, Block

CARS = Block(
    'stanford_cars',
    'ResNet-18',
    (
        Arm('base', 'configs/baseline/resnet18_stanford_cars.py'),
        Arm('MaKD', 'configs/makd/resnet18_stanford_cars.py'),
        Arm('MaKD, alpha 8', 'configs/makd/resnet18_stanford_cars.py', ('alpha=8',)),
    ),
)
EMOJI = Block(
    'emoji',
    'ResNet-18',
    (Arm('base', 'configs/baseline/resnet18_emoji.py', x=0), Arm('10', 'configs/makd/resnet18_emoji.py', x=10)),
)


def result(top1):
    return Result({'accuracy/top1': top1, 'accuracy/top5': 90.0}, 1.0, [])


@pytest.fixture
def lines():
    base, makd, alpha = CARS.arms
    cars = {
        base: {0: result(70.0), 1: result(72.0)},
        makd: {0: result(75.0), 1: result(79.0)},
        alpha: {0: result(71.0), 1: None},
    }
    emoji = {arm: {0: None, 1: None} for arm in EMOJI.arms}
    return make_lines([CARS, EMOJI], [cars, emoji])


def test_lines_have_the_papers_figures_and_differences(lines):
    base, makd, alpha, *emoji = lines
    assert (base.paper, base.paper_difference) == (77.53, None)
    assert makd.paper == 83.38
    assert makd.paper_difference == pytest.approx(5.85)
    # Differences 5 and 7: mean 6, half width 12.7062 * sqrt(2) / sqrt(2).
    assert makd.row.difference == (pytest.approx(6.0), pytest.approx(12.7062, rel=1e-5))
    assert (alpha.paper, alpha.paper_difference) == (None, None)  # the paper's is at another alpha
    assert all(line.paper is None for line in emoji)


def test_the_table_shows_gaps_and_the_paper(lines):
    _, _, base, makd, alpha, empty, _ = (
        [cell.strip() for cell in row.strip('|').split('|')] for row in report_markdown(lines).splitlines()
    )
    assert base == ['StanfordCars', 'ResNet-18', 'base', '2', '71.00 ± 1.41', '-', '77.53', '-']
    assert makd[3:] == ['2', '77.00 ± 2.83', '+6.00 ± 12.71', '83.38', '+5.85']
    assert alpha[3:] == ['1 (no result: 1)', '71.00', '+1.00', '-', '-']
    assert empty[3:] == ['0 (no result: 0, 1)', '-', '-', '-', '-']


def test_csv_has_the_numbers(lines):
    base, makd, alpha, *_ = csv.DictReader(io.StringIO(report_csv(lines)))
    assert makd['top-1 %'] == '77.0000'
    assert float(makd['top-1 %: standard deviation']) == pytest.approx(8**0.5, abs=1e-4)
    assert makd['paper: difference'] == '5.8500'
    assert (alpha['overrides'], alpha['seeds'], alpha['missing seeds']) == ('alpha=8', '0', '1')
    assert (alpha['top-1 %: standard deviation'], base['top-1 %: difference']) == ('', '')


def test_pictures_name_what_they_show(lines, tmp_path):
    draw_gains(gains(lines), 'top-1 %').savefig(tmp_path / 'gains.svg')
    shown = re.findall(r'<!-- (.*?) -->', (tmp_path / 'gains.svg').read_text())
    assert {
        'StanfordCars, ResNet-18: MaKD',
        'Emoji, ResNet-18: 10',
        'paper',
        'measured, 95 % CI',
        'measured, one seed',
    } <= {*shown}
    base, ten = EMOJI.arms
    of_emoji = make_lines([EMOJI], [{base: {0: result(14.0)}, ten: {0: result(15.0)}}])
    draw_sweep(sweeps(of_emoji), 'number of questions', 'top-1 %').savefig(tmp_path / 'sweep.svg')
    shown = re.findall(r'<!-- (.*?) -->', (tmp_path / 'sweep.svg').read_text())
    assert {'number of questions', 'test top-1 %', 'Emoji, ResNet-18', 'dashed: baseline'} <= {*shown}
    draw_sweep(sweeps(lines[3:]), 'number of questions', 'top-1 %').savefig(tmp_path / 'nothing.png')
