import numpy as np
import pytest

from makd.analysis.aspect_space import clip_logits, distance_agreement, embed, question_auc


def test_certain_answers_are_clipped_to_a_probability_of_0_001():
    clipped = clip_logits(np.array([np.inf, -np.inf, 1.5, -20]))
    np.testing.assert_allclose(1 / (1 + np.exp(-clipped)), [0.999, 0.001, 0.818, 0.001], atol=5e-4)
    assert clipped[2] == 1.5


def test_distance_agreement_by_hand():
    annotator = np.array([[0.0], [1.0], [3.0]])  # distances 1, 3, 2
    assert distance_agreement(annotator, 5 * annotator**2 + 1) == pytest.approx(1.0)  # 5, 45, 40: ranks as before
    student = np.array([[0.0], [1.0], [-2.0]])  # distances 1, 2, 3: ranks 1 2 3 for 1 3 2
    assert distance_agreement(annotator, student) == pytest.approx(1 - 6 * (0 + 1 + 1) / (3 * 8))


def test_auc_of_each_question_by_hand():
    annotator = np.array([[1.0, 0.2, 0.1], [0.0, 0.9, 0.2], [0.7, np.nan, 0.3]])
    student = np.array([[0.6, 0.1, 0.5], [0.4, 0.0, 0.5], [0.3, 0.9, 0.5]])
    auc = question_auc(student, annotator)
    np.testing.assert_allclose(auc, [0.5, 0.0, np.nan])  # pairs 0.6 > 0.4 and 0.3 < 0.4; 0.0 < 0.1; no yes


def test_an_embedding_keeps_two_groups_apart_and_is_the_same_again():
    rng = np.random.default_rng(0)
    logits = np.concatenate([rng.normal(-3, 0.1, (20, 5)), rng.normal(3, 0.1, (20, 5))])
    places = embed(logits, seed=0)
    assert places.shape == (40, 2)
    one, other = places[:20].mean(axis=0), places[20:].mean(axis=0)
    within = np.linalg.norm(places[:20] - one, axis=1).max()
    assert np.linalg.norm(one - other) > within
    np.testing.assert_array_equal(places, embed(logits, seed=0))
    assert embed(logits[:4], seed=0).shape == (4, 2)
