"""Precision, recall, density, coverage: the reference package, ties and duplicates."""

from unittest import mock

import numpy as np
import prdc as reference
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from analysis import PRDC, prdc, prdc_floors
from analysis.metrics import blocks


@pytest.mark.parametrize(("rows", "fakes", "k"), [(80, 80, 5), (120, 60, 3), (40, 90, 1)])
def test_equals_the_reference_where_nothing_ties(rows, fakes, k, capsys):
    rng = np.random.default_rng(rows)
    real, fake = rng.normal(size=(rows, 6)), rng.normal(size=(fakes, 6)) * 0.8 + 0.3
    expected = reference.compute_prdc(real, fake, nearest_k=k)
    found = prdc(real, fake, k=k)
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-12), name


def pair_by_pair(real, fake, k):
    """Decide on every pair by its own squared distance in float64."""
    whole = np.vstack([real, fake]) - real.mean(axis=0)
    slack = 128 * np.finfo(float).eps
    norms = np.split(np.square(whole).sum(axis=1), [len(real)])
    radii, duplicates = [], []
    for rows, norm in zip((real, fake), norms, strict=True):
        squared = cdist(rows, rows, "sqeuclidean")
        np.fill_diagonal(squared, np.inf)
        squared.sort(axis=1)
        radii.append(squared[:, k - 1] + slack * (norm + squared[:, k - 1]))
        duplicates.append((squared[:, 0] <= slack * norm).mean())
    squared = cdist(real, fake, "sqeuclidean")
    in_real, in_fake = squared <= radii[0][:, None], squared <= radii[1]
    shares = in_real.any(axis=0).mean(), in_fake.any(axis=1).mean()
    return *shares, in_real.sum() / (k * len(fake)), in_real.any(axis=1).mean(), *duplicates


def test_a_fake_far_out_lends_the_others_no_slack():
    """Rounding of the farthest row, taken for that of all, once put every row into every ball."""
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(60, 8)), rng.normal(size=(60, 8)) + 6.0
    assert prdc(real, fake) == PRDC(precision=0.0, recall=0.0, density=0.0, coverage=0.0)
    fake[0] = 1e9
    found = prdc(real, fake)
    assert found == PRDC(precision=0.0, recall=0.0, density=0.0, coverage=0.0)
    assert (found.real_duplicates, found.fake_duplicates) == (0.0, 0.0)


@st.composite
def near_ties(draw):
    """Two sets on a grid, or off it by what float32 cannot tell apart but float64 clearly can."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = draw(st.integers(3, 40))
    noise = draw(st.sampled_from([0.0, 1e-6, 1e-3]))
    scale = draw(st.sampled_from([1e-30, 1e-4, 1.0, 1e4, 1e20]))
    sets = []
    for _ in range(2):
        grid = rng.integers(-2, 3, size=(draw(st.integers(4, 24)), features)).astype(float)
        grid += noise * rng.normal(size=grid.shape)
        grid[rng.random(len(grid)) < draw(st.sampled_from([0.0, 0.5]))] = grid[0]
        grid[:, : draw(st.integers(0, features - 3))] = 1.0
        sets.append((grid + draw(st.sampled_from([0.0, 1000.0]))) * scale)
    return *sets, draw(st.integers(1, 3))


@given(near_ties())
def test_every_decision_is_that_of_float64(drawn):
    real, fake, k = drawn
    with mock.patch.object(blocks, "PAIR_ROWS", 16):
        found = prdc(real, fake, k=k)
    shares = found.precision, found.recall, found.density, found.coverage
    assert (*shares, found.real_duplicates, found.fake_duplicates) == pytest.approx(
        pair_by_pair(real, fake, k), abs=1e-12
    )


def test_more_near_neighbors_than_are_kept():
    """Fifty rows at distances from row 0 that float32 cannot tell apart, the nearest ones last."""
    distances = 1.0 + 1e-9 * np.arange(50)[::-1]
    real = np.vstack([np.zeros(50), np.diag(distances)])
    for k in (1, 3, 7):
        reach = np.zeros((k + 1, 50))
        reach[:, 0] = np.sort(distances)[k - 1] + 1e-10 * np.array([-1.0] + [1.0] * k)
        found = prdc(real, reach, k=k)
        assert found.density == pytest.approx(pair_by_pair(real, reach, k)[2], abs=1e-12)


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(90, 5)), rng.normal(size=(70, 5))
    real[40:47] = real[3]
    whole = prdc(real, fake)
    for rows in (3, 16, 69):  # 3: fewer than neighbors
        monkeypatch.setattr(blocks, "PAIR_ROWS", rows)
        assert prdc(real, fake) == whole


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_identical_constant_sets_reach_everything(offset):
    """The strict comparison of the reference gives 0 here (prdc issue 7)."""
    constant = np.full((12, 4), 0.1) + offset
    assert prdc(constant, constant) == PRDC(1.0, 1.0, 12 / 5, 1.0)


def test_duplicated_rows_are_in_their_own_balls():
    rng = np.random.default_rng(1)
    real = np.repeat(rng.normal(size=(10, 7)), 8, axis=0)
    found = prdc(real, real[::-1], k=5)
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    assert (found.real_duplicates, found.fake_duplicates) == (1.0, 1.0)
    some = np.concatenate([real[:3], rng.normal(size=(7, 7))])
    assert prdc(some, rng.normal(size=(9, 7)), k=1).real_duplicates == 0.3


def test_a_row_is_not_its_own_neighbor():
    real = np.array([[0.0], [1.0], [3.0]])
    assert prdc(real, np.array([[2.5], [9.0]]), k=1) == PRDC(0.5, 1.0, 0.5, 1 / 3)


def test_far_fakes_reach_nothing_and_shrunk_fakes_recall_little():
    rng = np.random.default_rng(2)
    real = rng.normal(size=(200, 8))
    assert prdc(real, real + 50.0) == PRDC(0.0, 0.0, 0.0, 0.0)
    shrunk = prdc(real, 0.1 * rng.normal(size=(200, 8)))
    healthy = prdc(real, rng.normal(size=(200, 8)))
    assert shrunk.precision > 0.95
    assert shrunk.recall < 0.1 < healthy.recall
    assert healthy.coverage == pytest.approx(1 - 2**-5, abs=0.05)


@pytest.mark.parametrize("k", [0, -1, 5, 100])
def test_k_must_fit(k):
    with pytest.raises(ValueError, match=rf"k: found {k} with real of shape \(5, 2\); want 1 to 4"):
        prdc(np.random.default_rng(0).normal(size=(5, 2)), np.eye(2), k=k)


def test_floors_are_what_two_samples_of_one_distribution_give():
    """In many dimensions precision is far from 1 even then; coverage is 1 − 2⁻ᵏ anywhere."""
    rng = np.random.default_rng(3)
    floors = prdc_floors(rng.normal(size=(400, 200)), k=3, size=150, repeats=3)
    assert {floor.size for floor in floors.values()} == {150}
    assert floors["coverage"].mean == pytest.approx(1 - 2**-3, abs=0.05)
    assert floors["density"].mean == pytest.approx(1.0, abs=0.3)
    assert floors["precision"].mean < 0.8
    found = prdc(*rng.normal(size=(2, 150, 200)), k=3)
    for name, floor in floors.items():
        assert getattr(found, name) == pytest.approx(floor.mean, abs=0.2), name
