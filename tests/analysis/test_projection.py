"""Maps: deterministic, balanced, and honest about what they show."""

import numpy as np
import pytest

from analysis import all_maps, pca_map, projection, tsne_map
from analysis.projection import same_kind_share


@pytest.fixture(autouse=True)
def _fewer_iterations(monkeypatch, request):
    if request.node.name != "test_a_full_map_takes_seconds":
        monkeypatch.setattr(projection, "EXAGGERATION_ITERATIONS", 60)
        monkeypatch.setattr(projection, "ITERATIONS", 60)


def clusters(seed, rows, shift=0.0):
    rng = np.random.default_rng(seed)
    centers = 6 * np.random.default_rng(7).normal(size=(4, 20))
    labels = np.arange(rows) % 4
    return centers[labels] + rng.normal(size=(rows, 20)) + shift, labels


@pytest.mark.parametrize("placement", ["joint", "reference"])
def test_same_seed_same_map_and_balanced_counts(placement):
    real, fake = clusters(0, 90)[0], clusters(1, 60)[0]
    first = tsne_map(real, fake, placement=placement, size=40, rng=3)
    second = tsne_map(real, fake, placement=placement, size=40, rng=3)
    np.testing.assert_array_equal(first.points_real, second.points_real)
    np.testing.assert_array_equal(first.points_fake, second.points_fake)
    assert first.points_real.shape == first.points_fake.shape == (40, 2)
    assert len(np.unique(first.real_rows)) == 40
    assert first.real_rows.max() < 90
    other = tsne_map(real, fake, placement=placement, size=40, rng=4)
    assert not np.array_equal(first.points_real, other.points_real)


def test_placed_fakes_do_not_move_the_reference():
    """openTSNE's transform() re-centers the reference in place on its first call."""
    real = clusters(0, 60)[0]
    near = tsne_map(real, clusters(1, 60)[0], placement="reference")
    far = tsne_map(real, clusters(2, 60, shift=40.0)[0], placement="reference")
    np.testing.assert_array_equal(near.points_real, far.points_real)
    assert not np.allclose(near.points_fake, far.points_fake)
    box = near.points_real.min(axis=0) + near.points_real.max(axis=0)
    np.testing.assert_allclose(box, 0.0, atol=1e-9)


def test_fakes_are_placed_in_the_cluster_that_they_come_from():
    (real, labels), (fake, fake_labels) = clusters(0, 100), clusters(1, 100)
    for placement in ("joint", "reference"):
        found = tsne_map(real, fake, placement=placement)
        gaps = np.linalg.norm(found.points_fake[:, None] - found.points_real[None], axis=-1)
        nearest = labels[found.real_rows][gaps.argmin(axis=1)]
        assert (nearest == fake_labels[found.fake_rows]).mean() > 0.95


def test_an_island_shows_on_the_joint_map_and_in_the_number_only():
    real, fake = clusters(0, 80)[0], clusters(1, 80, shift=40.0)[0]
    joint = tsne_map(real, fake)
    assert joint.quality["same_kind"] == 1.0
    gaps = np.linalg.norm(joint.points_fake[:, None] - joint.points_real[None], axis=-1)
    within = np.linalg.norm(joint.points_fake[:, None] - joint.points_fake[None], axis=-1)
    np.fill_diagonal(within, np.inf)
    assert (within.min(axis=1) < gaps.min(axis=1)).mean() > 0.95


def test_same_kind_share_of_equal_distributions_is_as_expected():
    rng = np.random.default_rng(5)
    share, expected = same_kind_share(rng.normal(size=(400, 6)), rng.normal(size=(300, 6)))
    assert share == pytest.approx(expected, abs=0.04)
    assert expected == pytest.approx((400 * 399 + 300 * 299) / (700 * 699))


def test_pca_map_is_the_projection_on_real_components():
    real, fake = clusters(0, 50)[0], clusters(1, 50)[0]
    found = pca_map(real, fake)
    chosen = real[found.real_rows]
    axes = np.linalg.svd(chosen - chosen.mean(axis=0))[2][:2]
    expected = (fake[found.fake_rows] - chosen.mean(axis=0)) @ axes.T
    np.testing.assert_allclose(np.abs(found.points_fake), np.abs(expected), atol=1e-4)


def test_quality_falls_where_a_map_cannot_be_true():
    flat = np.random.default_rng(6).normal(size=(120, 2))
    wide = np.random.default_rng(6).normal(size=(120, 60))
    true, false = pca_map(flat[:60], flat[60:]), pca_map(wide[:60], wide[60:])
    assert true.quality["trustworthiness"] > 0.999
    assert true.quality["neighbor_overlap"] > 0.99
    assert false.quality["trustworthiness"] < 0.8
    assert false.quality["neighbor_overlap"] < 0.4


@pytest.mark.parametrize("samples", [np.ones((10, 3)), np.eye(4), np.arange(8.0)[:, None]])
def test_degenerate_sets_still_give_finite_maps(samples):
    for found in all_maps(samples, samples):
        assert np.isfinite(found.points_real).all()
        assert np.isfinite(found.points_fake).all()


def test_a_map_of_many_rows_can_be_trusted():
    real, fake = clusters(0, 300)[0], clusters(1, 300)[0]
    assert tsne_map(real, fake).quality["trustworthiness"] > 0.8
