"""Figures of multitask runs: the numbers they draw, their names, and that nothing is cut off."""

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import same_color, to_rgb
from matplotlib.text import Text

from analysis import (
    accuracy_interval,
    best_scores,
    class_bars,
    conflict_map,
    confusion_maps,
    learning_curves,
    render,
)
from analysis.style import COSINES, SHARES, ink_on, styled
from tests.analysis.multitask_run import CLASSES, conflicts, metrics, result_of

ALL_LAYERS = ("all", "embeddings", *(f"layer {index}" for index in range(12)), "rest")


def rng():
    return np.random.default_rng(0)


def scores():
    return best_scores(result_of(rng()))


def scores_of(counts, classes):
    part = {"task": {"accuracy": 0.5, "rows": int(np.sum(counts)), "confusion": counts}}
    return best_scores({"tasks": {"task": {"classes": classes}}, "dev": part})


def contrastive():
    kinds = ["unsupervised"] * 10 + ["supervised"] * 10
    return [
        {"step": 10 * (row + 1), "seconds": 0.5 * row, f"{kind}_loss": 3 / (row + 1), "norm": 1.0}
        for row, kind in enumerate(kinds)
    ]


def texts(artist):
    return [found.get_text() for found in artist.findobj(Text) if found.get_text()]


def mesh(axis):
    return next(found for found in axis.collections if isinstance(found, QuadMesh))


def luminance(color):
    channels = np.array(to_rgb(color))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_bars_are_shares_of_each_class_with_wilson_intervals():
    drawn = scores()
    axes = class_bars(drawn).axes
    assert len(axes) == 3
    for axis, score in zip(axes, drawn, strict=True):
        rows, right = score.confusion.sum(axis=1), np.diag(score.confusion)
        np.testing.assert_allclose([bar.get_width() for bar in axis.patches], right / rows)
        assert [label.get_text() for label in axis.get_yticklabels()] == list(score.classes)
        intervals = [line.get_xdata() for line in axis.lines[1:]]
        for found, hits, count in zip(intervals, right, rows, strict=True):
            bounds = accuracy_interval(hits, count)
            assert found.tolist() == [bounds.low, bounds.high]
        assert f"{right[0] / rows[0]:.1%} of {rows[0]:,}" in texts(axis)
    assert "right class" in axes[0].get_title(loc="left")
    assert "right bucket" in axes[2].get_title(loc="left")


def test_a_class_without_rows_has_no_bar():
    [axis] = class_bars(scores_of([[3, 1], [0, 0]], ["a", "b"])).axes
    assert len(axis.patches) == 1
    assert "no rows" in texts(axis)


def test_matrices_show_shares_in_color_and_rows_as_numbers():
    drawn = scores()
    axes = confusion_maps(drawn).axes
    for axis, score in zip(axes, drawn, strict=False):
        cells = [text.get_text() for text in axis.texts]
        assert cells == [str(count) for count in score.confusion.ravel()]
        shares = mesh(axis).get_array()
        np.testing.assert_allclose(shares.sum(axis=1), 1.0)
        for labels in (axis.get_xticklabels(), axis.get_yticklabels()):
            assert [label.get_text() for label in labels] == list(score.classes)
        for text, share in zip(axis.texts, shares.ravel(), strict=True):
            assert contrast(text.get_color(), SHARES(float(share))) >= 4.5
    assert len(axes) == 4  # the last is the color bar


def test_ink_is_readable_on_any_gray():
    assert all(contrast(ink_on(str(gray)), str(gray)) >= 4.5 for gray in np.linspace(0, 1, 201))


def test_a_true_class_without_rows_has_no_shares():
    axis = confusion_maps(scores_of([[3, 1], [0, 0]], ["a", "b"])).axes[0]
    np.testing.assert_array_equal(
        np.ma.getmaskarray(mesh(axis).get_array()), [[False, False], [True, True]]
    )


def test_numbers_that_nobody_could_read_are_left_out():
    many = scores_of(np.full((60, 60), 12345).tolist(), [f"class {i}" for i in range(60)])
    assert not confusion_maps(many).axes[0].texts


def test_conflicts_are_cosines_by_layer_and_shares_over_steps():
    lines = conflicts(12, rng())
    axes = conflict_map(lines[::-1]).axes[:6]
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    assert names == ["all parameters", "embeddings", *(f"layer {i}" for i in range(5)), "rest"]
    for top, bottom in zip(axes[:3], axes[3:], strict=True):
        a, _, b = top.get_title(loc="left").split()
        known = [line for line in lines if (line["task_a"], line["task_b"]) == (a, b)]
        assert mesh(top).get_array().shape == (8, 12)
        whole = [line for line in known if line["group"] == "all"]
        np.testing.assert_allclose(
            mesh(top).get_array()[0], [line["mean_cosine"] for line in whole]
        )
        stairs = bottom.patches[0].get_data()
        np.testing.assert_allclose(stairs.values, [line["conflict_share"] for line in whole])
        np.testing.assert_array_equal(stairs.edges, [0, *(line["step"] for line in whole)])
        assert bottom.get_xlim() == (0, 3000)
    limits = {mesh(axis).get_clim() for axis in axes[:3]}
    assert len(limits) == 1
    assert sum(limits.pop()) == 0.0
    assert luminance(COSINES(0.5)) > 0.9  # no cosine, no color
    assert COSINES(0.25)[0] > COSINES(0.25)[2]  # conflict is orange
    assert COSINES(0.75)[0] < COSINES(0.75)[2]  # agreement is blue


def test_one_evaluation_fills_the_map():
    axes = conflict_map(conflicts(1, rng())).axes
    assert mesh(axes[0]).get_array().shape == (8, 1)
    assert axes[3].get_xlim() == (0, 250)


def test_weak_cosines_stay_pale():
    faint = [line | {"mean_cosine": 1e-3} for line in conflicts(2, rng())]
    assert mesh(conflict_map(faint).axes[0]).get_clim() == (-0.1, 0.1)


def test_a_cell_that_was_not_recorded_is_masked():
    lines = [row for row in conflicts(3, rng()) if (row["step"], row["group"]) != (500, "rest")]
    missing = np.ma.getmaskarray(mesh(conflict_map(lines).axes[0]).get_array())
    assert np.argwhere(missing).tolist() == [[7, 1]]


def test_curves_give_a_task_one_color_and_draw_its_own_score():
    losses, rates = learning_curves(metrics(12, rng()), best_step=2500).axes
    assert [line.get_label() for line in losses.lines] == list(CLASSES)
    *tasks, mean, best = rates.lines
    assert [line.get_label() for line in tasks] == [
        "sentiment (accuracy)",
        "paraphrase (accuracy)",
        "similarity (Pearson's r)",
    ]
    for loss, score in zip(losses.lines, tasks, strict=True):
        assert same_color(loss.get_color(), score.get_color())
    assert mean.get_label() == "mean"
    assert mean.get_linewidth() > max(line.get_linewidth() for line in tasks)
    assert best.get_xdata() == [2500, 2500]


def test_a_correlation_is_no_percentage():
    records = metrics(3, rng())
    figure = learning_curves(records)
    render(figure)
    assert not [text for text in texts(figure.axes[1]) if "%" in text]
    kept = [{k: v for k, v in row.items() if "similarity" not in k} for row in records]
    figure = learning_curves(kept)
    render(figure)
    assert [text for text in texts(figure.axes[1]) if "%" in text]


def test_tasks_without_scores_have_curves_of_losses_alone():
    records = [{"step": 1, "a_loss": 1.0}, {"step": 2, "b_loss": 2.0}, {"step": 3, "a_loss": 0.5}]
    [axis] = learning_curves(records).axes
    np.testing.assert_array_equal(axis.lines[0].get_xdata(), [1, 3])
    np.testing.assert_array_equal(axis.lines[1].get_xdata(), [2])


def test_the_contrastive_stage_has_a_curve_of_each_loss():
    [axis] = learning_curves(contrastive()).axes
    assert [line.get_label() for line in axis.lines] == ["unsupervised", "supervised"]
    assert [line.get_xdata().tolist() for line in axis.lines] == [
        list(range(10, 101, 10)),
        list(range(110, 201, 10)),
    ]


LONG = [f"a rather long class name with number {i} in the end" for i in range(20)]
FIGURES = {
    "curves": lambda: learning_curves(metrics(12, rng()), best_step=250),
    "contrastive": lambda: learning_curves(contrastive()),
    "bars": lambda: class_bars(scores()),
    "bars of many": lambda: class_bars(scores_of(np.eye(20, dtype=int).tolist(), LONG)),
    "matrices": lambda: confusion_maps(scores()),
    "matrix of many": lambda: confusion_maps(scores_of(np.eye(20, dtype=int).tolist(), LONG)),
    "conflicts": lambda: conflict_map(conflicts(12, rng())),
    "conflicts, once": lambda: conflict_map(conflicts(1, rng())),
    "conflicts, often": lambda: conflict_map(conflicts(50, rng(), ALL_LAYERS)),
    "conflicts, one group": lambda: conflict_map(conflicts(12, rng(), ("all",))),
}


@pytest.mark.parametrize("make", FIGURES.values(), ids=FIGURES)
def test_no_text_is_cut_off(make):
    figure = make()
    with styled():
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    slack = 0.05  # inches that the invisible frame of a legend may lie outside
    assert min(drawn.x0, drawn.y0) > -slack
    assert drawn.x1 < width + slack
    assert drawn.y1 < height + slack


@pytest.mark.parametrize("name", ["curves", "bars", "matrices", "conflicts, one group"])
def test_equal_input_gives_equal_bytes(name):
    make = FIGURES[name]
    assert render(make(), "svg") == render(make(), "svg")


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="records: found none"):
        conflict_map([])
    for draw in (class_bars, confusion_maps):
        with pytest.raises(ValueError, match="scores: found no confusion matrix"):
            draw([])
