"""Fréchet distance: closed forms, the matrix-square-root oracle, and hard cases."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf

from analysis import frechet, frechet_distance, frechet_rows
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
    traces = _trace_by_nuclear_norm(*parts), _trace_by_eigenvalues(*(p.T @ p for p in parts))[0]
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


def test_equals_torchmetrics_on_plain_vectors():
    torch = pytest.importorskip("torch")
    fid = pytest.importorskip("torchmetrics.image.fid")

    class Identity(torch.nn.Module):
        num_features = 8

        def forward(self, rows):
            return rows

    rng = np.random.default_rng(6)
    real, fake = rng.normal(size=(60, 8)), rng.normal(size=(50, 8)) * 1.4 + 0.3
    metric = fid.FrechetInceptionDistance(feature=Identity(), input_img_size=(8,)).double()
    metric.update(torch.tensor(real), real=True)
    metric.update(torch.tensor(fake), real=False)
    assert frechet_distance(real, fake) == pytest.approx(float(metric.compute()), rel=1e-9)


@pytest.mark.parametrize("rows", [200, 12, 5])
def test_one_set_has_more_rows_than_features_and_the_other_fewer(rows):
    """A long set is replaced by the triangle of its QR decomposition, which has its covariance."""
    rng = np.random.default_rng(7)
    real, fake = rng.normal(size=(300, 12)) * 2.0, rng.normal(size=(rows, 12)) + 1.0
    expected = pytest.approx(by_square_root(real, fake), rel=1e-5)
    assert frechet_distance(real, fake) == expected
    assert frechet_distance(fake, real) == expected


def test_dead_columns_and_what_rounding_leaves_of_them():
    rng = np.random.default_rng(8)
    real, fake = rng.normal(size=(2, 300, 20))
    alone = frechet_distance(real[:, :8], fake[:, :8])
    for samples in (real, fake):
        samples[:, 8:] = samples[:, :1] * 3.0
    found = frechet(real, fake)
    assert found.clipped > 0
    assert -1e-9 < found.least < 0.0
    assert found.value == pytest.approx(found.means + found.spreads)
    for samples in (real, fake):
        samples[:, 8:] = 0.25
    assert frechet_distance(real, fake) == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize("rows", [15, 200])
def test_shrinkage_is_the_distance_between_shrunk_gaussians(rows):
    rng = np.random.default_rng(9)
    real, fake = rng.normal(size=(rows, 20)) * np.linspace(1, 3, 20), rng.normal(size=(rows, 20))
    shrunk = [ledoit_wolf(x)[0] * rows / (rows - 1) for x in (real, fake)]
    shift = real.mean(axis=0) - fake.mean(axis=0)
    expected = shift @ shift + np.trace(sum(shrunk) - 2 * np.real(sqrtm(shrunk[0] @ shrunk[1])))
    found = frechet(real, fake, covariance="ledoit-wolf")
    assert found.value == pytest.approx(expected, rel=1e-9)
    same = rng.normal(size=(rows, 20))
    assert frechet_distance(fake, same, covariance="ledoit-wolf") < frechet_distance(fake, same)
    constant = np.ones((rows, 20))
    assert frechet_distance(constant, constant, covariance="ledoit-wolf") == 0.0


@pytest.mark.parametrize("rows", [15, 200])
def test_components_are_those_of_the_real_rows(rows):
    rng = np.random.default_rng(10)
    real, fake = rng.normal(size=(rows, 20)) * np.linspace(1, 3, 20), rng.normal(size=(40, 20))
    basis = np.linalg.svd(real - real.mean(axis=0))[2][:4].T
    found = frechet(real, fake, components=4)
    assert found.features == 4
    assert found.value == pytest.approx(by_square_root(real @ basis, fake @ basis), rel=1e-8)
    with pytest.raises(ValueError, match=r"components: found 20 with real .* want 1 to (14|20)"):
        frechet(real[:15], fake, components=20)


def test_arguments_are_named():
    with pytest.raises(ValueError, match="covariance: found 'shrunk'; want 'sample' or"):
        frechet_distance(np.eye(3), np.eye(3), covariance="shrunk")


@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_at_the_rows_needed_chance_is_a_fraction_of_the_variance(decay):
    rng = np.random.default_rng(11)
    variance = np.arange(1, 61) ** -decay
    samples = rng.normal(size=(600, 60)) * np.sqrt(variance)
    rows = frechet_rows(samples)
    chance = frechet_distance(samples[:rows], samples[rows : 2 * rows]) / variance.sum()
    assert (0.05 if decay == 2.0 else 0.1) < chance < 0.25
    assert frechet_rows(samples[:40]) > 40  # forty rows show that they are too few
    assert frechet_rows(np.ones((5, 3))) == 50
