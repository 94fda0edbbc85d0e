import pickle
import subprocess
import sys

import numpy as np
import pytest

from makd.errors import TargetsError
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets, RandomTargets, ShuffledTargets
from makd.targets.controls import ShuffledWithinTargets

SIZES = (3, 5, 2, 4)
# In no sorted order: the order of the labels must not matter.
LABELS = {f'c{label}/{index}.png': label * 10 for label, size in enumerate(SIZES) for index in reversed(range(size))}


@pytest.fixture
def described(tmp_path):
    """P(yes) of question 0 is about (label + 1) / 10 and of question 1 (index + 1) / 10."""
    keys = sorted(LABELS, reverse=True)
    value = [[(int(key[1]) + 1) / 10, (int(key[3]) + 1) / 10] for key in keys]
    logprobs = np.log(np.stack([value, 1 - np.array(value)], axis=-1))
    questions = QuestionSet([Question('label', 'Label?'), Question('index', 'Index?')])
    return AspectTargets.write(tmp_path / 't', questions=questions, keys=keys, logprobs=logprobs)


@pytest.mark.parametrize('seed', range(8))
def test_each_class_reads_one_other_class_in_order(described, seed):
    shuffled = ShuffledTargets(described, LABELS, seed)
    donors = {}
    for key in LABELS:
        label, index = shuffled.probability(key)
        own, donor = int(key[1]), round(float(label) * 10) - 1
        assert donors.setdefault(own, donor) == donor != own
        assert round(float(index) * 10) - 1 == int(key[3]) % SIZES[donor]
    assert sorted(donors.values()) == [0, 1, 2, 3]


def test_seed_decides_the_shuffle(described):
    def donors(seed):
        return tuple(float(ShuffledTargets(described, LABELS, seed).probability(f'c{c}/0.png')[0]) for c in range(4))

    # 9 derangements of 4 classes: all of them occur.
    assert len({donors(seed) for seed in range(100)}) == 9
    assert donors(3) == donors(3)


def test_shuffled_is_a_stand_in(described):
    labels = {key: label for key, label in LABELS.items() if key != 'c0/0.png'}
    shuffled = ShuffledTargets(described.select(['index']), {**labels, 'no/target.png': 7}, seed=0)
    assert shuffled.questions.ids == ('index',)
    assert shuffled.path == described.path
    assert 'c0/1.png' in shuffled
    assert 'c0/0.png' not in shuffled
    assert 'no/target.png' not in shuffled
    assert shuffled.probability('c0/1.png').shape == (1,)
    with pytest.raises(TargetsError, match=r"'c0/0.png' has no label"):
        shuffled.probability('c0/0.png')
    with pytest.raises(TargetsError, match='no answers for the image'):
        shuffled.probability('no/target.png')


@pytest.mark.parametrize('labels', [{'c0/0.png': 1, 'c0/1.png': 1}, {'root/c0/0.png': 0, 'root/c1/0.png': 1}, {}])
def test_shuffling_needs_two_classes(described, labels):
    with pytest.raises(TargetsError, match=r"needs 2 classes .*\d labelled images.* like 'c3/3.png'"):
        ShuffledTargets(described, labels, seed=0)


def donors_within(described, labels, seed):
    """Return the donor of each image, after a check that none gives twice."""
    shuffled = ShuffledWithinTargets(described, labels, seed)
    found = {}
    for key in labels:
        label, index = (round(float(p) * 10) - 1 for p in shuffled.probability(key))
        found[key] = f'c{label}/{index}.png'
    assert len(set(found.values())) == len(labels)
    return found


@pytest.mark.parametrize('seed', range(8))
def test_each_image_reads_another_one_of_its_class(described, seed):
    for key, donor in donors_within(described, LABELS, seed).items():
        assert donor[:2] == key[:2]
        assert donor != key
    assert donors_within(described, LABELS, seed) == donors_within(described, dict(reversed(LABELS.items())), seed)


def test_every_shuffle_within_a_class_occurs(described):
    threes = {tuple(donors_within(described, LABELS, seed)[f'c0/{i}.png'] for i in range(3)) for seed in range(30)}
    assert len(threes) == 2  # derangements of 3
    fours = {tuple(donors_within(described, LABELS, seed)[f'c3/{i}.png'] for i in range(4)) for seed in range(200)}
    assert len(fours) == 9


def test_classes_of_one_size_are_shuffled_apart(described):
    labels = {f'c{c}/{i}.png': c for c in (1, 3) for i in range(4)}
    same = [donors_within(described, labels, seed) for seed in range(20)]
    assert any(
        [found[f'c1/{i}.png'][3] for i in range(4)] != [found[f'c3/{i}.png'][3] for i in range(4)] for found in same
    )


def test_the_only_image_of_a_class_keeps_its_answers(described):
    labels = {key: label for key, label in LABELS.items() if key[:2] != 'c2'} | {'c2/0.png': 20, 'no/target.png': 0}
    shuffled = ShuffledWithinTargets(described, labels, seed=0)
    np.testing.assert_array_equal(shuffled.probability('c2/0.png'), described.probability('c2/0.png'))
    assert 'c2/1.png' not in shuffled
    assert 'no/target.png' not in shuffled
    with pytest.raises(TargetsError, match=r"'c2/1.png' has no label"):
        shuffled.probability('c2/1.png')
    with pytest.raises(TargetsError, match=r"needs a class with 2 images in .* like 'c3/3\.png'"):
        ShuffledWithinTargets(described, {'c0/0.png': 0, 'c1/0.png': 1}, seed=0)


def test_random_targets_are_sigmoids_of_gaussian_differences(tmp_path):
    count = 500
    targets = AspectTargets.write(
        tmp_path / 't',
        questions=QuestionSet(Question(f'q{i}', f'{i}?') for i in range(20)),
        keys=[f'{i}.png' for i in range(count)],
        logprobs=np.zeros((count, 20, 2), np.float32),
    )
    probability = np.stack([RandomTargets(targets, seed=1).probability(key) for key in targets.keys])
    assert probability.dtype == np.float32
    difference = np.log(probability / (1 - probability)).astype(np.float64)
    # z_yes - z_no is N(0, 2); 10,000 draws.
    assert abs(difference.mean()) < 4 * np.sqrt(2 / difference.size)
    assert abs(difference.var() - 2) < 4 * 2 * np.sqrt(2 / difference.size)
    assert np.unique(probability).size > 0.99 * probability.size
    # No question is a copy of another, no image of another.
    assert np.abs(np.corrcoef(difference.T) - np.eye(20)).max() < 0.2


def test_random_targets_depend_on_seed_and_key_alone(described):
    random = RandomTargets(described, seed=1)
    first = random.probability('c0/0.png')
    random.probability('c1/0.png')
    np.testing.assert_array_equal(random.probability('c0/0.png'), first)
    # Close and not equal: the sigmoid of an array of another length may take other instructions of the processor.
    of_one_question = RandomTargets(described.select(top=1), seed=1).probability('c0/0.png')
    np.testing.assert_allclose(of_one_question, first[:1], rtol=1e-6)
    assert not np.array_equal(RandomTargets(described, seed=2).probability('c0/0.png'), first)
    assert not np.array_equal(random.probability('c0/1.png'), first)
    with pytest.raises(TargetsError, match='no answers'):
        random.probability('c9/0.png')
    assert 'c0/0.png' in random
    assert 'c9/0.png' not in random


@pytest.mark.parametrize(
    'make',
    [
        lambda targets: ShuffledTargets(targets, LABELS, seed=5),
        lambda targets: ShuffledWithinTargets(targets, LABELS, seed=5),
        lambda targets: RandomTargets(targets, seed=5),
    ],
)
def test_controls_are_the_same_in_another_process(described, make):
    control = make(described)
    program = 'import pickle, sys; print(pickle.load(sys.stdin.buffer).probability("c1/2.png").tolist())'
    output = subprocess.run(
        [sys.executable, '-c', program], input=pickle.dumps(control), capture_output=True, check=True
    ).stdout
    assert output.decode().strip() == str(control.probability('c1/2.png').tolist())
