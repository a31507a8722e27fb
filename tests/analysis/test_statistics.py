"""Intervals and tests against their closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analysis import accuracy_interval, correlation_interval, mean_interval, paired_test
from analysis.statistics import (
    Interval,
    difference_interval,
    exact_mcnemar,
    paired_accuracy_interval,
)


@pytest.mark.parametrize(("correct", "total"), [(0, 10), (7, 10), (10, 10), (811, 1000)])
def test_wilson_closed_form(correct, total):
    z = stats.norm.ppf(0.975)
    p = correct / total
    center = (p + z**2 / (2 * total)) / (1 + z**2 / total)
    half = z / (1 + z**2 / total) * np.sqrt(p * (1 - p) / total + z**2 / (4 * total**2))
    found = accuracy_interval(correct, total)
    assert found.low == pytest.approx(center - half, abs=1e-12)
    assert found.high == pytest.approx(center + half, abs=1e-12)


@pytest.mark.parametrize("noise", [0.1, 1.0, 10.0])
def test_interval_of_a_correlation_is_that_of_scipy(noise):
    first = np.random.default_rng(0).normal(size=50)
    second = -first + noise * np.random.default_rng(1).normal(size=50)
    peer = stats.pearsonr(first, second)
    found = correlation_interval(float(peer.statistic), 50)
    assert (found.low, found.high) == pytest.approx(tuple(peer.confidence_interval()))


def test_a_perfect_correlation_has_no_width():
    assert correlation_interval(1.0, 10) == Interval(1.0, 1.0)
    assert correlation_interval(-1.0, 10) == Interval(-1.0, -1.0)


def test_newcombe_example():
    """Newcombe 1998, table II, (a): 56/70 against 48/80, method 10."""
    found = difference_interval((56, 48), (70, 80))
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_paired_interval_is_narrower_where_methods_err_together():
    rng = np.random.default_rng(0)
    hard = rng.random(1000) < 0.4
    first, second = ~hard, ~hard & (rng.random(1000) > 0.05)
    paired = paired_accuracy_interval(first, second)
    counts = (int(first.sum()), int(second.sum()))
    apart = difference_interval(counts, (1000, 1000))
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)
    assert paired.low > 0.0 > apart.low
    same = paired_accuracy_interval(first, first)
    assert same.low == pytest.approx(-same.high)


def test_exact_mcnemar_by_hand():
    first, second = np.ones(8, dtype=bool), np.ones(8, dtype=bool)
    assert exact_mcnemar(first, second) == 1.0
    second[:5] = False
    # Five rows for the one, none for the other: two-sided, 2 × 2⁻⁵.
    assert exact_mcnemar(first, second) == pytest.approx(2 / 32)
    assert exact_mcnemar(second, first) == pytest.approx(2 / 32)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_paired_interval_holds_the_difference_and_turns_with_the_pair(rows):
    first, second = np.array(rows).T
    interval = paired_accuracy_interval(first, second)
    difference = float(np.mean(first) - np.mean(second))
    assert -1 <= interval.low <= difference + 1e-9
    assert difference - 1e-9 <= interval.high <= 1
    turned = paired_accuracy_interval(second, first)
    assert (turned.low, turned.high) == (
        pytest.approx(-interval.high),
        pytest.approx(-interval.low),
    )


def test_paired_interval_covers_the_truth_as_often_as_it_says():
    shared = np.random.default_rng(0).random((2000, 80))
    found = [paired_accuracy_interval(row < 0.8, row > 0.3) for row in shared]
    hits = sum(interval.low <= 0.8 - 0.7 <= interval.high for interval in found)
    assert 0.93 <= hits / 2000 <= 0.98


def test_paired_interval_covers_its_truth():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        draws = rng.random((60, 2)) < np.array([0.7, 0.6])
        found = paired_accuracy_interval(draws[:, 0], draws[:, 1])
        covered += found.low <= 0.1 <= found.high
    assert 0.91 < covered / 300 <= 1.0


def test_mean_interval_is_near_the_normal_one_and_seeded():
    values = np.random.default_rng(2).normal(5.0, 2.0, size=200)
    found = mean_interval(values, rng=0)
    half = 1.96 * values.std(ddof=1) / np.sqrt(200)
    assert found.low == pytest.approx(values.mean() - half, abs=0.05)
    assert found.high == pytest.approx(values.mean() + half, abs=0.05)
    assert mean_interval(values, rng=0) == found
    assert mean_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5)


@pytest.mark.parametrize("values", [[1.0, 2.0], [0.0, 0.0, 1.0], [3.0, 1.0, 2.0, 2.0]])
def test_mean_interval_of_few_values_is_finite_and_holds_the_mean(values):
    found = mean_interval(values)
    assert min(values) <= found.low <= np.mean(values) <= found.high <= max(values)


def test_paired_test_equals_scipy():
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.5, size=12), rng.normal(size=12)
    found = paired_test(a, b)
    assert found.p_value == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert found.wilcoxon_p_value == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert found.mean_difference == pytest.approx(np.mean(a - b))
    assert found.standard_error == pytest.approx(stats.sem(a - b))
    assert paired_test(b, a).mean_difference == -found.mean_difference


def test_paired_test_without_spread():
    same = paired_test([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])
    assert (same.mean_difference, same.p_value, same.wilcoxon_p_value) == (0.0, 1.0, 1.0)
    shifted = paired_test([1.0, 2.0, 3.0], [0.0, 1.0, 2.0])
    assert (shifted.mean_difference, shifted.standard_error, shifted.p_value) == (1.0, 0.0, 0.25)
    assert paired_test([1.0, 0.0, 2.0], [1.0, 0.0, 0.0]).wilcoxon_p_value == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy_interval(5, 4), "correct: found 5 of total 4"),
        (lambda: accuracy_interval(0, 0), "correct: found 0 of total 0"),
        (lambda: correlation_interval(0.5, 3), "correlation: found 0.5 of 3 rows"),
        (lambda: correlation_interval(1.5, 9), "correlation: found 1.5 of 9 rows"),
        (lambda: mean_interval([1.0]), r"values: found shape \(1,\)"),
        (lambda: mean_interval([1.0, np.nan]), "values: .* NaN"),
        (lambda: paired_test([1.0, 2.0], [1.0, 2.0, 3.0]), r"b: found shape \(3,\)"),
        (lambda: paired_accuracy_interval([True], [[True]]), "second_hits: found shape"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
