"""The floor of a measure: real against real."""

import numpy as np
import pytest
from scipy import stats

from analysis import Floor, frechet_distance, frechet_limit, real_floor


def test_halves_are_disjoint_and_equal():
    real = np.arange(21.0)[:, None]
    seen = []

    def measure(first, second):
        seen.append((len(first), len(second), set(first[:, 0]) & set(second[:, 0])))
        return float(len(seen))

    floor = real_floor(real, measure, repeats=3)
    assert seen == [(10, 10, set())] * 3
    assert (floor.mean, floor.standard_deviation, floor.size, floor.repeats) == (2.0, 1.0, 10, 3)


def test_95_of_100_draws_lie_between_its_ends():
    floor = Floor(mean=2.0, standard_deviation=1.0, size=10, repeats=3)
    assert (floor.low, floor.high) == (
        pytest.approx(2.0 - stats.t.ppf(0.975, 2)),
        pytest.approx(2.0 + stats.t.ppf(0.975, 2)),
    )
    assert np.isnan(Floor(mean=2.0, standard_deviation=0.0, size=10, repeats=1).low)


def test_variants_and_the_limit_have_floors_too():
    rng = np.random.default_rng(2)
    real, other = rng.normal(size=(2, 240, 6))
    limit = real_floor(
        real, lambda a, b: frechet_limit(a, b, components=3).value, other=other, size=200, rng=1
    )
    principal = real_floor(
        real, lambda a, b: frechet_distance(a, b, components=3), other=other, size=200, rng=1
    )
    assert limit.low < 0.0 < limit.high
    assert abs(limit.mean) < principal.mean / 2


def test_a_floor_at_exactly_the_sizes_of_the_measure():
    real, other = np.zeros((30, 2)), np.ones((100, 2))
    floor = real_floor(real, lambda a, b: len(a) + 1000 * len(b), other=other, size=45)
    assert floor.mean == 45030
    assert real_floor(real, lambda a, b: 0.0, other=other, size=400).size == 100


def test_no_less_than_what_a_perfect_generator_gets():
    rng = np.random.default_rng(0)
    real, other, fake = rng.normal(size=(3, 200, 10))
    floor = real_floor(real, frechet_distance, other=other, size=200, rng=1)
    assert frechet_distance(real, fake) == pytest.approx(floor.mean, rel=0.5)
    assert real_floor(real, frechet_distance).mean > floor.mean


def test_deterministic_given_rng():
    real = np.random.default_rng(1).normal(size=(40, 4))
    first = real_floor(real, frechet_distance, rng=3)
    assert real_floor(real, frechet_distance, rng=3) == first
    assert real_floor(real, frechet_distance, rng=np.random.default_rng(3)) == first
    assert real_floor(real, frechet_distance, rng=4) != first
