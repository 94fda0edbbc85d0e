from math import log2

import numpy as np
import pytest

from makd.analysis import WeightOfEvidence

NAN = float('nan')


def test_bits_written_out():
    """Two classes, two questions; class 1 has one image, which does not answer the second."""
    evidence = WeightOfEvidence(np.array([[1.0, 0.25], [0.5, 0.5], [0.2, NAN]]), np.array([0, 0, 1]), 2)
    overall = [(1.7 + 0.5) / 4, (0.75 + 0.5) / 3]
    class_0 = [(1.5 + overall[0]) / 3, (0.75 + overall[1]) / 3]
    class_1 = [(0.2 + overall[0]) / 2, overall[1]]
    np.testing.assert_allclose(evidence.overall, overall)
    np.testing.assert_allclose(evidence.of_class, [class_0, class_1])

    answers = np.array([0.9, 0.2])
    for label, theta in ((0, class_0), (1, class_1)):
        expected = [
            p * log2(theta[q] / overall[q]) + (1 - p) * log2((1 - theta[q]) / (1 - overall[q]))
            for q, p in enumerate(answers)
        ]
        np.testing.assert_allclose(evidence.bits(answers, label), expected)
    assert evidence.bits(answers, 1)[1] == 0  # nothing is known


def test_certain_answers_speak_clearly_and_stay_finite():
    """Of 100 images one is of class 1, and the only one that is answered yes."""
    labels = np.array([0] * 99 + [1])
    evidence = WeightOfEvidence(labels[:, None].astype(float), labels, 2)
    overall = 1.5 / 101
    assert evidence.bits(np.array([1.0]), 1) == pytest.approx(log2((1 + overall) / 2 / overall))  # 5.1 bits
    assert evidence.bits(np.array([0.0]), 1) < -0.9
    assert 0 < evidence.bits(np.array([0.0]), 0) < 0.03
    assert np.isfinite(evidence.bits(np.array([1.0]), 0)).all()


def test_a_question_that_all_classes_answer_alike_says_nothing():
    evidence = WeightOfEvidence(np.full((6, 1), 0.5), np.array([0, 0, 1, 1, 2, 2]), 4)
    np.testing.assert_allclose([evidence.bits(np.array([0.8]), label) for label in range(4)], 0, atol=1e-12)
