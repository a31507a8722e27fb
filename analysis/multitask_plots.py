"""What a multitask run got right, as figures. Shapes: C classes."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.statistics import accuracy_interval
from analysis.style import (
    INK,
    MISSING,
    MUTED,
    PALE,
    SHARES,
    finish_bar,
    in_percent,
    ink_on,
    styled,
)
from analysis.tasks import TaskScore
from analysis.words import shortened

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
        finish_bar(bar, "share of the true class")
        in_percent(bar.ax.yaxis)
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
