"""What a multitask run got right and how its tasks agreed, as figures.

Shapes: C classes, G groups of parameters, V evaluations.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import QuadMesh
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.conflicts import WHOLE, PairConflicts, pair_conflicts
from analysis.statistics import accuracy_interval
from analysis.style import (
    COSINES,
    INK,
    MISSING,
    MUTED,
    PALE,
    RULE,
    SHARES,
    in_percent,
    ink_on,
    styled,
)
from analysis.tasks import TaskScore
from analysis.words import shortened

LEAST_COSINE = 0.1  # to which the colors of cosines reach at least, or noise would look like much
WIDEST = 12.0  # inches of matrices beside each other; more are put below each other
NAME_LIMIT = 16  # characters of a class's name beside a matrix
LEAST_COUNT_SIZE = 4.5  # points; counts that would have to be smaller are left out


def class_bars(scores: Sequence[TaskScore]) -> Figure:
    """Draw the accuracy in each class with its 95 % interval, a panel a task.

    Args:
        scores: such as :func:`analysis.task_scores` returns; those without a confusion matrix are
            left out.

    Raises:
        ValueError: no score has one.
    """
    drawn = _with_confusion(scores)
    heights = [len(score.classes) + 1.6 for score, _ in drawn]
    with styled():
        figure = Figure(figsize=(7.2, 0.3 + 0.26 * sum(heights)), layout="constrained")
        axes = figure.subplots(len(drawn), sharex=True, squeeze=False, height_ratios=heights)
        axes = axes.ravel()
        for axis, (score, counts_CC) in zip(axes, drawn, strict=True):
            _class_panel(axis, score, counts_CC)
        axes[-1].set_xlim(0.0, 1.0)
        in_percent(axes[-1].xaxis)
        axes[-1].set_xlabel("share of the class's rows that were right, with 95% interval")
    return figure


def confusion_maps(scores: Sequence[TaskScore]) -> Figure:
    """Draw the confusion matrices: colors are shares of the class's rows, numbers are rows.

    Args:
        scores: such as :func:`analysis.task_scores` returns; those without a confusion matrix are
            left out.

    Raises:
        ValueError: no score has one.
    """
    drawn = _with_confusion(scores)
    sides = [float(np.clip(0.3 * len(score.classes), 2.3, 8.0)) for score, _ in drawn]
    panels = len(drawn)
    longest = max(len(name) for score, _ in drawn for name in score.classes)
    names = 0.5 + 0.07 * min(longest, NAME_LIMIT)  # inches that a panel's names take
    if abreast := sum(sides) + panels <= WIDEST:
        width, height = sum(sides) + names * panels + 0.6, max(sides) + names + 0.1
    else:
        width, height = max(sides) + names + 1.0, sum(sides) + (names + 0.1) * panels
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(
            1 if abreast else panels,
            panels if abreast else 1,
            squeeze=False,
            gridspec_kw={"width_ratios" if abreast else "height_ratios": sides},
        ).ravel()
        for axis, (score, counts_CC), side in zip(axes, drawn, sides, strict=True):
            mesh = _confusion_panel(axis, score, counts_CC, side)
        shrink = min(0.75, 2.2 / height)
        bar = figure.colorbar(mesh, ax=list(axes), shrink=shrink, aspect=24, panchor=False)
        _finish_bar(bar, "share of the true class")
        in_percent(bar.ax.yaxis)
    return figure


def conflict_map(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how the tasks' gradients agreed over training, a column of panels a pair of tasks.

    Above is the mean cosine of each group of parameters, below the share of steps in conflict over
    all parameters. A value stands for all steps since the evaluation before, and is as wide.

    Args:
        records: the lines of ``conflicts.jsonl``, see :func:`analysis.conflicts.pair_conflicts`.

    Raises:
        ValueError: no record.
    """
    pairs = pair_conflicts(records)
    if not pairs:
        raise ValueError("records: found none; want at least one line of conflicts.jsonl")
    columns = min(len(pairs), 3)
    lines = math.ceil(len(pairs) / columns)
    map_height = max(0.7, 0.19 * len(pairs[0].groups) + 0.1)
    known = np.abs([pair.cosines for pair in pairs])
    limit = max(LEAST_COSINE, float(np.nanmax(known)))
    with styled():
        size = (max(2.5 * columns, 3.4) + 1.6, lines * (map_height + 1.6))
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(
            2 * lines,
            columns,
            squeeze=False,
            sharex=True,
            sharey="row",
            height_ratios=[map_height, 0.8] * lines,
        )
        for place, pair in enumerate(pairs):
            line, column = divmod(place, columns)
            _cosine_panel(axes[2 * line][column], pair, limit)
            _share_panel(axes[2 * line + 1][column], pair)
        for place in range(len(pairs), lines * columns):
            for axis in axes[2 * (place // columns) :, place % columns][:2]:
                axis.set_axis_off()
        _label_rows(figure, axes, pairs[0].groups, limit)
    return figure


def _with_confusion(scores: Sequence[TaskScore]) -> list[tuple[TaskScore, NDArray[np.int64]]]:
    """Return the scores whose answers by class are known, with these."""
    drawn = [(score, score.confusion) for score in scores if score.confusion is not None]
    if not drawn:
        raise ValueError("scores: found no confusion matrix; want at least one")
    return drawn


def _class_panel(axis: Axes, score: TaskScore, counts_CC: NDArray[np.int64]) -> None:
    """Draw one task: a bar a class with its interval, its numbers at the right."""
    where = "class" if score.measure == "accuracy" else "bucket"
    accuracy = np.trace(counts_CC) / max(1, counts_CC.sum())
    axis.set_title(
        f"{score.name}: {accuracy:.1%} of {score.part} rows in the right {where} (dashed)"
    )
    axis.axvline(accuracy, color=MUTED, ls="--", lw=1.0)
    for height, counts_C in enumerate(counts_CC):
        right, rows = int(counts_C[height]), int(counts_C.sum())
        said = f"{right / rows:.1%} of {rows:,}" if rows else "no rows"
        axis.text(
            1.01, height, said, va="center", fontsize=8.5, transform=axis.get_yaxis_transform()
        )
        if rows:
            bounds = accuracy_interval(right, rows)
            axis.barh(height, right / rows, height=0.62, color=PALE)
            axis.plot([bounds.low, bounds.high], [height] * 2, color=INK, lw=1.4)
    axis.set_yticks(range(len(counts_CC)), [shortened(name, 30) for name in score.classes])
    axis.set_ylim(len(counts_CC) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0, labelcolor=INK)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")


def _confusion_panel(
    axis: Axes, score: TaskScore, counts_CC: NDArray[np.int64], side: float
) -> QuadMesh:
    """Draw one matrix, labels down and answers across."""
    size = len(counts_CC)
    rows_C1 = counts_CC.sum(axis=1, keepdims=True)
    shares_CC = counts_CC / np.maximum(rows_C1, 1)
    cell = 72.0 * side / size
    mesh = axis.pcolormesh(
        np.ma.masked_where(np.broadcast_to(rows_C1 == 0, shares_CC.shape), shares_CC),
        cmap=SHARES.with_extremes(bad=MISSING),
        vmin=0.0,
        vmax=1.0,
        edgecolors="white",
        linewidth=min(1.5, 0.05 * cell),
    )
    longest = len(str(counts_CC.max()))
    font = min(9.0, 0.6 * cell, 0.85 * cell / (0.64 * longest))
    if font >= LEAST_COUNT_SIZE:
        for (down, across), count in np.ndenumerate(counts_CC):
            ink = ink_on(SHARES(float(shares_CC[down, across])))
            center = (across + 0.5, down + 0.5)
            axis.text(*center, str(count), ha="center", va="center", fontsize=font, color=ink)
    names = [shortened(name, NAME_LIMIT) for name in score.classes]
    turned = 90 if max(map(len, names), default=0) * 6.0 > cell else 0
    places, font = np.arange(size) + 0.5, float(np.clip(0.8 * cell, 3.5, 8.5))
    axis.set_xticks(places, names, rotation=turned, fontsize=font, color=INK)
    axis.set_yticks(places, names, fontsize=font, color=INK)
    axis.tick_params(length=0)
    axis.set(
        xlim=(0, size), ylim=(size, 0), aspect="equal", xlabel="predicted", ylabel="true class"
    )
    axis.set_anchor("NW")
    axis.spines[:].set_visible(False)
    axis.set_title(f"{score.name}, {score.part}")
    return mesh


def _edges(ends_V: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each evaluation's steps begin and end, shape (V + 1,)."""
    return np.concatenate([[min(0, ends_V[0] - 1)], ends_V])


def _cosine_panel(axis: Axes, pair: PairConflicts, limit: float) -> None:
    """Draw the mean cosines of one pair, a row a group of parameters, all of them on top."""
    axis.set_title(shortened(pair.name, 34))
    axis.pcolormesh(
        _edges(pair.ends),
        np.arange(len(pair.groups) + 1),
        np.ma.masked_invalid(pair.cosines),
        cmap=COSINES.with_extremes(bad=MISSING),
        vmin=-limit,
        vmax=limit,
        rasterized=True,  # as vectors, neighbors would show seams
    )
    if len(pair.groups) > 1 and pair.groups[0] == WHOLE:
        axis.axhline(1, color="white", lw=2.5)
    axis.set_ylim(len(pair.groups), 0)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _share_panel(axis: Axes, pair: PairConflicts) -> None:
    """Draw the share of steps in conflict of one pair, over all parameters."""
    share_V = pair.shares[pair.groups.index(WHOLE)]
    axis.stairs(share_V, _edges(pair.ends), baseline=None, color=COSINES(0.2), lw=1.8)
    axis.axhline(0.5, color=RULE, lw=0.8, zorder=0)
    axis.set_ylim(-0.04, 1.04)
    axis.set_xlim(*_edges(pair.ends)[[0, -1]])
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.set_xlabel("step")


def _label_rows(figure: Figure, axes: NDArray[Any], groups: Sequence[str], limit: float) -> None:
    """Name groups and shares at the left, and explain the colors at the right."""
    for cosines, shares in zip(axes[::2, 0], axes[1::2, 0], strict=True):
        names = ["all parameters" if group == WHOLE else group for group in groups]
        cosines.set_yticks(np.arange(len(groups)) + 0.5, names, color=INK, fontsize=8)
        shares.set_yticks([0.0, 0.5, 1.0])
        in_percent(shares.yaxis)
        shares.set_ylabel("steps in\nconflict")
    colors = ScalarMappable(Normalize(-limit, limit), COSINES)
    bar = figure.colorbar(colors, ax=list(axes.ravel()), aspect=28, pad=0.02)
    _finish_bar(bar, "mean cosine (below 0: conflict)")


def _finish_bar(bar: Colorbar, label: str) -> None:
    """Name a color bar and take its frame away."""
    bar.set_label(label)
    bar.ax.tick_params(length=0)
    bar.outline.set_visible(False)
