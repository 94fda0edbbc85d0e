import numpy as np
import pytest

from makd.analysis.confusion import Confusion, answer_distance, held_out, strongest_pairs, telling_questions

nan = np.nan
LABELS = np.array([0, 0, 1, 2])
FIRST = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.0, 0.1, 0.9]])
SECOND = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])


@pytest.fixture
def confusion():
    return Confusion.of_runs(iter([FIRST, SECOND]), LABELS)


def test_of_runs_by_hand(confusion):
    assert confusion.images.tolist() == [2, 1, 1]
    np.testing.assert_allclose(confusion.mass[0], [[0.8, 0.8, 0.4], [0.4, 0.4, 0.2], [0.0, 0.1, 0.9]])
    assert confusion.counts[0].tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 1]]  # a tie goes to the first class


def test_soft_and_hard_confusions_of_pairs_by_hand(confusion):
    # First run: 0 and 1, of three images, (0.8 + 0.4) / 3; second: (1 + 0) / 3.
    expected = np.array([[0, (0.4 + 1 / 3) / 2, 0.2 / 3], [0, 0, 0.15 / 2], [0, 0, 0]])
    np.testing.assert_allclose(confusion.soft(), expected + expected.T)
    assert confusion.soft([0])[0, 1] == pytest.approx(0.4)
    assert confusion.hard()[0, 1] == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_sums_by_hand(confusion):
    assert confusion.wrong_mass == pytest.approx((1.9 / 4 + 1 / 4) / 2)
    assert confusion.wrong == pytest.approx((2 / 4 + 1 / 4) / 2)
    distance = np.array([[0, 2, nan], [2, 0, 4], [nan, 4, 0]])
    # Wrong mass, mean over the runs: 0.9 and 0.2 at a distance of 2, 0.1 and 0.05 at 4; 0 and 2 are left out.
    assert confusion.distance_of_wrong(distance) == pytest.approx((1.1 * 2 + 0.15 * 4) / 1.25)


def test_the_strongest_pairs():
    matrix = np.array([[9, 0.2, -0.1], [0.2, 9, 0.5], [-0.1, 0.5, 9]])
    assert strongest_pairs(matrix, 1) == [(1, 2)]
    assert strongest_pairs(matrix, 5) == [(1, 2), (0, 1)]


def confident(run_pairs):
    """Return runs on one image of each of four classes; (a, b) says that a is taken for b."""
    runs = []
    for pairs in run_pairs:
        probability = np.eye(4)
        for a, b in pairs:
            probability[a] = np.eye(4)[b]
        runs.append(probability)
    return Confusion.of_runs(runs, np.arange(4))


def test_what_remains_in_runs_that_were_left_out():
    right = confident([[], []])
    # The first run alone confuses 0 and 1, both confuse 2 and 3: chosen on the first, one of two remains.
    baseline = confident([[(0, 1), (2, 3)], [(2, 3)]])
    chosen_on, left_out = held_out(baseline, right, top=2)
    assert chosen_on == pytest.approx(0.5)
    assert left_out == pytest.approx((0.5 + 0.5 + 0.0) / 3)  # on the second run, only 2 and 3 are chosen
    assert held_out(right, baseline, top=2) is None
    assert held_out(baseline, confident([[]]), top=2) is None


def test_distance_of_answers_by_hand():
    means = np.array([[1.0, 0.2, nan], [0.0, 0.6, 0.5], [nan, nan, 0.9]])
    expected = [[0, 0.7, nan], [0.7, 0, 0.4], [nan, 0.4, 0]]
    np.testing.assert_allclose(answer_distance(means), expected)


def test_telling_questions():
    means = np.array([[1.0, 0.2, 0.5, nan], [0.7, 0.9, 0.5, 0.1]])
    assert telling_questions(means, (0, 1), 1) == [1]
    assert telling_questions(means, (1, 0), 4) == [1, 0]
