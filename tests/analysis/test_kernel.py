"""Kernel distance: brute force, unbiasedness, and the kernel's width."""

import numpy as np
import pytest

from analysis import kernel_distance
from analysis.metrics import kernel
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


@pytest.mark.parametrize("name", ["cubic", "rbf"])
def test_blocks_change_nothing(name, monkeypatch):
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(50, 6)), rng.normal(size=(37, 6)) + 0.3
    whole = kernel_distance(real, fake, kernel=name)
    monkeypatch.setattr(kernel, "BLOCK_ROWS", 16)
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
    with pytest.raises(ValueError, match="kernel: found 'linear'; want 'cubic' or 'rbf'"):
        kernel_distance(np.eye(3), np.eye(3), kernel="linear")
