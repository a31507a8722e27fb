"""Maps as figures: every point once, in the shape of its kind, and words that fit."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgba

from analysis import class_maps, embedding_map, render, series_maps
from analysis.style import COLORS, MISSING, class_marks
from tests.analysis.maps import map_of


def texts(figure):
    import matplotlib.text

    found = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return found, " ".join(" ".join(found).split())


def points(axis):
    """List what is drawn: how many, in which color, filled or not."""
    return [
        (len(drawn.get_offsets()), tuple(drawn.get_edgecolors()[0]), len(drawn.get_facecolors()))
        for drawn in axis.collections
        if len(drawn.get_offsets())
    ]


def assert_inside(figure):
    """Check that no text leaves the figure, and none below the panels runs over another."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    width, height = figure.get_size_inches() * figure.dpi
    boxes = [legend.get_window_extent(renderer) for legend in figure.legends]
    boxes += [text.get_window_extent(renderer) for text in figure.texts]
    for axis in figure.axes:
        boxes += [text.get_window_extent(renderer) for text in axis.texts]
        boxes.append(axis.title.get_window_extent(renderer))
    for box in boxes:
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height
    for place, first in enumerate(boxes):
        for second in boxes[place + 1 :]:
            assert not first.overlaps(second)


def test_map_says_its_quality_and_its_limits():
    maps = [map_of(40, 40), map_of(40, 40, name="PCA of real", method="pca", perplexity=None)]
    figure = embedding_map(maps, np.arange(40) % 2, np.arange(40) % 2, class_names=["yes", "no"])
    found, said = texts(figure)
    assert "trustworthiness 0.88" in said
    assert "neighbors kept 25%" in said
    assert found.count("perplexity 30") == 1
    assert "75% of a point's nearest neighbors are of its own kind" in said
    assert "(50% if nobody could tell them apart)" in said
    assert "Distances between clusters and sizes of clusters carry no meaning" in said
    assert {"real", "fake", "yes", "no", "t-SNE, joint", "PCA of real"} <= set(found)


def test_map_draws_every_point_once_and_tells_kinds_apart_by_shape():
    labels = np.array([0, 1, -1, 1] * 10)
    figure = embedding_map(
        [map_of(40, 40)], labels, np.zeros(40, dtype=int), class_names=["a", "b"]
    )
    drawn = points(figure.axes[0])
    assert [count for count, _, _ in drawn] == [10, 10, 20, 40]
    # Real marks are filled, fakes are outlines, so that a gray copy still shows which is which.
    assert [filled > 0 for _, _, filled in drawn] == [True, True, True, False]
    for mark in class_marks(20):
        assert mark.real != mark.fake


def test_a_panel_has_square_axes_around_all_of_its_points():
    panel = map_of(40, 20, points_fake=np.random.default_rng(1).normal(size=(20, 2)) * [50, 1])
    axis = embedding_map([panel], np.zeros(40), np.zeros(20), class_names=["a"]).axes[0]
    (left, right), (low, high) = axis.get_xlim(), axis.get_ylim()
    assert right - left == pytest.approx(high - low)
    for part in (panel.points_real, panel.points_fake):
        assert (part > [left, low]).all()
        assert (part < [right, high]).all()


def test_classes_stand_side_by_side_each_with_its_own_points():
    real, fake = np.array([0, 1, -1, 1] * 10), np.arange(40) % 2
    figure = class_maps(map_of(40, 40), real, fake, class_names=["yes", "no"])
    for index, axis in enumerate(figure.axes):
        everything, own_real, own_fake = points(axis)
        assert everything[0] == 80
        assert own_real[0] == (real == index).sum()
        assert own_fake[0] == 20
    found, said = texts(figure)
    assert {"yes", "no", "10 real   20 fake", "20 real   20 fake"} <= set(found)
    assert "t-SNE, joint, perplexity 30, trustworthiness 0.88, neighbors kept 25%" in said
    assert "carry no meaning" in said
    boxes = {(axis.get_xlim(), axis.get_ylim()) for axis in figure.axes}
    assert len(boxes) == 1


def test_a_series_has_the_same_axes_in_every_frame():
    maps = [
        map_of(40, 20, seed=step, frame=f"step {step}", points_fake=np.full((20, 2), float(step)))
        for step in (1, 5, 9)
    ]
    figure = series_maps(maps, np.arange(20) % 2, class_names=["yes", "no"])
    assert len({(axis.get_xlim(), axis.get_ylim()) for axis in figure.axes}) == 1
    for axis, step in zip(figure.axes, (1, 5, 9), strict=True):
        assert axis.get_title(loc="left") == f"step {step}"
        real, *fakes = points(axis)
        assert real[0] == 40
        assert real[1][:3] == to_rgba(MISSING)[:3]
        assert [count for count, _, _ in fakes] == [10, 10]
    said = texts(figure)[1]
    assert said.count("own kind 75%") == 3
    assert "the axes are the same in all" in said.lower()
    assert "gray: real rows. the" in said.lower()
    assert_inside(figure)
    moved = series_maps(maps, np.arange(20) % 2, class_names=["yes", "no"], moving=True)
    assert "real rows, which move along with their encoder" in texts(moved)[1]


NAMES = [f"a rather long class name with number {i} in the end" for i in range(20)]


@pytest.mark.parametrize("count", [1, 4])
def test_twenty_long_names_fit(count):
    labels = np.arange(40) % 20
    assert_inside(embedding_map([map_of(40, 40)] * count, labels, labels, class_names=NAMES))
    frames = [map_of(40, 40, frame=f"step {step}") for step in range(count)]
    assert_inside(series_maps(frames, labels, class_names=NAMES))


@pytest.mark.parametrize("count", [1, 20])
def test_many_classes_are_cut_and_said_to_be(count):
    labels = np.arange(40) % count
    figure = class_maps(map_of(40, 40), labels, labels, class_names=NAMES[:count])
    assert len(figure.axes) == min(count, 12)
    assert ("The first 12 of 20 classes." in texts(figure)[1]) == (count == 20)
    assert_inside(figure)


def test_colors_can_be_told_apart_by_who_sees_red_and_green_alike():
    """Brettel, Viénot & Mollon 1997, in the form of Viénot et al. 1999: one line of dichromats."""
    to_dichromat = {
        "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
        "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
    }
    colors = np.array([to_rgba(color)[:3] for color in COLORS])
    for matrix in to_dichromat.values():
        seen = (colors**2.2 @ np.array(matrix).T).clip(0, 1) ** (1 / 2.2)
        apart = np.linalg.norm(seen[:, None] - seen[None], axis=2)
        np.fill_diagonal(apart, 1.0)
        assert apart.min() > 0.13


def test_markup_is_drawn_as_text_and_bytes_are_the_same():
    names, labels = ["$a_b$", "<b> & $\\frac$"], np.arange(40) % 2
    figures = [embedding_map([map_of(40, 40)], labels, labels, class_names=names) for _ in "ab"]
    first, second = (render(figure, "svg") for figure in figures)
    assert b"<b>" not in first
    assert first == second


def test_bad_input_is_named():
    panel, zeros = map_of(40, 40), np.zeros(40)
    with pytest.raises(ValueError, match="maps: found none"):
        embedding_map([], [0], [0], class_names=["a"])
    with pytest.raises(ValueError, match="maps: found none"):
        series_maps([], [0], class_names=["a"])
    with pytest.raises(ValueError, match="fake_labels: found 3 labels; want one for row 39"):
        embedding_map([panel], zeros, [0, 0, 0], class_names=["a"])
    with pytest.raises(ValueError, match="real_labels: found 3 labels; want one for row 39"):
        class_maps(panel, [0, 0, 0], zeros, class_names=["a"])
    with pytest.raises(ValueError, match="class_names: found none"):
        class_maps(panel, zeros, zeros, class_names=[])
    with pytest.raises(ValueError, match="maps: found tsne-joint and pca; want one method"):
        series_maps([panel, map_of(40, 40, method="pca")], zeros, class_names=["a"])
