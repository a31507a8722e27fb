"""Two-sample tests: exact p-values, uniform under the null; intervals that hold the truth."""

import numpy as np
import pytest

from analysis import energy_distance, kernel_distance, sliced_wasserstein, two_sample_test
from analysis.metrics.permutation import (
    half_samples,
    indicators,
    interval,
    p_value,
    sliced_distances,
)

MEASURES = ("cubic", "rbf", "mixture", "energy", "wasserstein")


@pytest.mark.parametrize("name", MEASURES)
def test_the_value_is_the_measure(name):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(30, 4)), rng.normal(size=(21, 4)) + 0.5
    found = two_sample_test(real, fake, measure=name, permutations=9, rng=np.random.default_rng(3))
    if name == "energy":
        expected = energy_distance(real, fake)
    elif name == "wasserstein":
        expected = sliced_wasserstein(real, fake, rng=np.random.default_rng(3))
    else:
        expected = kernel_distance(real, fake, kernel=name)
    assert found.value == pytest.approx(expected, rel=1e-9)
    assert found.low < found.value < found.high
    assert (found.rows, found.permutations) == ((30, 21), 9)


@pytest.mark.parametrize("name", MEASURES)
def test_p_values_are_uniform_under_the_null(name):
    rng = np.random.default_rng(1)
    found = [
        two_sample_test(
            rng.normal(size=(9, 3)), rng.normal(size=(7, 3)), measure=name, permutations=19, rng=rng
        ).p_value
        for _ in range(300)
    ]
    levels = np.arange(1, 20) / 20
    shares = np.array([np.mean(np.array(found) <= level + 1e-12) for level in levels])
    # Kolmogorov's bound at 300 draws, one in a thousand.
    assert np.abs(shares - levels).max() < 1.95 / np.sqrt(300)


@pytest.mark.parametrize("name", MEASURES)
def test_a_difference_has_the_least_p_value_there_is(name):
    rng = np.random.default_rng(2)
    real = rng.normal(size=(40, 5))
    for fake in (rng.normal(size=(40, 5)) + 1.5, rng.normal(size=(40, 5)) * 0.1):
        assert two_sample_test(real, fake, measure=name, permutations=99).p_value == 0.01


def test_p_values_count_the_present_order_and_ties():
    assert p_value(1.0, np.array([0.0, 0.5, 2.0])) == 0.5
    assert p_value(3.0, np.array([0.0, 0.5, 2.0])) == 0.25
    assert p_value(1.0, np.full(9, 1.0 - 1e-14)) == 1.0
    assert two_sample_test(np.ones((6, 2)), np.ones((5, 2)), permutations=9).p_value == 1.0


def test_sliced_distances_of_marked_rows():
    rng = np.random.default_rng(3)
    samples = rng.normal(size=(20, 1))
    orders = np.stack([rng.permutation(20) for _ in range(3)])
    found = sliced_distances(samples.T, *indicators(orders, 12, 8))
    for order, value in zip(orders, found, strict=True):
        expected = sliced_wasserstein(samples[order[:12]], samples[order[12:]], projections=1)
        assert value == pytest.approx(expected, rel=1e-12)


def test_halves_are_drawn_from_their_own_side_without_replacement():
    first, second = half_samples(11, 6, rng=np.random.default_rng(4), repeats=50)
    assert first.shape == second.shape == (17, 50)
    assert set(np.unique(np.stack([first, second]))) == {0.0, 1.0}
    assert (first[:11].sum(axis=0) == 5).all()
    assert (second[11:].sum(axis=0) == 3).all()
    assert not first[11:].any()
    assert not second[:11].any()
    assert first[:11].any(axis=1).all()


def test_intervals_hold_the_expected_value():
    """Energy distance of N(0, 1) and N(2, 1): 2 E|N(2, 2)| − 2 E|N(0, 2)|."""
    rng = np.random.default_rng(5)
    far = 2 / np.sqrt(np.pi) * np.exp(-1) + 2 * (2 * 0.9213503964748575 - 1)
    truth = 2 * far - 4 / np.sqrt(np.pi)
    hits = []
    for seed in range(200):
        real, fake = rng.normal(size=(40, 1)), rng.normal(size=(40, 1)) + 2.0
        found = two_sample_test(real, fake, permutations=1, rng=seed)
        hits.append(found.low < truth < found.high)
    assert 0.9 < np.mean(hits) < 0.99
    low, high = interval(1.0, np.full(20, 3.0))
    assert low == high == 1.0


def test_many_rows_are_drawn_from_and_a_seed_repeats_itself():
    rng = np.random.default_rng(6)
    real, fake = rng.normal(size=(60, 3)), rng.normal(size=(50, 3))
    found = two_sample_test(real, fake, most=30, permutations=19)
    assert found.rows == (30, 30)
    assert two_sample_test(real, fake, most=30, permutations=19) == found
    assert two_sample_test(real, fake, most=30, permutations=19, rng=1) != found


def test_arguments_are_named():
    for options, message in (
        ({"measure": "cosine"}, "measure: found 'cosine'; want 'cubic', "),
        ({"permutations": 0}, "permutations: found 0; want at least 1"),
        ({"most": 3}, "most: found 3; want at least 4 rows"),
    ):
        with pytest.raises(ValueError, match=message):
            two_sample_test(np.eye(4), np.eye(4), **options)
