"""Fréchet distance: closed forms, the matrix-square-root oracle, and hard cases."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from analysis import frechet_distance
from analysis.metrics.frechet import _scaled, _trace_by_eigenvalues, _trace_by_nuclear_norm


def with_moments(rng, mean, covariance, rows):
    """Draw rows whose sample mean and covariance are exactly these."""
    raw = rng.normal(size=(rows, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw.T))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def by_square_root(real, fake):
    first, second = np.cov(real.T), np.cov(fake.T)
    shift = real.mean(axis=0) - fake.mean(axis=0)
    root = np.real(sqrtm(first @ second))
    return shift @ shift + np.trace(first + second - 2 * root)


def test_commuting_gaussians_have_a_closed_form():
    rng = np.random.default_rng(0)
    mean, scales, others = np.array([1.0, -2.0, 0.5]), np.array([1.0, 4.0, 9.0]), np.ones(3)
    real = with_moments(rng, np.zeros(3), np.diag(scales), 50)
    fake = with_moments(rng, mean, np.diag(others), 60)
    expected = mean @ mean + np.sum((np.sqrt(scales) - np.sqrt(others)) ** 2)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_correlated_gaussians_in_two_dimensions():
    """tr((S₁S₂)^½) of 2 × 2 matrices is √(tr(S₁S₂) + 2√det(S₁S₂))."""
    rng = np.random.default_rng(1)
    first, second = np.array([[2.0, 0.8], [0.8, 1.0]]), np.array([[1.0, -0.3], [-0.3, 3.0]])
    product = first @ second
    trace = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    real, fake = (with_moments(rng, np.zeros(2), s, 40) for s in (first, second))
    expected = np.trace(first + second) - 2 * trace
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("rows", "features"), [(300, 12), (8, 20), (20, 20), (2, 5)])
def test_equal_sets_are_at_zero(rows, features):
    samples = np.random.default_rng(2).normal(size=(rows, features)) + 7.0
    assert 0.0 <= frechet_distance(samples, samples[::-1]) < 1e-5


@pytest.mark.parametrize(("rows", "features"), [(400, 10), (40, 39), (30, 60)])
def test_both_routes_equal_the_matrix_square_root(rows, features):
    rng = np.random.default_rng(3)
    real = rng.normal(size=(rows, features)) @ rng.normal(size=(features, features)) / features
    fake = rng.normal(size=(rows + 5, features)) * 1.3 + 0.2
    expected = by_square_root(real, fake)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-6)
    parts = _scaled(real), _scaled(fake)
    traces = _trace_by_nuclear_norm(*parts), _trace_by_eigenvalues(*parts)
    assert traces[0] == pytest.approx(traces[1], rel=1e-6)


def test_symmetric_and_indifferent_to_row_order_and_precision():
    rng = np.random.default_rng(4)
    real, fake = rng.normal(size=(30, 50)), rng.normal(size=(25, 50)) + 0.5
    value = frechet_distance(real, fake)
    assert frechet_distance(fake, real) == pytest.approx(value, rel=1e-9)
    assert frechet_distance(rng.permutation(real), fake) == pytest.approx(value, rel=1e-9)
    single = frechet_distance(real.astype(np.float32), fake.astype(np.float32))
    assert single == pytest.approx(value, rel=1e-5)


def test_a_collapsed_set_is_finite_and_far():
    real = np.random.default_rng(5).normal(size=(200, 4))
    assert frechet_distance(real, np.zeros((50, 4))) == pytest.approx(
        real.mean(axis=0) @ real.mean(axis=0) + np.trace(np.cov(real.T)), rel=1e-9
    )
