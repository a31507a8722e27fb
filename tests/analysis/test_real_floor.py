"""The floor of a measure: real against real."""

import numpy as np
import pytest

from analysis import frechet_distance, real_floor


def test_halves_are_disjoint_and_equal():
    real = np.arange(21.0)[:, None]
    seen = []

    def measure(first, second):
        seen.append((len(first), len(second), set(first[:, 0]) & set(second[:, 0])))
        return float(len(seen))

    floor = real_floor(real, measure, repeats=3)
    assert seen == [(10, 10, set())] * 3
    assert (floor.mean, floor.standard_deviation, floor.size, floor.repeats) == (2.0, 1.0, 10, 3)


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
