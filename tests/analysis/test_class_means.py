import numpy as np
import pytest

from makd.analysis.class_means import choose_questions, class_band, class_means, mean_correlation, spread
from makd.errors import QuestionsError
from makd.questions import Question, QuestionSet

nan = np.nan
VALUES = np.array([[0.2, 1.0], [0.6, nan], [0.9, 0.0], [nan, nan]])
LABELS = np.array([2, 2, 0, 1])


def test_means_by_hand():
    means = class_means(VALUES, LABELS, 4)
    np.testing.assert_allclose(means, [[0.9, 0.0], [nan, nan], [0.4, 1.0], [nan, nan]])


def test_band_by_hand():
    values = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.7, nan])
    band = class_band(values, np.array([0] * 11 + [1, 1]), [1, 0, 2])
    np.testing.assert_allclose(band, [[0.7, 0.1, nan], [0.7, 0.9, nan]])


def test_correlation_by_hand():
    # Deviations (-1, 0, 1) and (-1, 1, 0): 1 / sqrt(2 * 2).
    assert mean_correlation(np.array([1.0, 2, 3, nan]), np.array([1.0, 3, 2, 7])) == pytest.approx(0.5)
    assert np.isnan(mean_correlation(np.array([1.0, 1, nan]), np.array([1.0, 2, 3])))


def test_spread_by_hand():
    values = np.array([[0.0, nan, 0.5, nan], [1.0, 0.3, 0.5, nan]])
    np.testing.assert_allclose(spread(values), [0.5, 0.0, 0.0, 0.0])


def test_questions_are_those_that_are_named_or_the_most_spread():
    questions = QuestionSet(Question(name, f'Is it {name}?') for name in 'abcd')
    first, second = np.array([0.1, 0.5, 0.5, 0.5]), np.array([0.9, 0.2, 0.2, 0.4])
    assert choose_questions(questions, None, [first], 2) == [1, 2]
    assert choose_questions(questions, None, [first, second], 3) == [3, 1, 2]
    assert choose_questions(questions, ['d', 'a'], [first], 1) == [3, 0]
    with pytest.raises(QuestionsError, match=r"no question 'dd'.*'d'"):
        choose_questions(questions, ['dd'], [first], 1)
    with pytest.raises(QuestionsError, match='top 5 of 4'):
        choose_questions(questions, None, [first], 5)
