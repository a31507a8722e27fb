"""One pass over the pairs gives what three separate measures give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import frechet, kernel_distance, measure_together, prdc
from analysis.metrics import blocks


@pytest.mark.parametrize("kernel", ["cubic", "rbf", "mixture"])
def test_equal_to_one_by_one(kernel, monkeypatch):
    monkeypatch.setattr(blocks, "PAIR_ROWS", 32)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(90, 6)) + 5.0, rng.normal(size=(70, 6)) * 0.9 + 5.1
    found = measure_together(real, fake, k=3, kernel=kernel)
    assert found.frechet == frechet(real, fake)
    expected = kernel_distance(real, fake, kernel=kernel)
    assert found.kernel_distance == (
        pytest.approx(expected, rel=1e-7) if kernel == "cubic" else expected
    )
    assert found.prdc == prdc(real, fake, k=3)


@pytest.mark.parametrize("scale", [1e-8, 1e-2, 1.0, 1e2, 1e8])
@pytest.mark.parametrize("kind", ["cloud", "far", "two clusters", "collapsed", "copies"])
def test_the_cubic_kernel_in_float32_is_off_by_rounding_alone(kind, scale):
    rng = np.random.default_rng(2)
    real, fake = rng.normal(size=(2, 300, 24))
    if kind == "far":
        real, fake = real + 100.0, fake + 100.0
    elif kind == "two clusters":
        real[:150], fake[:150] = real[:150] + 300.0, fake[:150] + 300.0
    elif kind in ("collapsed", "copies"):
        fake[:] = fake[0]
        real[1:] = real[0] if kind == "copies" else real[1:]
    real, fake = real * scale, fake * scale
    expected = kernel_distance(real, fake)
    mean = np.mean(np.abs(np.vstack([real, fake]) @ fake.T / 24 + 1.0) ** 3)
    found = measure_together(real, fake).kernel_distance
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8 * mean)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 30, 500]), st.floats(-4.5, 4.5))
def test_bounds_in_float32_hold_what_float64_gives(seed, features, magnitude):
    rng = np.random.default_rng(seed)
    # Terms of one sign round worst.
    real, fake = np.abs(rng.normal(size=(2, 9, features))) * 10.0**magnitude
    fake[0], fake[1] = real[0], real[1] * 1e-3
    clouds = [blocks.Cloud.of(rows, np.zeros(features), np.float32) for rows in (real, fake)]
    (block,) = blocks.across(*clouds)
    close = -np.square(real[:, None] - fake[None]).sum(axis=2) / 2
    errors = clouds[0].errors[:, None] + clouds[1].errors
    assert (block.most >= close).all()
    assert (block.most - 2 * errors <= close).all()


def test_float32_only_where_it_has_the_range():
    rows = np.random.default_rng(3).normal(size=(20, 4))
    for scale, kind in ((1e-7, "f8"), (1e-3, "f4"), (1e3, "f4"), (1e7, "f8"), (1e60, "f8")):
        first, second = blocks.clouds(rows * scale, rows * scale, single=True)
        assert first.rows.dtype == second.rows.dtype == np.dtype(kind)
    mixed = blocks.clouds(rows, rows * 1e7, single=True)
    assert [cloud.rows.dtype for cloud in mixed] == [np.dtype("f8")] * 2


def test_blocks_hold_inner_products_and_distances_far_from_the_origin():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(7, 3)) + 100.0, rng.normal(size=(5, 3)) + 101.0
    center = real.mean(axis=0)
    first, second = blocks.Cloud.of(real, center), blocks.Cloud.of(fake, center)
    (block,) = blocks.across(first, second)
    squared = np.square(real[:, None] - fake[None]).sum(axis=2)
    np.testing.assert_allclose(block.closeness, -squared / 2, rtol=1e-12)
    np.testing.assert_allclose(block.shifted_inner(2.5), real @ fake.T + 2.5, rtol=1e-12)


def test_each_pair_within_a_set_is_met_once(monkeypatch):
    monkeypatch.setattr(blocks, "PAIR_ROWS", 4)
    cloud = blocks.Cloud.of(np.eye(11), np.zeros(11))
    met = np.zeros((11, 11), dtype=int)
    for block in blocks.within(cloud):
        met[block.rows, block.columns] += 1
        if block.rows != block.columns:
            met[block.columns, block.rows] += 1
    assert (met == 1).all()
