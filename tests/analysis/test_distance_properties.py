"""What holds of every distance: symmetry, zero on itself, invariances, growth with a drift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import (
    energy_distance,
    frechet_distance,
    kernel_distance,
    prdc,
    sliced_wasserstein,
)

DISTANCES = {
    "frechet": frechet_distance,
    "shrunk": lambda a, b: frechet_distance(a, b, covariance="ledoit-wolf"),
    "cubic": kernel_distance,
    "rbf": lambda a, b: kernel_distance(a, b, kernel="rbf"),
    "mixture": lambda a, b: kernel_distance(a, b, kernel="mixture"),
    "energy": energy_distance,
    "wasserstein": sliced_wasserstein,
    "wasserstein 1": lambda a, b: sliced_wasserstein(a, b, power=1),
}
# Of the vectors' scale, in the largest terms that cancel.
POWERS = {"cubic": 6, "rbf": 0, "mixture": 0}
# A width from real rows alone tells the sides apart.
SYMMETRIC = [name for name in DISTANCES if name not in ("rbf", "mixture")]
# The cubic kernel and fixed directions know where the origin and the axes are.
MOVED_TOGETHER = [name for name in DISTANCES if name != "cubic"]
TURNED_TOGETHER = [name for name in DISTANCES if not name.startswith("wasserstein")]


@st.composite
def samples(draw):
    """Two sets of few rows, with fewer or more rows than features, some of them repeated."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = draw(st.integers(1, 12))
    sets = []
    for _ in range(2):
        rows = rng.normal(size=(draw(st.integers(4, 20)), features))
        sets.append(rows * draw(st.sampled_from([0.1, 1.0, 5.0])) + draw(st.integers(-3, 3)))
    sets[0][1] = sets[0][2]
    return rng, sets[0], sets[1]


def close(name, value, expected, real, fake):
    """Compare up to rounding, in the unit that the measure has: a root of it is less exact."""
    scale = max(1.0, float(np.abs(real).max()), float(np.abs(fake).max()))
    return value == pytest.approx(expected, rel=1e-6, abs=1e-7 * scale ** POWERS.get(name, 2))


@given(samples())
@settings(max_examples=15, deadline=None)
def test_symmetric_and_indifferent_to_the_order_of_rows(drawn):
    rng, real, fake = drawn
    for name, distance in DISTANCES.items():
        value = distance(real, fake)
        mixed = distance(rng.permutation(real), rng.permutation(fake))
        assert close(name, mixed, value, real, fake), name
        if name in SYMMETRIC:
            assert close(name, distance(fake, real), value, real, fake), name


@given(samples())
@settings(max_examples=15, deadline=None)
def test_invariant_under_rotation_and_shift_of_both_sets(drawn):
    rng, real, fake = drawn
    features = real.shape[1]
    turn = np.linalg.qr(rng.normal(size=(features, features)))[0]
    shift = rng.normal(size=features) * 3.0
    for name in TURNED_TOGETHER:
        value = DISTANCES[name](real, fake)
        assert close(name, DISTANCES[name](real @ turn, fake @ turn), value, real, fake), name
    for name in MOVED_TOGETHER:
        value = DISTANCES[name](real, fake)
        moved = DISTANCES[name](real + shift, fake + shift)
        assert close(name, moved, value, real, fake), name


@given(samples())
@settings(max_examples=15, deadline=None)
def test_neighborhoods_are_invariant_and_change_their_roles(drawn):
    rng, real, fake = drawn
    turn = np.linalg.qr(rng.normal(size=(real.shape[1],) * 2))[0]
    found, swapped = prdc(real, fake, k=2), prdc(fake, real, k=2)
    assert prdc(rng.permutation(real), rng.permutation(fake), k=2) == found
    assert prdc(real @ turn + 1.0, fake @ turn + 1.0, k=2) == found
    assert (swapped.precision, swapped.recall) == (found.recall, found.precision)


@given(samples())
@settings(max_examples=15, deadline=None)
def test_no_distance_to_itself(drawn):
    rng, real, _ = drawn
    again = rng.permutation(real)
    for name in ("frechet", "shrunk", "wasserstein", "wasserstein 1"):
        assert close(name, DISTANCES[name](real, again), 0.0, real, real), name
    # Unbiased: a set is nearer to itself than another sample of its distribution would be.
    for name in ("cubic", "rbf", "mixture", "energy"):
        assert DISTANCES[name](real, again) <= 1e-9, name
    assert prdc(real, again, k=2).coverage == prdc(real, again, k=2).recall == 1.0


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("kind", ["shift", "scale"])
def test_grows_as_a_sample_drifts(name, kind):
    rng = np.random.default_rng(0)
    real, raw = rng.normal(size=(2, 150, 5))
    drifts = [0.0, 0.5, 1.0, 2.0, 4.0]
    sets = [raw + drift if kind == "shift" else raw * (1.0 + drift) for drift in drifts]
    values = [DISTANCES[name](real, fake) for fake in sets]
    assert values == sorted(values)
    assert values[-1] > 2 * values[1] > 0.0


def test_neighborhoods_empty_as_a_sample_drifts():
    rng = np.random.default_rng(1)
    real, raw = rng.normal(size=(2, 150, 5))
    found = [prdc(real, raw + drift) for drift in (0.0, 1.0, 2.0, 4.0)]
    for name in ("precision", "recall", "density", "coverage"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values, reverse=True), name
