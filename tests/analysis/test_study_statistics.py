"""Intervals, paired tests, corrections, ranks and power of few repetitions, against oracles."""

import itertools

import numpy as np
import pytest
from scipy import stats

from analysis.study_ranks import critical_difference, friedman_ranks
from analysis.study_statistics import (
    block_p_value,
    detectable_effect,
    exact_has_room,
    holm,
    paired_p_value,
    seed_summary,
    sign_flip_p_value,
)

RNG = np.random.default_rng


def test_few_seeds_have_the_interval_of_student():
    values = RNG(0).normal(size=6)
    found = seed_summary(values)
    peer = stats.ttest_1samp(values, 0.0).confidence_interval()
    assert (found.interval.low, found.interval.high) == pytest.approx((peer.low, peer.high))
    assert (found.method, found.seeds) == ("t", 6)


def test_many_seeds_have_the_interval_of_the_bootstrap():
    values = RNG(1).exponential(size=40)
    found = seed_summary(values)
    peer = stats.bootstrap((values,), np.mean, rng=RNG(0), method="BCa").confidence_interval
    assert found.method == "BCa"
    assert (found.interval.low, found.interval.high) == pytest.approx((peer.low, peer.high))


def test_missing_seeds_are_left_out_and_one_has_no_interval():
    found = seed_summary([np.nan, 0.5, np.nan])
    assert (found.mean, found.interval, found.seeds) == (0.5, None, 1)
    assert found.reason == "one seed: no interval"
    with pytest.raises(ValueError, match="values: found shape"):
        seed_summary([np.nan])


@pytest.mark.parametrize("seeds", [2, 20])
def test_equal_seeds_have_an_interval_without_width(seeds):
    found = seed_summary([0.25] * seeds)
    assert (found.interval.low, found.interval.high) == (0.25, 0.25)


def test_a_bootstrap_that_degenerates_falls_back():
    values = [0.5] * 24 + [0.5 + 1e-17, 0.75]
    found = seed_summary(values)
    assert found.interval.low < found.mean < found.interval.high


@pytest.mark.parametrize("seeds", [3, 7])
def test_sign_flips_are_all_tried(seeds):
    differences = RNG(seeds).normal(0.4, size=seeds)
    flips = itertools.product((-1, 1), repeat=seeds)
    sums = [abs(np.dot(signs, differences)) for signs in flips]
    brute = np.mean(np.array(sums) >= abs(differences.sum()) - 1e-12)
    assert sign_flip_p_value(differences).p_value == pytest.approx(brute)


def test_sign_flips_of_many_pairs_agree_with_scipy():
    differences = RNG(5).normal(0.25, size=30)
    peer = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=9_999, rng=RNG(1)
    ).pvalue
    found = sign_flip_p_value(differences)
    assert found.method == "permutation"
    assert found.p_value == pytest.approx(peer, abs=0.02)


def test_drawn_flips_leave_room_for_many_statements():
    """9,999 could not give the p that the first of 600 statements needs."""
    differences = 1.0 + RNG(6).random(20)
    assert sign_flip_p_value(differences).p_value >= 1e-4
    assert paired_p_value(differences, statements=600).p_value < 0.05 / 600


def test_equal_steps_have_the_p_value_of_wilcoxon():
    """Where differences are ranks themselves, both tests are one."""
    differences = np.array([1.0, -2.0, 3.0, 4.0, 5.0, 6.0, -7.0, 8.0, 9.0])
    peer = stats.wilcoxon(differences, method="exact").pvalue
    assert paired_p_value(differences).p_value == pytest.approx(peer)


def test_which_test_depends_on_seeds_and_statements_only():
    values = RNG(2).normal(size=9)
    assert paired_p_value(values[:4]).p_value is None
    assert paired_p_value(values[:4]).reason.startswith("4 paired seeds")
    assert paired_p_value(values[:8]).method == "t"
    assert paired_p_value(values).method == "exact"
    assert paired_p_value(values, statements=2).method == "t"
    assert exact_has_room(2.0**8, 1)
    assert not exact_has_room(2.0**7, 1)


def test_the_t_test_is_that_of_scipy():
    values = RNG(3).normal(0.5, size=6)
    assert paired_p_value(values).p_value == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)


def test_equal_differences_count_by_their_sign_alone():
    assert paired_p_value([0.02] * 5).p_value == 2.0**-4
    assert paired_p_value([0.0] * 5).p_value == 1.0


def test_holm_equals_its_definition():
    p_values = list(RNG(4).random(7) / 10)
    adjusted = holm(p_values)
    rising = sorted(range(7), key=lambda index: p_values[index])
    for place, index in enumerate(rising):
        wanted = max((7 - step) * p_values[rising[step]] for step in range(place + 1))
        assert adjusted[index] == pytest.approx(min(wanted, 1.0))
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_friedman_is_that_of_scipy():
    values = np.round(RNG(6).normal(size=(9, 4)), 1)  # with ties
    found = friedman_ranks(values, list("abcd"), resamples=1_999)
    peer = stats.friedmanchisquare(*values.T)
    assert found.statistic == pytest.approx(peer.statistic)
    assert found.chi_square_p_value == pytest.approx(peer.pvalue)
    assert found.p_value == pytest.approx(peer.pvalue, abs=0.05)
    assert sum(found.means) == pytest.approx(4 * 5 / 2)


def test_ranks_follow_what_is_better():
    values = np.tile([0.1, 0.2, 0.3], (5, 1))
    assert friedman_ranks(values, list("abc"), resamples=9).means == (3, 2, 1)
    lower = friedman_ranks(values, list("abc"), higher_is_better=False, resamples=9)
    assert lower.means == (1, 2, 3)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((6, 2), "at least 3"), ((4, 3), "4 seeds have every condition")],
)
def test_ranks_are_refused_with_a_reason(shape, reason):
    assert reason in friedman_ranks(RNG(0).normal(size=shape), list("abc")[: shape[1]])


def test_ranks_of_equal_conditions_are_refused():
    assert "equal in every seed" in friedman_ranks(np.ones((6, 3)), list("abc"))


def test_critical_difference_of_the_source():
    """Demšar 2006, table 5: q of 2.569 for four, 3.164 for ten classifiers at 0.05."""
    for count, quantile in ((4, 2.569), (10, 3.164)):
        wanted = quantile * np.sqrt(count * (count + 1) / (6 * 14))
        assert critical_difference(count, 14) == pytest.approx(wanted, rel=1e-3)


def test_a_shuffle_within_blocks_is_all_arrangements():
    values = np.array([[0.0, 1.0, 3.0], [0.5, 2.0, 2.5], [1.0, 1.5, 2.0]])
    centered = values - values.mean(axis=1, keepdims=True)
    found = np.sum(centered.sum(axis=0) ** 2)
    ways = itertools.product(itertools.permutations(range(3)), repeat=3)
    spreads = [
        np.sum(sum(row[list(order)] for row, order in zip(centered, way, strict=True)) ** 2)
        for way in ways
    ]
    exact = np.mean(np.array(spreads) >= found - 1e-9)
    assert block_p_value(centered, 9_999) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(("seeds", "statements"), [(5, 1), (9, 1), (12, 2)])
def test_what_could_be_shown_is_shown_four_times_of_five(seeds, statements):
    """The test that is used, exact or not, has the power that the closed form promises."""
    shift, level = detectable_effect(seeds, statements), 0.05 / statements
    samples = RNG(seeds).normal(size=(1_500, seeds))
    power = np.mean([paired_p_value(row + shift, statements).p_value <= level for row in samples])
    false = np.mean([paired_p_value(row, statements).p_value <= level for row in samples])
    assert power == pytest.approx(0.8, abs=0.04)
    assert false <= level + 3 * np.sqrt(level / 1_500)
    with pytest.raises(ValueError, match="seeds: found 1"):
        detectable_effect(1)
