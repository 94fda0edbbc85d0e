import numpy as np
import pytest

from makd.analysis.review import discrimination, review
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

NAN = np.nan
#               class   question 0  question 1  question 2
ANSWERS = [
    (0, 0.8, 1.0, NAN),
    (0, 0.6, 0.0, NAN),
    (-1, 0.5, 0.5, 0.5),  # without a class: left out
    (1, 0.2, 0.9, 0.4),
    (1, 0.0, NAN, 0.4),
    (2, NAN, 0.5, 0.4),
]
MASS = [
    (1.0, 1.0, 1.0),
    (0.9, 1.0, 1.0),
    (0.1, 0.1, 0.1),
    (0.5, 1.0, 1.0),
    (0.4, 1.0, 1.0),
    (1.0, 0.2, 0.8),
]
LABELS = np.array([row[0] for row in ANSWERS])


def write(folder, yes, mass, **arguments):
    keys = [f'{number}.png' for number in range(len(yes))]
    questions = QuestionSet(Question(f'q{number}', f'{number}?') for number in range(yes.shape[1]))
    with np.errstate(divide='ignore'):
        logprobs = np.log(np.stack([yes, 1 - yes], axis=-1) * mass[..., None])
    return AspectTargets.write(folder, questions=questions, keys=keys, logprobs=logprobs, **arguments)


@pytest.fixture
def targets(tmp_path):
    return write(tmp_path / 'targets', np.array([row[1:] for row in ANSWERS]), np.array(MASS))


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_questions(targets):
    result = review(targets, LABELS, np.arange(0))
    close(result.mean_yes, [0.4, 0.6, 0.4])
    close(result.mass, [2.8 / 4, 3.2 / 4, 2.8 / 3])
    # Question 0: class means 0.7 and 0.1, SS within 4 * 0.1^2 = 0.04, SS total 2 * 0.4^2 + 2 * 0.2^2 = 0.4.
    # Question 1: class means 0.5, 0.9 and 0.5; within 0.5 over 4 - 3, total 0.62 over 3: below 0. 2: no variance.
    close(result.discrimination, [1 - (0.04 / 2) / (0.4 / 3), 0, 0])
    assert result.num_missing == 4
    assert result.yes.shape == (0, 3)


def test_answers(targets):
    result = review(targets, LABELS, np.array([0, 1, 3, 4, 5]))
    close(result.yes, [row[1:] for row in ANSWERS if row[0] >= 0])
    # NaN: the only image of its class that is answered.
    close(result.expected, [[0.6, 0, NAN], [0.8, 1, NAN], [0, NAN, 0.4], [0.2, NAN, 0.4], [NAN, NAN, NAN]])
    mass_of = [[1, 1, NAN], [0.9, 1, NAN], [0.5, 1, 1], [0.4, NAN, 1], [NAN, 0.2, 0.8]]
    close(result.mass_of, mass_of)
    close(result.suspicion, [[0.2, 1, NAN], [0.2, 1, NAN], [0.5, 0, 0], [0.6, NAN, 0], [NAN, 0.8, 0.2]])
    assert result.num_suspicious.tolist() == [2, 3, 0]


def test_without_a_label_mass_the_others_of_the_class_are_left(tmp_path):
    yes = np.array([row[1:] for row in ANSWERS])
    targets = write(tmp_path / 'targets', yes, np.ones_like(yes), has_label_mass=False)
    result = review(targets, LABELS, np.array([0, 1, 3, 4, 5]))
    assert np.isnan(result.mass).all()
    assert np.isnan(result.mass_of).all()
    close(result.suspicion, [[0.2, 1, NAN], [0.2, 1, NAN], [0.2, 0, 0], [0.2, NAN, 0], [NAN, 0, 0]])


def test_a_sample_has_the_statistics_of_all(targets, monkeypatch):
    whole = review(targets, LABELS, np.array([0, 1, 3, 4, 5]))
    monkeypatch.setattr('makd.targets.logprobs._CHUNK_BYTES', 2 * 3 * 8)  # two images per block
    part = review(targets, LABELS, np.array([1, 4]))
    for field in ('num_suspicious', 'num_missing'):
        np.testing.assert_array_equal(getattr(part, field), getattr(whole, field))
    # Close, not equal: with another block size, sums are computed in another order.
    for field in ('mean_yes', 'mass', 'discrimination'):
        np.testing.assert_allclose(getattr(part, field), getattr(whole, field), atol=1e-12)
    for field in ('yes', 'mass_of', 'expected', 'suspicion'):
        np.testing.assert_allclose(getattr(part, field), getattr(whole, field)[[1, 3]], atol=1e-12)


def of_groups(*groups):
    """Discrimination of one question."""
    sums = [[[len(group)], [sum(group)], [sum(p * p for p in group)]] for group in groups]
    return float(discrimination(*np.array(sums, float).transpose(1, 0, 2))[0])


def test_discrimination_of_special_cases():
    assert of_groups([1, 1], [0, 0, 0]) == 1
    assert of_groups([0.3, 0.3], [0.3]) == 0
    assert np.isnan(of_groups([0.2, 0.9]))  # one class
    assert np.isnan(of_groups([0.2, 0.9], []))
    assert np.isnan(of_groups([0.2], [0.9]))  # a class is never answered twice
    assert np.isnan(of_groups([]))


def test_discrimination_of_chance_is_nothing_however_small_the_classes():
    """The plain correlation ratio of noise in classes of three would be 1/3."""
    rng = np.random.default_rng(0)
    assert of_groups(*rng.uniform(size=(2000, 3)).tolist()) < 0.03
