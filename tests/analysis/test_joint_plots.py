"""Figures of a GAN beside a trained encoder: its losses, the movement, conflicts of many losses."""

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import same_color

from analysis import conflict_map, learning_curves
from analysis.style import styled
from tests.analysis.joint_run import finetune_metrics, joint_metrics, objective_conflicts
from tests.analysis.multitask_run import CLASSES


def panels(figure):
    return {axis.get_title(loc="left"): axis for axis in figure.axes}


def names(axis):
    return [line.get_label() for line in axis.lines if not line.get_label().startswith("_")]


def mesh(axis):
    return next(found for found in axis.collections if isinstance(found, QuadMesh)).get_array()


def test_losses_of_tasks_and_of_the_game_have_panels_of_their_own():
    found = panels(learning_curves(joint_metrics(3), best_step=500))
    losses, scores, game, moved = found.values()
    assert list(found) == [
        "Losses about the tasks",
        "Scores on dev",
        "Losses of the game",
        "How far the rows moved",
    ]
    assert names(losses) == [*CLASSES, *(f"{task}.class" for task in CLASSES)]
    assert names(game) == ["source (discriminator)", "generator"]
    assert names(moved) == list(CLASSES)
    assert len(names(scores)) == 4
    lines = losses.lines
    for own, classes, step in zip(lines[:3], lines[3:], moved.lines, strict=True):
        assert own.get_linestyle() != classes.get_linestyle()
        assert same_color(own.get_color(), classes.get_color())
        assert same_color(own.get_color(), step.get_color())
    np.testing.assert_allclose(moved.lines[0].get_ydata(), [0.2, 0.3, 0.4])
    assert moved.get_ylim()[0] == 0.0
    assert moved.get_ylabel() == "moved (1 = spread at the start)"


def test_one_task_has_every_panel_and_none_is_empty():
    found = panels(learning_curves(finetune_metrics(3)))
    assert [names(axis) for axis in found.values()] == [
        ["sentiment.class"],
        ["sentiment (accuracy)"],
        ["source (discriminator)", "generator"],
        ["sentiment"],
    ]
    assert found["Losses about the tasks"].lines[0].get_linestyle() == "-"


def test_many_pairs_have_a_line_each():
    lines = objective_conflicts(3)
    steps, parts, shares, _ = conflict_map(lines).axes
    pairs = [label.get_text() for label in steps.get_yticklabels()]
    assert len(pairs) == 21
    assert mesh(steps).shape == (21, 3)
    assert mesh(parts).shape == (21, 8)
    for row in (0, 13, 20):
        a, _, b = pairs[row].split()
        known = [line for line in lines if (line["task_a"], line["task_b"]) == (a, b)]
        whole = [line for line in known if line["group"] == "all"]
        means = [line["mean_cosine"] for line in whole]
        np.testing.assert_allclose(mesh(steps)[row], means)
        np.testing.assert_allclose(mesh(parts)[row, 0], np.mean(means))
        rest = [line["mean_cosine"] for line in known if line["group"] == "rest"]
        np.testing.assert_allclose(mesh(parts)[row, -1], np.mean(rest))
        share = np.mean([line["conflict_share"] for line in whole])
        assert shares.patches[row].get_width() == pytest.approx(share)
        assert shares.texts[row].get_text() == f"{share:.0%}"


@pytest.mark.parametrize("objectives", [4, 5], ids=["panels", "lines"])
def test_seven_pairs_are_too_many_for_panels(objectives):
    axes = conflict_map(objective_conflicts(1, tuple("abcde")[:objectives])).axes
    assert len(axes) == (2 * 6 + 1 if objectives == 4 else 4)


def test_an_evaluation_in_which_no_gradients_met_is_a_gap():
    """Regression: the next one's value stood for it too, once the source loss had saturated."""
    lines = objective_conflicts(3, ("source", "sentiment.class"))
    lines = [line for line in lines if line["step"] != 500]
    upper, lower, _ = conflict_map(lines, evaluations=[250, 500, 750]).axes
    assert np.ma.getmaskarray(mesh(upper)).all(axis=0).tolist() == [False, True, False]
    assert np.isnan(lower.patches[0].get_data().values).tolist() == [False, True, False]


@pytest.mark.parametrize(
    "make",
    [lambda: learning_curves(joint_metrics(4)), lambda: conflict_map(objective_conflicts(2))],
    ids=["curves", "conflicts"],
)
def test_no_text_is_cut_off_or_overlaps(make):
    figure = make()
    with styled():
        figure.draw_without_rendering()
        drawn = figure.get_tightbbox()
        titles = [axis._left_title.get_window_extent() for axis in figure.axes]
    width, height = figure.get_size_inches()
    slack = 0.05  # inches that the invisible frame of a legend may lie outside
    assert min(drawn.x0, drawn.y0) > -slack
    assert drawn.x1 < width + slack
    assert drawn.y1 < height + slack
    shown = [box for box in titles if box.width]
    assert len(shown) >= 3
    assert not any(a.overlaps(b) for i, a in enumerate(shown) for b in shown[:i])
