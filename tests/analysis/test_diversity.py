"""How much a set varies: definitions, closed forms, and how sure the measures are of themselves."""

import numpy as np
import pytest
from scipy import stats

from analysis.metrics.collapse import _diversity
from analysis.metrics.diversity import (
    BINS_LEVEL,
    different_bins,
    duplicate_rate,
    effective_rank,
    squared_distances,
    vendi_score,
)

MODES, DIMENSION = 5, 16


def mixture(seed, rows, modes=MODES):
    """Draw vectors of a mixture of 15 modes, or of the first few of each five."""
    rng = np.random.default_rng(seed)
    centers = 5 * np.random.default_rng(99).normal(size=(3, MODES, DIMENSION))
    groups = np.arange(rows) % 3
    noise = rng.normal(size=(rows, DIMENSION))
    return (
        centers[groups, rng.integers(modes, size=rows)] + 12 * np.eye(3, DIMENSION)[groups] + noise
    )


def test_rank_and_vendi_score_equal_their_definitions():
    rows = np.random.default_rng(0).normal(size=(30, 4)) * [3, 2, 1, 0.1] + 50
    squared = squared_distances(rows, rows)
    values = np.linalg.eigvalsh(np.cov(rows.T))
    assert effective_rank(squared) == pytest.approx(values.sum() ** 2 / (values**2).sum())
    similarity = np.exp(-((rows[:, None] - rows) ** 2).sum(-1) / 8.0) / 30
    entropy = stats.entropy(np.linalg.eigvalsh(similarity).clip(1e-300))
    assert vendi_score(squared, 2.0) == pytest.approx(np.exp(entropy))
    assert vendi_score(squared, 1e-3) == pytest.approx(30.0)  # all different
    assert vendi_score(squared, 1e9) == pytest.approx(1.0)  # all alike


def test_a_row_far_out_makes_no_duplicates_of_the_others():
    rows = np.random.default_rng(0).normal(size=(100, 8))
    rows[1], rows[2] = 1e7, rows[3]
    squared = squared_distances(rows, rows)
    assert duplicate_rate(squared) == 0.02
    assert squared[2, 3] == 0.0


def test_different_bins_are_rare_among_equal_distributions_and_many_when_modes_are_missed():
    """At 5 % a bin, as in the source, one of twenty would differ of nothing."""
    equal = [
        different_bins(mixture(2 * s, 300), mixture(2 * s + 1, 200), rng=np.random.default_rng(s))
        for s in range(60)
    ]
    p_values = np.array([found.p_value for found in equal])
    assert {found.bins for found in equal} == {15}
    # Fisher's test and Bonferroni's bound are conservative: above the level by chance alone.
    for level in (0.05, 0.2, 0.5):
        assert stats.binom.sf((p_values <= level).sum() - 1, 60, level) > 0.01
    assert np.mean([found.different > 0 for found in equal]) <= 0.05
    missed = different_bins(mixture(0, 300), mixture(1, 200, modes=2), rng=np.random.default_rng(0))
    assert missed.different > 0.5
    assert missed.p_value < BINS_LEVEL


@pytest.mark.parametrize("fakes", [60, 30])
def test_intervals_hold_the_mean_of_many_draws(fakes):
    """Of 60 real rows a reading has half; of 30 fakes it would have all, and know nothing of them.

    24 draws of 95 %: fewer than 20 within come once in 100 tests.
    """
    found = [
        _diversity(
            mixture(2 * seed, 60),
            [0.7 * mixture(2 * seed + 1, fakes)],
            np.random.default_rng(seed),
        )[0]
        for seed in range(24)
    ]
    for name in ("rank_ratio", "spread_ratio", "vendi_ratio"):
        values, low, high = (
            np.array([row[f"{name}{end}"] for row in found]) for end in ("", "_low", "_high")
        )
        assert ((low <= values.mean()) & (values.mean() <= high)).sum() >= 20, name
        assert np.mean(high - low) < 12 * values.std(), name  # 4 would do; they may be wide
