"""Figures: what they draw, how they cope with hard input, and equal bytes for equal input."""

import io

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from analysis import Score, comparison_bars, learning_curves, render
from analysis.style import COLORS
from analysis.words import shortened


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


def test_pixels_keep_the_colors_of_small_classes_and_of_the_paper():
    figure = Figure(figsize=(4, 3))
    axis = figure.subplots()
    axis.imshow(np.linspace(0, 1, 900).reshape(30, 30), cmap="turbo")  # many colors
    for place, color in enumerate(COLORS):
        axis.plot(3 * place, 3, "s", color=color, ms=6)
    picture = np.asarray(Image.open(io.BytesIO(render(figure))).convert("RGB")).astype(int)
    assert (picture[0, 0] == 255).all()
    for color in COLORS:
        wanted = np.round(255 * np.array(to_rgb(color)))
        assert np.abs(picture - wanted).max(axis=-1).min() <= 4, color
    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=150)
    exact = np.asarray(Image.open(full).convert("RGB")).astype(int)
    assert np.abs(exact - picture).mean() < 4
    assert len(render(figure)) < len(full.getvalue())


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


def test_bars_of_marked_up_names_are_drawn():
    assert render(comparison_bars([Score(name="$x", value=0.5, low=0.4, high=0.6)]))


@pytest.mark.parametrize("file_format", ["png", "svg"])
def test_equal_input_gives_equal_bytes_and_leaves_matplotlib_alone(file_format):
    before = dict(rcParams)
    first = render(comparison_bars(scores(0.5, 0.4)), file_format)
    assert render(comparison_bars(scores(0.5, 0.4)), file_format) == first
    assert dict(rcParams) == before


def test_bars_of_nothing_are_refused():
    with pytest.raises(ValueError, match="scores: found none"):
        comparison_bars([])


def test_shortened_keeps_both_ends():
    assert shortened("short") == "short"
    long = shortened("abcdefghij" * 5, 20)
    assert len(long) == 20
    assert long.startswith("abcdefghij")
    assert long.endswith("j")
    assert shortened("two\nlines") == "two lines"
