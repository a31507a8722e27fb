"""Kernel distance: brute force, unbiasedness, and the kernel's width."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import energy_distance as scipy_energy

from analysis import energy_distance, kernel_distance
from analysis.metrics import blocks
from analysis.metrics.kernel import median_distance


def brute_force(real, fake, function):
    within = [
        np.mean([function(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
        for x in (real, fake)
    ]
    return sum(within) - 2 * np.mean([function(a, b) for a in real for b in fake])


def test_cubic_equals_brute_force():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(9, 4)), rng.normal(size=(7, 4)) + 1.0
    expected = brute_force(real, fake, lambda a, b: (a @ b / 4 + 1) ** 3)
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-10)


def test_rbf_equals_brute_force_with_the_median_of_real():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(9, 4)), rng.normal(size=(7, 4)) * 3
    pairs = [np.linalg.norm(real[i] - real[j]) for i in range(9) for j in range(i)]
    width = np.median(pairs)
    assert median_distance(real) == pytest.approx(width, rel=1e-10)
    expected = brute_force(real, fake, lambda a, b: np.exp(-np.sum((a - b) ** 2) / (2 * width**2)))
    assert kernel_distance(real, fake, kernel="rbf") == pytest.approx(expected, rel=1e-9)


def test_the_mixture_is_the_mean_of_five_widths():
    rng = np.random.default_rng(5)
    real, fake = rng.normal(size=(9, 4)), rng.normal(size=(7, 4)) + 2
    widths = median_distance(real) * np.array([0.25, 0.5, 1.0, 2.0, 4.0])

    def mixture(a, b):
        return np.mean(np.exp(-np.sum((a - b) ** 2) / (2 * widths**2)))

    expected = brute_force(real, fake, mixture)
    assert kernel_distance(real, fake, kernel="mixture") == pytest.approx(expected, rel=1e-9)


def test_energy_distance_equals_brute_force_and_scipy_but_for_the_diagonal():
    """scipy counts a row's distance 0 to itself: its E‖x − x'‖ is (N − 1) / N of ours."""
    rng = np.random.default_rng(6)
    real, fake = rng.normal(size=(9, 4)), rng.normal(size=(7, 4)) + 1.0
    expected = brute_force(real, fake, lambda a, b: -np.linalg.norm(a - b))
    assert energy_distance(real, fake) == pytest.approx(expected, rel=1e-10)
    real, fake = real[:, :1], fake[:, :1]
    within = [cdist(x, x).sum() / (len(x) * (len(x) - 1) * len(x)) for x in (real, fake)]
    found = energy_distance(real, fake) + sum(within)
    assert found == pytest.approx(scipy_energy(real[:, 0], fake[:, 0]) ** 2, rel=1e-10)


@pytest.mark.parametrize("name", ["cubic", "rbf", "mixture"])
def test_blocks_change_nothing(name, monkeypatch):
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(50, 6)), rng.normal(size=(37, 6)) + 0.3
    whole = kernel_distance(real, fake, kernel=name)
    monkeypatch.setattr(blocks, "PAIR_ROWS", 16)
    assert kernel_distance(real, fake, kernel=name) == pytest.approx(whole, rel=1e-9)


@pytest.mark.parametrize("name", ["cubic", "rbf"])
def test_unbiased_and_below_zero_half_of_the_time(name):
    rng = np.random.default_rng(3)
    values = np.array(
        [
            kernel_distance(rng.normal(size=(20, 8)), rng.normal(size=(20, 8)), kernel=name)
            for _ in range(400)
        ]
    )
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert 0.3 < (values < 0).mean() < 0.8


def test_a_shift_is_seen():
    rng = np.random.default_rng(4)
    real = rng.normal(size=(100, 8))
    same, moved = rng.normal(size=(100, 8)), rng.normal(size=(100, 8)) + 0.5
    for name in ("cubic", "rbf"):
        gap = kernel_distance(real, moved, kernel=name)
        assert gap > 5 * abs(kernel_distance(real, same, kernel=name))


def test_width_ignores_fakes_and_refuses_equal_rows():
    with pytest.raises(ValueError, match="real: found 5 equal rows"):
        kernel_distance(np.ones((5, 3)), np.eye(3), kernel="rbf")
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(6, 3)) + 2.0
    repeated = np.concatenate([rows, rows])
    for turn in (np.eye(3), np.linalg.qr(rng.normal(size=(3, 3)))[0]):
        # Rounding puts equal rows at 0 or barely beyond: neither counts.
        assert median_distance(repeated @ turn) == pytest.approx(median_distance(rows), rel=1e-9)
    with pytest.raises(ValueError, match="kernel: found 'linear'; want 'cubic', 'rbf' or 'mix"):
        kernel_distance(np.eye(3), np.eye(3), kernel="linear")
