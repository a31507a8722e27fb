"""One pass over the pairs gives what three separate measures give."""

import numpy as np
import pytest

from analysis import frechet, kernel_distance, measure_together, prdc
from analysis.metrics import blocks


@pytest.mark.parametrize("kernel", ["cubic", "rbf", "mixture"])
def test_equal_to_one_by_one(kernel, monkeypatch):
    monkeypatch.setattr(blocks, "PAIR_ROWS", 32)
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(90, 6)) + 5.0, rng.normal(size=(70, 6)) * 0.9 + 5.1
    found = measure_together(real, fake, k=3, kernel=kernel)
    assert found.frechet == frechet(real, fake)
    assert found.kernel_distance == kernel_distance(real, fake, kernel=kernel)
    assert found.prdc == prdc(real, fake, k=3)


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
