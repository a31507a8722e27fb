"""Square panels in rows, with a legend and a note below: the page that maps are drawn on."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.projection import Map
from analysis.style import INK, MUTED, RULE, class_marks, columns_for

# Inches: between panels, for a title above each, for a line of text.
GAP, ABOVE, LINE = 0.14, 0.3, 0.16
LEAST_WIDTH = 4.7


def columns_of(count: int) -> int:
    """Return how many small panels stand in a row: four, or three where they fill the rows."""
    return min(count, 3 if count in (5, 6, 9) else 4)


def square_panels(
    grid: tuple[int, int], width: float, *, lines: int, names: Sequence[str], note: str
) -> tuple[Figure, list[Axes]]:
    """Make panels in rows, and below them a legend of shapes and classes and a note.

    Args:
        grid: how many panels there are, and how many of them stand in a row.
        width: of a panel, in inches.
        lines: of text below each panel, see :func:`write_below`.
        names: of the classes.
        note: text of any length.
    """
    (count, columns), below = grid, lines * LINE + 0.2
    rows, step = math.ceil(count / columns), width + GAP
    # A single column is widened for what is below it.
    total = max(columns * step + GAP, LEAST_WIDTH)
    per_row = columns_for(names, int(13 * total) - 20)
    text = textwrap.fill(note, int(17 * total))
    legend = 0.2 * (math.ceil(len(names) / per_row) if names else 1)
    bottom = legend + 0.145 * (text.count("\n") + 1) + 0.16
    height = rows * (width + ABOVE + below) + bottom
    figure = Figure(figsize=(total, height))
    axes = []
    for place in range(count):
        row, column = divmod(place, columns)
        top = height - row * (width + ABOVE + below) - ABOVE
        corner = ((GAP + column * step) / total, (top - width) / height)
        axes.append(figure.add_axes((*corner, width / total, width / height)))
    _legend(figure, names, per_row, bottom / height)
    figure.text(GAP / total, 0.08 / height, text, color=MUTED, fontsize=8, linespacing=1.25)
    return figure, axes


def _legend(figure: Figure, names: Sequence[str], columns: int, top: float) -> None:
    """Explain shapes and colors below the panels."""
    shapes = [
        Line2D([], [], ls="", marker="o", ms=4, color=INK, label="real"),
        Line2D([], [], ls="", marker="^", ms=5.5, mfc="none", color=INK, label="fake"),
    ]
    classes = [
        Line2D([], [], ls="", marker=mark.real, ms=5, color=mark.color, label=name)
        for name, mark in zip(names, class_marks(len(names)), strict=True)
    ]
    inches = figure.get_figwidth()
    for handles, columns_now, left in ((shapes, 2, GAP), (classes, columns, 1.7)):
        if handles:
            figure.legend(
                handles=handles,
                ncols=columns_now,
                loc="upper left",
                bbox_to_anchor=(left / inches, top),
                fontsize=8.5,
                handletextpad=0.2,
                columnspacing=1.4,
                borderaxespad=0.0,
                borderpad=0.0,
            )


def frame(axis: Axes, title: str, sharing: Sequence[Map]) -> None:
    """Title a panel and give it square axes that all points of these maps fit on."""
    points = np.concatenate([part for m in sharing for part in (m.points_real, m.points_fake)])
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.53 * max(float((high - low).max()), 1e-9)
    middle = (low + high) / 2
    axis.set_title(title)
    axis.set(
        xticks=[],
        yticks=[],
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
    )
    for side in axis.spines.values():
        side.set(visible=True, color=RULE)


def write_below(axis: Axes, text: str, *, line: int = 0) -> None:
    """Write one of the lines below a panel, those after the first in a quieter color."""
    axis.annotate(
        text,
        (0.0, 0.0),
        xytext=(0, -4 - 11.5 * line),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=8.5,
        color=MUTED if line else INK,
        annotation_clip=False,
    )
