"""The critical-difference diagram: mean ranks on a line, bars over what is not told apart.

Source: Demšar 2006, section 3.2.4.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.study_ranks import Ranks
from analysis.style import INK, MUTED, styled
from analysis.words import shortened


def rank_diagram(ranks: Ranks, title: str = "") -> Figure:
    """Draw mean ranks on one axis; bars join conditions that are not told apart.

    Args:
        ranks: of three conditions or more.
        title: of the figure.
    """
    order = np.argsort(ranks.means, kind="stable")
    means = [ranks.means[index] for index in order]
    names = [shortened(ranks.names[index], 34) for index in order]
    bars = _joined(means, ranks.critical_difference)
    count, half = len(means), math.ceil(len(means) / 2)
    with styled():
        height = 1.25 + 0.16 * len(bars) + 0.24 * half
        figure = Figure(figsize=(7.6, height))
        axis = figure.add_axes((0.30, 0.02, 0.40, 0.96))
        depth = 0.16 * len(bars) + 0.24 * half + 0.25
        axis.set(xlim=(1, count), ylim=(-depth, height - depth))
        axis.set_axis_off()
        _rank_axis(axis, count, ranks.critical_difference)
        for level, (low, high) in enumerate(bars):
            y = -0.14 - 0.16 * level
            axis.plot([low - 0.04, high + 0.04], [y, y], color=INK, lw=3.2, clip_on=False)
        for place, (mean, name) in enumerate(zip(means, names, strict=True)):
            left = place < half
            row = place if left else count - 1 - place
            y = -0.2 - 0.16 * len(bars) - 0.24 * row
            end = 1 - 0.06 * (count - 1) if left else count + 0.06 * (count - 1)
            axis.plot([mean, mean, end], [0, y, y], color=MUTED, lw=0.9, clip_on=False)
            text = f"{name}  {mean:.2f}" if left else f"{mean:.2f}  {name}"
            axis.text(end, y, f" {text} ", ha="right" if left else "left", va="center", fontsize=9)
        if title:
            figure.text(0.02, 0.99, title, fontsize=10, fontweight="bold", va="top")
    return figure


def _joined(means: Sequence[float], critical: float) -> list[tuple[float, float]]:
    """Return the longest runs of rising mean ranks that lie within the critical difference."""
    runs: list[tuple[float, float]] = []
    for start, low in enumerate(means):
        end = max(index for index, mean in enumerate(means) if mean - low < critical)
        if end > start and (not runs or means[end] > runs[-1][1]):
            runs.append((low, means[end]))
    return runs


def _rank_axis(axis: Axes, count: int, critical: float) -> None:
    """Draw the axis of ranks, and the critical difference above it."""
    axis.plot([1, count], [0, 0], color=INK, lw=1.0, clip_on=False)
    for rank in range(1, count + 1):
        axis.plot([rank, rank], [0, 0.06], color=INK, lw=1.0, clip_on=False)
        axis.text(rank, 0.09, str(rank), ha="center", va="bottom", fontsize=8.5, color=MUTED)
    end = min(1 + critical, count)
    axis.plot([1, end], [0.46, 0.46], color=INK, lw=1.2, clip_on=False)
    for x in (1.0, end):
        axis.plot([x, x], [0.42, 0.50], color=INK, lw=1.2, clip_on=False)
    axis.text(1, 0.54, f"critical difference {critical:.2f}", va="bottom", fontsize=8.5)
