"""Sliced Wasserstein distance: one dimension, closed forms, unequal sizes."""

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from analysis import sliced_wasserstein
from analysis.metrics.wasserstein import draw_directions


@pytest.mark.parametrize(("rows", "fakes"), [(40, 40), (40, 23), (12, 30), (7, 8)])
def test_one_dimension_equals_scipy(rows, fakes):
    rng = np.random.default_rng(rows)
    real, fake = rng.normal(size=(rows, 1)), rng.normal(size=(fakes, 1)) * 2.0 + 0.5
    expected = wasserstein_distance(real[:, 0], fake[:, 0])
    assert sliced_wasserstein(real, fake, power=1) == pytest.approx(expected, rel=1e-12)


def test_squares_of_unequal_sizes_equal_those_of_repeated_rows():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(6, 3)), rng.normal(size=(4, 3)) + 1.0
    repeated = sliced_wasserstein(np.repeat(real, 2, axis=0), np.repeat(fake, 3, axis=0))
    assert sliced_wasserstein(real, fake) == pytest.approx(repeated, rel=1e-12)


def test_a_shift_moves_each_projection_by_its_share():
    rng = np.random.default_rng(1)
    real, shift = rng.normal(size=(30, 5)), rng.normal(size=5)
    shares = draw_directions(5, 40, 7) @ shift
    for power in (1, 2):
        expected = np.mean(np.abs(shares) ** power) ** (1 / power)
        found = sliced_wasserstein(real, real[::-1] + shift, power=power, projections=40, rng=7)
        assert found == pytest.approx(expected, rel=1e-9)


def test_two_gaussians():
    """W₂² of N(0, 1) and N(m, s²) is m² + (1 − s)²."""
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(20_000, 1)), rng.normal(size=(20_000, 1)) * 2.0 + 3.0
    assert sliced_wasserstein(real, fake) == pytest.approx(np.sqrt(9.0 + 1.0), rel=0.02)


def test_a_seed_that_also_drew_the_samples_gives_other_directions():
    """Directions that equal rows of the data see distances of the size of the data."""
    samples = np.random.default_rng(0).normal(size=(200, 30))
    aligned = (
        np.abs(samples @ draw_directions(30, 20, 0).T) / np.linalg.norm(samples, axis=1)[:, None]
    )
    assert aligned.max() < 0.9


def test_arguments_are_named():
    with pytest.raises(ValueError, match="power: found 3; want 1 or 2"):
        sliced_wasserstein(np.eye(3), np.eye(3), power=3)
    with pytest.raises(ValueError, match="projections: found 0; want at least 1"):
        sliced_wasserstein(np.eye(3), np.eye(3), projections=0)
