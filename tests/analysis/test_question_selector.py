"""The information of answers about the class, against a reference written out by hand and against known entropies."""

from math import log, log2

import numpy as np
import pytest

from makd.analysis import QuestionSelector
from makd.errors import TargetsError


def information_by_hand(probability, labels, questions):
    """The formula of the docstring, one image, class and question at a time."""
    num_images, classes = len(labels), sorted(set(labels))
    prior = {c: labels.count(c) / num_images for c in classes}
    entropy = -sum(p * log2(p) for p in prior.values())
    total = 0.0
    for n in range(num_images):
        joint = {}
        for c in classes:
            joint[c] = log(prior[c])
            for q in questions:
                if np.isnan(probability[n, q]):
                    continue
                all_answers = [p for p in probability[:, q] if not np.isnan(p)]
                average = (sum(all_answers) + 0.5) / (len(all_answers) + 1)
                others = [
                    probability[m, q]
                    for m in range(num_images)
                    if m != n and labels[m] == c and not np.isnan(probability[m, q])
                ]
                theta = (sum(others) + average) / (len(others) + 1)
                joint[c] += probability[n, q] * log(theta) + (1 - probability[n, q]) * log(1 - theta)
        biggest = max(joint.values())
        evidence = biggest + log(sum(np.exp(value - biggest) for value in joint.values()))
        total += (joint[labels[n]] - evidence) / log(2)
    return entropy + total / num_images


def test_formula_by_hand():
    rng = np.random.default_rng(0)
    labels = [0, 0, 0, 1, 1, 2, 2, 2, 2, 5]  # class 5 has one image
    probability = rng.random((10, 4))
    probability[2, 1] = probability[9, 1] = np.nan
    probability[4] = [0.0, 1.0, 0.0, 1.0]
    bits = QuestionSelector(probability, labels).information([3, 1, 0])
    for count in (1, 2, 3):
        assert bits[count - 1] == pytest.approx(information_by_hand(probability, labels, [3, 1, 0][:count]), abs=1e-5)


@pytest.fixture
def four_classes():
    """Four classes of 200 images: two bits that tell them apart, a copy of the first, and a coin."""
    labels = np.repeat(np.arange(4), 200)
    coin = np.random.default_rng(0).integers(0, 2, 800)
    return np.stack([coin, labels // 2, labels // 2, labels % 2], axis=1).astype(float), labels


def test_bits_that_are_known(four_classes):
    evidence = QuestionSelector(*four_classes)
    assert evidence.entropy == pytest.approx(2.0)
    assert evidence.information([1])[0] == pytest.approx(1.0, abs=0.02)
    assert evidence.information([1, 3])[-1] == pytest.approx(2.0, abs=0.02)
    first, with_copy = evidence.information([1, 2])
    assert with_copy == pytest.approx(first, abs=0.02)  # a copy adds no information
    assert abs(evidence.information([0])[0]) < 0.01


def test_rank_takes_what_tells_more_beyond_the_chosen(four_classes):
    seen = []
    chosen = QuestionSelector(*four_classes).rank(2, lambda question, bits: seen.append((question, bits)))
    assert chosen == [1, 3]
    assert seen[1] == (3, pytest.approx(2.0, abs=0.02))
    assert sorted(QuestionSelector(*four_classes).rank()) == [0, 1, 2, 3]


def test_noise_about_classes_of_few_images_tells_nothing():
    """Estimated on the same images it would seem to give half a bit."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(300), 3)
    coins = rng.integers(0, 2, (900, 20)).astype(float)

    def entropy(p):
        return -sum(x * log2(x) for x in (p, 1 - p) if x > 0)

    counted = entropy(coins[:, 0].mean()) - np.mean([entropy(coins[labels == c, 0].mean()) for c in range(300)])
    assert counted > 0.25
    evidence = QuestionSelector(coins, labels)
    assert np.mean([evidence.information([q])[0] for q in range(20)]) < 0.01


def test_an_undecided_annotator_tells_nothing():
    labels = [0, 0, 1, 1]
    assert QuestionSelector(np.full((4, 1), 0.5), labels).information([0])[0] == pytest.approx(0.0, abs=1e-6)


def test_one_image_a_class_is_not_enough():
    with pytest.raises(TargetsError, match=r'each of the 2 classes has one annotated image'):
        QuestionSelector(np.zeros((2, 1)), [0, 1])
