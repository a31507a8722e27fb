"""Nearest real rows and memorization."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from analysis import memorized, nearest_real


def test_equals_scikit_learn():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(1500, 8)) + 30, rng.normal(size=(1100, 8)) + 30
    expected = NearestNeighbors(n_neighbors=4).fit(real).kneighbors(fake)
    indices, distances = nearest_real(fake, real, k=4)
    np.testing.assert_array_equal(indices, expected[1])
    np.testing.assert_allclose(distances, expected[0], rtol=1e-9)


def test_a_copy_is_at_exactly_zero_and_all_rows_may_be_asked_for():
    real = np.random.default_rng(1).normal(size=(6, 3)) * 1e3
    indices, distances = nearest_real(real[[4]], real, k=6)
    assert indices[0, 0] == 4
    assert distances[0, 0] == 0.0
    assert sorted(indices[0]) == list(range(6))
    assert (np.diff(distances[0]) >= 0).all()


def test_copies_of_training_rows_are_flagged_and_new_rows_are_not():
    rng = np.random.default_rng(2)
    train, held_out, new = rng.normal(size=(3, 300, 10))
    copies = train[:100] + 0.01 * rng.normal(size=(100, 10))
    assert memorized(copies, train, held_out).all()
    assert memorized(new, train, held_out).mean() < 0.05


def test_exact_copies_are_flagged_even_if_held_out_rows_repeat_training():
    rng = np.random.default_rng(3)
    train = rng.normal(size=(50, 4))
    flags = memorized(np.concatenate([train[:2], train[:2] + 1.0]), train, train[:30])
    assert flags.tolist() == [True, True, False, False]
    assert flags.dtype == np.bool_


def test_without_held_out_rows_the_training_rows_spacing_stands_in(monkeypatch):
    rng = np.random.default_rng(4)
    train, new = rng.normal(size=(2, 300, 10))
    copies = train[:100] + 0.01 * rng.normal(size=(100, 10))
    for most in (2000, 50):
        monkeypatch.setattr("analysis.neighbors.MOST_STAND_INS", most)
        assert memorized(copies, train, None).all()
        assert memorized(new, train, None).mean() < 0.1
    # Their own distances would be 0 throughout, and nothing but an exact copy below that.
    assert not memorized(copies, train, train).any()


@pytest.mark.parametrize("k", [0, 4])
def test_k_must_fit(k):
    with pytest.raises(ValueError, match=f"k: found {k}"):
        nearest_real(np.eye(3), np.eye(3), k=k)
