"""Maps: deterministic, balanced, and honest about what they show."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from analysis import all_maps, map_points, map_series, pca_map, projection, tsne_map, umap_map
from analysis.map_quality import Neighborhoods, neighbors_of, same_kind_share


@pytest.fixture(autouse=True)
def _fewer_iterations(monkeypatch):
    """Shorten the optimization; no map of these tests needs more."""
    for name in ("EXAGGERATION_ITERATIONS", "ITERATIONS"):
        monkeypatch.setattr(map_points, name, 60)


@pytest.fixture(autouse=True)
def _without_umap(monkeypatch):
    """Its first map takes half a minute where it is installed."""
    monkeypatch.setattr(map_points, "umap_installed", lambda: False)
    monkeypatch.setattr(projection, "umap_installed", lambda: False)


def clusters(seed, rows, shift=0.0):
    rng = np.random.default_rng(seed)
    centers = 6 * np.random.default_rng(7).normal(size=(4, 20))
    labels = np.arange(rows) % 4
    return centers[labels] + rng.normal(size=(rows, 20)) + shift, labels


def gaps(found):
    return np.linalg.norm(found.points_fake[:, None] - found.points_real[None], axis=-1)


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
        nearest = labels[found.real_rows][gaps(found).argmin(axis=1)]
        assert (nearest == fake_labels[found.fake_rows]).mean() > 0.95


def test_an_island_shows_on_the_joint_map_and_in_the_number_only():
    real, fake = clusters(0, 80)[0], clusters(1, 80, shift=40.0)[0]
    joint = tsne_map(real, fake)
    assert joint.quality["same_kind"] == 1.0
    within = np.linalg.norm(joint.points_fake[:, None] - joint.points_fake[None], axis=-1)
    np.fill_diagonal(within, np.inf)
    assert (within.min(axis=1) < gaps(joint).min(axis=1)).mean() > 0.95


def test_same_kind_share_of_equal_distributions_is_as_expected():
    rng = np.random.default_rng(5)
    share, expected = same_kind_share(rng.normal(size=(400, 6)), rng.normal(size=(300, 6)))
    assert share == pytest.approx(expected, abs=0.04)
    assert expected == pytest.approx((400 * 399 + 300 * 299) / (700 * 699))


def test_quality_is_that_of_scikit_learn_and_of_brute_force():
    rng = np.random.default_rng(8)
    real, fake, points = (rng.normal(size=(50, width)) for width in (9, 9, 2))
    more = rng.normal(size=(50, 2))
    found = Neighborhoods.of(real, fake).quality(points, more)
    full, flat = np.concatenate([real, fake]), np.concatenate([points, more])
    expected = trustworthiness(full, flat, n_neighbors=10)
    assert found["trustworthiness"] == pytest.approx(expected, abs=1e-12)
    neighbors = (neighbors_of(space, 10) for space in (full, flat))
    kept = [np.intersect1d(*pair) for pair in zip(*neighbors, strict=True)]
    assert found["neighbor_overlap"] == pytest.approx(sum(map(len, kept)) / 1000)
    assert found["same_kind"] == same_kind_share(real, fake)[0]


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


@pytest.mark.parametrize(
    "samples", [np.ones((10, 3)), np.eye(4), np.arange(8.0)[:, None], np.repeat(np.eye(5), 6, 0)]
)
def test_degenerate_sets_still_give_finite_maps(samples):
    for found in [*all_maps(samples, samples), *map_series(samples, {"a": samples, "b": samples})]:
        assert np.isfinite(found.points_real).all()
        assert np.isfinite(found.points_fake).all()
        assert np.isfinite(list(found.quality.values())).all()


def test_duplicates_and_constant_columns_do_not_hide_the_clusters():
    real, labels = clusters(0, 60)
    real = np.hstack([np.repeat(real[:30], 2, axis=0), np.full((60, 3), 7.0)])
    found = tsne_map(real, real)
    nearest = np.repeat(labels[:30], 2)[found.real_rows][gaps(found).argmin(axis=1)]
    assert (nearest == np.repeat(labels[:30], 2)[found.fake_rows]).mean() > 0.95
    assert len(np.unique(found.points_real, axis=0)) == 60


def test_all_maps_are_of_the_same_rows_at_both_perplexities():
    real, fake = clusters(0, 90)[0], clusters(1, 70)[0]
    maps = all_maps(real, fake, perplexities=(10, 40), size=50, rng=2)
    # 50 rows alone bear no perplexity above 16.
    assert [(found.method, found.perplexity) for found in maps] == [
        ("tsne-joint", 10.0),
        ("tsne-joint", 98 / 3),
        ("tsne-reference", 10.0),
        ("tsne-reference", 16.0),
        ("pca", None),
    ]
    for found in maps:
        np.testing.assert_array_equal(found.real_rows, maps[0].real_rows)
        np.testing.assert_array_equal(found.fake_rows, maps[0].fake_rows)
        assert found.quality["same_kind"] == maps[0].quality["same_kind"]
        assert found.frame == ""
    alone = tsne_map(real, fake, perplexity=10, size=50, rng=2)
    np.testing.assert_array_equal(maps[0].points_fake, alone.points_fake)
    few = all_maps(real[:12], fake[:12])
    assert [found.method for found in few] == ["tsne-joint", "tsne-reference", "pca"]


def test_a_series_ends_at_the_map_of_its_last_frame_and_moves_little_on_the_way():
    real, fake = clusters(0, 80)[0], clusters(1, 80)[0]
    rng = np.random.default_rng(3)
    drift = 0.2 * rng.normal(size=fake.shape)
    frames = {f"step {n}": fake + n / 20 * drift for n in (0, 10, 20)}
    maps = map_series(real, frames, rng=5)
    assert [found.frame for found in maps] == 3 * ["step 0", "step 10", "step 20"]
    by_method = {found.method: [] for found in maps}
    for found in maps:
        np.testing.assert_array_equal(found.fake_rows, maps[0].fake_rows)
        by_method[found.method].append(found)
    assert list(by_method) == ["tsne-joint", "tsne-reference", "pca"]
    for method, alone in (
        ("tsne-joint", tsne_map(real, frames["step 20"], rng=5)),
        ("tsne-reference", tsne_map(real, frames["step 20"], placement="reference", rng=5)),
        ("pca", pca_map(real, frames["step 20"], rng=5)),
    ):
        np.testing.assert_array_equal(by_method[method][-1].points_fake, alone.points_fake)
    joint = by_method["tsne-joint"]
    spread = np.ptp(joint[0].points_real)
    assert np.abs(joint[0].points_real - joint[2].points_real).max() < 0.3 * spread
    assert joint[0].quality["trustworthiness"] > 0.8
    for method in ("tsne-reference", "pca"):
        first, _, last = by_method[method]
        np.testing.assert_array_equal(first.points_real, last.points_real)
        assert not np.array_equal(first.points_fake, last.points_fake)


def test_fakes_that_drift_away_leave_the_clusters_of_the_joint_series():
    real, fake = clusters(0, 60)[0], clusters(1, 60)[0]
    maps = map_series(real, {"near": fake, "far": fake + 40.0})
    near, far = (found for found in maps if found.method == "tsne-joint")
    assert near.quality["same_kind"] < 0.6
    assert far.quality["same_kind"] == 1.0


def test_real_rows_may_move_along_with_their_encoder():
    real, fake = clusters(0, 60)[0], clusters(1, 60)[0]
    turned = {"early": real[:, ::-1] + 3.0, "late": real}
    fakes = {"early": fake[:, ::-1] + 3.0, "late": fake}
    maps = map_series(turned, fakes, rng=5)
    assert [(found.method, found.frame) for found in maps] == [
        (method, frame) for method in ("tsne-joint", "pca") for frame in turned
    ]
    early, late = (found for found in maps if found.method == "pca")
    rows = late.real_rows
    np.testing.assert_array_equal(early.real_rows, rows)
    alone = pca_map(real, fake, rng=5)
    np.testing.assert_array_equal(late.points_real, alone.points_real)
    # On the axes of the last frame: where the early rows are in its coordinates.
    center = real[rows].mean(axis=0)
    axes = np.linalg.lstsq(real[rows] - center, late.points_real, rcond=None)[0]
    places = (turned["early"][rows] - center) @ axes
    np.testing.assert_allclose(early.points_real, places, atol=1e-3)
    joint = [found for found in maps if found.method == "tsne-joint"]
    assert all(found.quality["same_kind"] < 0.65 for found in joint)


def test_a_real_set_by_frame_has_the_frames_of_the_fakes():
    with pytest.raises(
        ValueError, match=r"real: found frames \['a'\]; want \['b'\], as fakes have"
    ):
        map_series({"a": np.eye(5)}, {"b": np.eye(5)})
    both = {"a": np.eye(5), "b": np.eye(5)}
    with pytest.raises(ValueError, match=r"real: found shape \(4, 5\) in 'b'; want \(5, 5\)"):
        map_series({"a": np.eye(5), "b": np.eye(4, 5)}, both)


class FakeUMAP:
    """Stands for umap-learn: the first two coordinates, and what it was asked for."""

    asked: dict[str, object]

    def __init__(self, **asked):
        FakeUMAP.asked = asked

    def fit_transform(self, samples):
        return samples[:, :2].astype(np.float32)


def test_umap_is_drawn_where_it_is_installed(monkeypatch):
    import sys
    import types

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=FakeUMAP))
    for module in (map_points, projection):
        monkeypatch.setattr(module, "umap_installed", lambda: True)
    real, fake = clusters(0, 30)[0], clusters(1, 30)[0]
    found = all_maps(real, fake, rng=1)[-1]
    assert (found.method, found.perplexity) == ("umap", None)
    assert found.points_real.dtype == np.float64
    assert FakeUMAP.asked["n_jobs"] == 1
    np.testing.assert_array_equal(umap_map(real, fake, rng=1).points_fake, found.points_fake)


def test_umap_that_is_missing_is_named_with_the_way_to_get_it():
    with pytest.raises(ValueError, match=r"umap: not installed; pip install 'acgan-bert\[umap\]'"):
        umap_map(np.eye(6), np.eye(6))


def with_nan(rows):
    rows = np.array(rows)
    rows[2, 0] = np.nan
    return rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"real": np.eye(3)}, r"real: found shape \(3, 3\); want at least 4 rows"),
        ({"fake": np.eye(5, 4)}, r"fake: found shape \(5, 4\); want 5 features"),
        ({"fake": with_nan(np.eye(5))}, r"fake: .* NaN or infinity in 1 rows \(the first is 2\)"),
        ({"size": 3}, "size: found 3; want at least 4"),
        ({"perplexity": 0.5}, "perplexity: found 0.5; want 1 or more"),
        ({"perplexity": float("nan")}, "perplexity: found nan"),
        ({"placement": "above"}, "placement: found 'above'; want 'joint' or 'reference'"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tsne_map(**({"real": np.eye(5), "fake": np.eye(5)} | arguments))


def test_bad_series_and_perplexities_are_named():
    with pytest.raises(ValueError, match="frames: found none"):
        map_series(np.eye(5), {})
    with pytest.raises(ValueError, match=r"found shape \(4, 5\) in 'b'; want \(5, 5\), as 'a' has"):
        map_series(np.eye(5), {"a": np.eye(5), "b": np.eye(4, 5)})
    with pytest.raises(ValueError, match="perplexities: found none"):
        all_maps(np.eye(5), np.eye(5), perplexities=())
    with pytest.raises(ValueError, match="perplexity: found 0; want 1 or more"):
        all_maps(np.eye(5), np.eye(5), perplexities=(30, 0))


def test_a_map_of_many_rows_can_be_trusted():
    real, fake = clusters(0, 300)[0], clusters(1, 300)[0]
    assert tsne_map(real, fake).quality["trustworthiness"] > 0.8
