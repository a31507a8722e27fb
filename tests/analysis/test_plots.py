"""Figures: what they draw, how they cope with hard input, and equal bytes for equal input."""

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis import Map, Score, comparison_bars, embedding_map, learning_curves, render
from analysis.style import class_marks
from analysis.words import shortened


def make_map(name="t-SNE, joint", rows=40, seed=0):
    rng = np.random.default_rng(seed)
    quality = {
        "trustworthiness": 0.87,
        "neighbor_overlap": 0.41,
        "same_kind": 0.63,
        "same_kind_expected": 0.5,
    }
    points = rng.normal(size=(2, rows, 2))
    return Map(name, points[0], points[1], np.arange(rows), np.arange(rows), quality, "pca")


def texts(figure):
    import matplotlib.text

    return [found.get_text() for found in figure.findobj(matplotlib.text.Text)]


def scores(*values):
    return [
        Score(name=f"method {i}", value=v, low=v - 0.02, high=v + 0.02, highlighted=i == 0)
        for i, v in enumerate(values)
    ]


def test_bars_are_sorted_with_the_model_in_bold():
    figure = comparison_bars(scores(0.5, 0.7, 0.3))
    labels = figure.axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == ["method 2", "method 0", "method 1"]
    assert [label.get_fontweight() for label in labels] == ["normal", "bold", "normal"]
    assert {"50.0%", "70.0%", "30.0%"} <= set(texts(figure))


def test_curves_separate_losses_from_scores_and_skip_what_is_missing():
    records = [
        {"step": 0, "loss_class": 1.0, "dev_accuracy": None, "seconds": 1.0, "note": "x"},
        {"step": 10, "loss_class": float("nan"), "dev_accuracy": 0.5},
        {"step": 20, "loss_class": 0.5, "dev_accuracy": 0.6, "dev_macro_f1": 0.4},
    ]
    losses, rates = learning_curves(records).axes
    assert [line.get_label() for line in losses.lines] == ["class"]
    np.testing.assert_array_equal(losses.lines[0].get_xdata(), [0, 20])
    assert [line.get_label() for line in rates.lines] == ["dev accuracy", "dev macro F1"]
    np.testing.assert_array_equal(rates.lines[0].get_ydata(), [0.5, 0.6])


@pytest.mark.parametrize("records", [[], [{"step": 3}]])
def test_curves_of_next_to_nothing(records):
    assert "none recorded" in texts(learning_curves(records))


def test_curves_without_scores_leave_no_empty_panel():
    figure = learning_curves([{"step": 3, "loss_a": 1.0}])
    assert len(figure.axes) == 1
    assert "none recorded" not in texts(figure)


def test_noise_does_not_fill_the_axis_of_scores():
    records = [{"step": step, "loss_a": 1.0, "dev_accuracy": 0.5 + 1e-3 * step} for step in (0, 1)]
    low, high = learning_curves(records).axes[1].get_ylim()
    assert high - low == pytest.approx(0.1)
    assert low < 0.5 < high


def test_map_says_its_quality_and_its_limits():
    maps = [make_map(), make_map("PCA of real", seed=1)]
    figure = embedding_map(maps, np.arange(40) % 2, np.arange(40) % 2, class_names=["yes", "no"])
    said = " ".join(" ".join(texts(figure)).split())
    assert "trustworthiness 0.87" in said
    assert "neighbors kept 41%" in said
    assert "63% of a point's nearest neighbors are of its own kind" in said
    assert "carry no meaning" in said
    assert {"real", "fake", "yes", "no", "t-SNE, joint", "PCA of real"} <= set(texts(figure))


def test_map_draws_every_point_once_and_colors_by_the_drawn_rows():
    drawn = make_map()
    labels = np.array([0, 1, -1, 1] * 10)
    figure = embedding_map([drawn], labels, np.zeros(40, dtype=int), class_names=["a", "b"])
    counts = [len(points.get_offsets()) for points in figure.axes[0].collections]
    assert counts == [10, 10, 20, 40, 0]


def test_twenty_long_names_fit():
    names = [f"a rather long class name with number {i} in the end" for i in range(20)]
    labels = np.arange(40) % 20
    figure = embedding_map([make_map()] * 3, labels, labels, class_names=names)
    png = render(figure, "png", dpi=80)
    assert png.startswith(b"\x89PNG")
    width, height = figure.get_size_inches() * figure.dpi
    renderer = FigureCanvasAgg(figure).get_renderer()
    for legend in figure.legends:
        box = legend.get_window_extent(renderer)
        assert box.x0 >= 0
        assert box.x1 <= width
        assert box.y0 >= 0
        assert box.y1 <= height
    assert len({(m.color, m.real) for m in class_marks(20)}) == 20


def test_dollar_signs_and_markup_are_drawn_as_text():
    names = ["$a_b$", "<b> & $\\frac$"]
    labels = np.arange(40) % 2
    figure = embedding_map([make_map()], labels, labels, class_names=names)
    svg = render(figure, "svg").decode()
    assert "<b>" not in svg
    assert render(comparison_bars([Score(name="$x", value=0.5, low=0.4, high=0.6)]))


@pytest.mark.parametrize("file_format", ["png", "svg"])
def test_equal_input_gives_equal_bytes_and_leaves_matplotlib_alone(file_format):
    before = dict(rcParams)
    first = render(comparison_bars(scores(0.5, 0.4)), file_format)
    assert render(comparison_bars(scores(0.5, 0.4)), file_format) == first
    assert dict(rcParams) == before


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="scores: found none"):
        comparison_bars([])
    with pytest.raises(ValueError, match="maps: found none"):
        embedding_map([], [0], [0], class_names=["a"])
    with pytest.raises(ValueError, match="fake_labels: found 3 labels; want one for row 39"):
        embedding_map([make_map()], np.zeros(40), [0, 0, 0], class_names=["a"])


def test_shortened_keeps_both_ends():
    assert shortened("short") == "short"
    long = shortened("abcdefghij" * 5, 20)
    assert len(long) == 20
    assert long.startswith("abcdefghij")
    assert long.endswith("j")
    assert shortened("two\nlines") == "two lines"
