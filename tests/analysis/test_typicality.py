"""Typicality: a conformal p-value of the distance to the k-th nearest row of the class."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cdist

from analysis import typicality


def one_class(rows):
    return np.zeros(len(rows), dtype=int)


def among(fake, real, k=5):
    return typicality(fake, real, one_class(fake), one_class(real), k=k)


def strangeness(rows, k):
    """Distance of each row to its k-th nearest other one, the plain way."""
    return np.sort(cdist(rows, rows), axis=1)[:, k]


@given(st.integers(3, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_equals_the_definition(rows, k, seed):
    rng = np.random.default_rng(seed)
    fake, real = rng.normal(size=(4, 3)), rng.normal(size=(rows, 3)) + 0.5
    found = among(fake, real, k=k)
    for value, row in zip(found, fake, strict=True):
        strange = strangeness(np.vstack([row, real]), min(k, rows - 1))
        assert value == pytest.approx(np.mean(strange >= strange[0]))


@pytest.mark.parametrize("k", [1, 5])
def test_real_rows_in_turn_have_the_values_of_their_ranks(k):
    """Held out one at a time, n + 1 rows take the n + 1 ranks; ties, as ever, the higher one."""
    rows = np.random.default_rng(0).normal(size=(30, 4)) * [1, 2, 3, 4] + 40
    values = [among(rows[[i]], np.delete(rows, i, axis=0), k=k)[0] for i in range(30)]
    ranks = stats.rankdata(-strangeness(rows, k), method="max")
    np.testing.assert_allclose(values, ranks / 30)
    assert len(set(values)) > 15


def test_new_rows_of_the_class_are_at_alpha_or_below_a_share_of_alpha():
    rng = np.random.default_rng(1)
    found = np.concatenate(
        [among(rng.normal(size=(5, 6)), rng.normal(size=(39, 6))) for _ in range(400)]
    )
    for alpha in (0.05, 0.25, 0.5, 0.9):
        assert np.mean(found <= alpha + 1e-9) == pytest.approx(alpha, abs=0.04)


def test_far_fakes_have_the_least_value_and_the_center_has_the_largest():
    real = np.random.default_rng(2).normal(size=(49, 3))
    far, center = among([[30.0, 0.0, 0.0], [0.0, 0.0, 0.0]], real)
    assert far == 1 / 50
    assert center > 0.8


def test_a_fake_is_held_against_its_own_class():
    real = np.concatenate([np.eye(4), np.eye(4) + 100])
    labels = np.repeat([0, 7], 4)
    fake = [[100.0, 100.0, 100.0, 100.0]] * 2
    own, other = typicality(fake, real, [7, 0], labels)
    assert own == 1.0
    assert other == 1 / 5


def test_identical_rows_are_all_typical_and_few_rows_say_nothing():
    assert among(np.ones((2, 3)), np.ones((6, 3))).tolist() == [1.0, 1.0]
    values = typicality(np.ones((2, 3)), np.ones((3, 3)), [0, 1], [0, 1, 1])
    assert np.isnan(values[0])
    assert values[1] == 1.0


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    fake, real = rng.normal(size=(7, 3)), rng.normal(size=(20, 3))
    expected = among(fake, real)
    blocks = "analysis.distances.squared_distance_blocks"
    monkeypatch.setattr(f"{blocks}.__kwdefaults__", {"rows": 3})
    np.testing.assert_array_equal(among(fake, real), expected)


def test_labels_must_fit():
    with pytest.raises(ValueError, match=r"real_labels: found shape \(2,\)"):
        typicality(np.eye(3), np.eye(3), [0, 0, 0], [0, 0])
    with pytest.raises(ValueError, match="k: found 0"):
        among(np.eye(3), np.eye(3), k=0)
