"""The statistics of a comparison, against values worked out by hand."""

import pytest

from experiments import Result, summarise, to_markdown
from experiments.summary import final_scores, has_curves, paired_difference, validation_curves


def result(top1, **metrics):
    return Result({'accuracy/top1': top1, 'accuracy/top5': 50.0, **metrics}, 3.0, [(1, {'accuracy/top1': top1})])


def test_paired_difference_by_hand():
    # Differences 1, 2, 3: mean 2, standard deviation 1, t(0.975, 2) = 4.302653: half width 4.302653 / sqrt(3).
    mean, half_width = paired_difference([11.0, 22.0, 33.0], [10.0, 20.0, 30.0])
    assert mean == pytest.approx(2.0)
    assert half_width == pytest.approx(4.302653 / 3**0.5, rel=1e-6)
    assert paired_difference([5.0], [3.0]) == (2.0, pytest.approx(float('nan'), nan_ok=True))


def test_differences_are_paired_by_seed_not_by_position():
    rows = summarise({
        'base': {0: result(10.0), 1: result(20.0), 2: result(30.0)},
        'other': {2: result(31.0), 0: result(12.0), 1: None},
    })  # fmt: skip
    assert rows[0].difference is None
    assert rows[1].difference[0] == pytest.approx((1.0 + 2.0) / 2)
    assert rows[1].missing == (1,)
    assert rows[1].values['top-1 %'] == (pytest.approx(21.5), pytest.approx(19 / 2**0.5))


def test_the_table_says_which_seeds_are_missing_and_shows_agreement_in_percent():
    table = to_markdown(summarise({
        'base': {0: result(10.0), 1: result(12.0)},
        'makd': {0: result(11.0, **{'aspect/agreement': 0.914}), 1: None},
        'broken': {0: None, 1: None},
    }))  # fmt: skip
    base, makd, broken = table.splitlines()[2:]
    assert '11.00 ± 1.41' in base
    assert '1 (no result: 1)' in makd
    assert '91.40' in makd
    assert '+1.00' in makd
    assert '0 (no result: 0, 1)' in broken


def test_a_time_that_is_not_known_is_left_out():
    def timed(seconds):
        return Result({'accuracy/top1': 1.0}, seconds, [])

    (row,) = summarise({'steps': {0: timed(float('nan')), 1: timed(float('nan'))}})
    assert 's/epoch' not in row.values
    (row,) = summarise({'one log lost': {0: timed(3.0), 1: timed(float('nan')), 2: timed(5.0)}})
    assert row.values['s/epoch'][0] == 4.0


def test_curves_and_scores_are_those_of_the_primary_metric():
    results = {'a': {0: result(1.0), 1: result(2.0)}, 'b': {0: None}}
    assert validation_curves(results) == {'a': [{1: 1.0}, {1: 2.0}], 'b': []}
    assert final_scores(results) == {'a': {0: 1.0, 1: 2.0}, 'b': {}}


def test_detectors_are_compared_by_ap_in_percent():
    def detector(ap):
        return Result({'coco/bbox_mAP': ap, 'coco/bbox_mAP_50': 2 * ap}, 3.0, [])

    results = {'base': {0: detector(0.2), 1: detector(0.3)}, 'makd': {0: detector(0.25), 1: detector(0.31)}}
    table = to_markdown(summarise(results))
    assert 'AP - baseline, 95 % CI' in table
    assert '25.00 ± 7.07' in table
    # Differences 5 and 1: mean 3, half width 12.7062 * 2.8284 / sqrt(2); those of AP50 are twice as large.
    cells = [cell.strip() for cell in table.splitlines()[-1].split('|')]
    assert cells[-3:-1] == ['+3.00 ± 25.41', '+6.00 ± 50.82']


def test_a_run_without_validation_has_no_curve():
    detector = {'a': {0: Result({'coco/bbox_mAP': 0.25}, 3.0, [])}}
    assert validation_curves(detector) == {'a': [{}]}
    assert final_scores(detector) == {'a': {0: 25.0}}
    assert not has_curves(detector)
    once = {'a': {0: result(1.0), 1: None}, 'c': {0: None}}
    assert not has_curves(once)
    assert has_curves({**once, 'd': {0: Result({'accuracy/top1': 1.0}, 3.0, [(1, {}), (2, {})])}})
