"""Fréchet distance at infinitely many rows: closed forms, fit quality, refusal."""

import numpy as np
import pytest

from analysis import frechet_distance, frechet_limit
from analysis.metrics.frechet_limit import _line, limit_rows

FEATURES = 6
ROWS = limit_rows(FEATURES) + 1
SCALES = np.linspace(0.5, 2.0, FEATURES)
TRUTH = FEATURES * 0.2**2 + float(np.square(1.0 - SCALES).sum())


def test_less_biased_than_the_plain_distance_and_its_interval_holds_the_truth():
    rng = np.random.default_rng(0)
    limits, plain, hits = [], [], 0
    for seed in range(40):
        real = rng.normal(size=(ROWS, FEATURES))
        fake = rng.normal(size=(ROWS + 9, FEATURES)) * SCALES + 0.2
        found = frechet_limit(real, fake, rng=seed)
        limits.append(found.value)
        plain.append(frechet_distance(real, fake))
        hits += found.low < TRUTH < found.high
    error = np.std(limits) / np.sqrt(len(limits))
    assert abs(np.mean(limits) - TRUTH) < 3 * error
    assert np.mean(plain) - TRUTH > 3 * error
    assert hits >= 34


def test_equal_distributions_have_a_straight_line_through_zero():
    rng = np.random.default_rng(1)
    found = [frechet_limit(*rng.normal(size=(2, ROWS, FEATURES)), rng=seed) for seed in range(20)]
    values = np.array([one.value for one in found])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert values.min() < 0.0  # not clipped
    assert np.median([one.r_squared for one in found]) > 0.95
    assert all(one.slope > 0.0 for one in found)
    assert found[0].sizes == (ROWS, ROWS // 2, ROWS // 3, ROWS // 4)


def test_the_line():
    value, slope, r_squared = _line([100, 50, 25], [3.0, 4.0, 6.0])
    assert (value, slope, r_squared) == (pytest.approx(2.0), pytest.approx(100.0), 1.0)
    assert np.isnan(_line([100, 50], [3.0, 3.0])[2])


def test_refused_where_rows_are_few_and_fewer_components_need_fewer():
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(2, ROWS - 2, FEATURES))
    match = rf"^real: found {ROWS - 2} rows of 6 features; the limit needs {ROWS - 1}"
    with pytest.raises(ValueError, match=match):
        frechet_limit(real, fake)
    with pytest.raises(ValueError, match=r"^fake: found 40 rows"):
        frechet_limit(np.tile(real, (3, 1)), fake[:40])
    assert frechet_limit(real, fake, components=2).sizes[0] == ROWS - 2


def test_a_seed_repeats_itself():
    real, fake = np.random.default_rng(3).normal(size=(2, ROWS, FEATURES))
    assert frechet_limit(real, fake) == frechet_limit(real, fake)
    assert frechet_limit(real, fake, rng=1) != frechet_limit(real, fake)
