"""Maps and comparisons as figures. Nothing is shown, saved, or kept in pyplot."""

import io
import math
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from analysis.distances import as_labels
from analysis.projection import Map
from analysis.scores import Score
from analysis.style import (
    ACCENT,
    INK,
    MISSING,
    MUTED,
    RULE,
    Mark,
    class_marks,
    columns_for,
    in_percent,
    styled,
)
from analysis.words import shortened

MAP_NOTE = (
    "Distances between clusters and sizes of clusters carry no meaning on t-SNE maps. "
    "Axes have no unit."
)


def render(figure: Figure, file_format: Literal["png", "svg"] = "png", *, dpi: int = 150) -> bytes:
    """Return the picture file's bytes, the same for the same figure."""
    buffer = io.BytesIO()
    metadata = {"Date": None} if file_format == "svg" else {"Software": None}
    with styled(**{"svg.hashsalt": "analysis"}):
        figure.savefig(buffer, format=file_format, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def embedding_map(
    maps: Sequence[Map],
    real_labels: ArrayLike,
    fake_labels: ArrayLike,
    *,
    class_names: Sequence[str],
) -> Figure:
    """Draw maps of the same rows side by side, colored by class.

    Args:
        maps: such as :func:`analysis.all_maps` returns.
        real_labels: class indices of all real rows that went into the maps, shape (N,); −1 for
            rows without a label.
        fake_labels: class indices of all fakes that went into the maps, shape (M,).
        class_names: names by index.

    Raises:
        ValueError: no map, or labels that do not cover the drawn rows.
    """
    if not maps:
        raise ValueError("maps: found none; want at least one map")
    real_y = as_labels(real_labels, len(list(real_labels)), "real_labels")  # type: ignore[arg-type]
    fake_y = as_labels(fake_labels, len(list(fake_labels)), "fake_labels")  # type: ignore[arg-type]
    for drawn, labels, name in (
        (max(int(panel.real_rows.max()) for panel in maps), real_y, "real_labels"),
        (max(int(panel.fake_rows.max()) for panel in maps), fake_y, "fake_labels"),
    ):
        if drawn >= len(labels):
            raise ValueError(f"{name}: found {len(labels)} labels; want one for row {drawn}")
    names = [shortened(name, 30) for name in class_names]
    columns = columns_for(names, 44 * len(maps) - 18)
    legend = 0.2 * math.ceil(len(names) / columns)
    footer = textwrap.fill(_map_footer(maps[0]), 60 * len(maps))
    notes = 0.16 * (footer.count("\n") + 1)
    height = 4.05 + legend + notes
    with styled():
        figure = Figure(figsize=(3.5 * len(maps), height))
        axes = figure.subplots(1, len(maps), squeeze=False)[0]
        figure.subplots_adjust(
            0.012, (0.6 + legend + notes) / height, 0.988, 1 - 0.3 / height, 0.04
        )
        for panel, axis in zip(maps, axes, strict=True):
            _map_panel(axis, panel, real_y[panel.real_rows], fake_y[panel.fake_rows], names)
        _map_legend(figure, names, columns, (0.22 + legend + notes) / height)
        figure.text(0.012, 0.08 / height, footer, color=MUTED, fontsize=8)
    return figure


def comparison_bars(scores: Sequence[Score], *, measure: str = "accuracy") -> Figure:
    """Draw the model's score beside its baselines' with 95 % intervals, best on top.

    Args:
        scores: such as :func:`analysis.comparison` returns.
        measure: what the scores are, for the axis.

    Raises:
        ValueError: no score.
    """
    if not scores:
        raise ValueError("scores: found none; want at least one")
    ordered = sorted(scores, key=lambda score: score.value)
    with styled():
        figure = Figure(figsize=(7.2, 0.95 + 0.36 * len(ordered)), layout="constrained")
        axis = figure.subplots()
        for height, score in enumerate(ordered):
            _score_line(axis, height, score)
        axis.set_yticks(
            range(len(ordered)), [shortened(score.name, 34) for score in ordered], color=INK
        )
        for label, score in zip(axis.get_yticklabels(), ordered, strict=True):
            label.set_fontweight("bold" if score.highlighted else "normal")
        axis.set_ylim(-0.6, len(ordered) - 0.4)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.grid(axis="x")
        axis.margins(x=0.12)
        in_percent(axis.xaxis)
        axis.set_xlabel(f"{measure}, with 95% interval")
    return figure


def _map_panel(
    axis: Axes, panel: Map, real_y: NDArray[Any], fake_y: NDArray[Any], names: Sequence[str]
) -> None:
    """Draw one map: real rows as small filled marks, fakes as open triangles, quality below."""
    axis.set_title(panel.name)
    marks = class_marks(len(names))
    _real_points(axis, panel, real_y, -1, Mark(MISSING, "o", MUTED, "^"))
    for index, mark in enumerate(marks):
        _real_points(axis, panel, real_y, index, mark)
    for index, mark in enumerate(marks):
        chosen = panel.points_fake[fake_y == index]
        axis.scatter(
            chosen[:, 0],
            chosen[:, 1],
            s=15,
            marker=mark.fake,
            facecolors="none",
            edgecolors=mark.edge,
            linewidths=0.7,
        )
    axis.set(xticks=[], yticks=[])
    axis.set_aspect("equal", adjustable="datalim")
    axis.margins(0.03)
    for side in axis.spines.values():
        side.set(visible=True, color=RULE)
    quality = panel.quality
    text = (
        f"trustworthiness {quality['trustworthiness']:.2f}   "
        f"neighbors kept {quality['neighbor_overlap']:.0%}"
    )
    axis.text(0.0, -0.02, text, va="top", fontsize=8.5, transform=axis.transAxes)


def _real_points(axis: Axes, panel: Map, labels: NDArray[Any], index: int, mark: Mark) -> None:
    """Draw the real rows of one class."""
    chosen = panel.points_real[labels == index]
    axis.scatter(
        chosen[:, 0],
        chosen[:, 1],
        s=10,
        marker=mark.real,
        color=mark.color,
        linewidths=0,
        alpha=0.5,
    )


def _map_legend(figure: Figure, names: Sequence[str], columns: int, top: float) -> None:
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
    for handles, columns_now, left in ((shapes, 2, 0.05), (classes, columns, 1.6)):
        figure.legend(
            handles=handles,
            ncols=columns_now,
            loc="upper left",
            bbox_to_anchor=(left / inches, top),
            fontsize=8.5,
            handletextpad=0.2,
            columnspacing=1.4,
            borderaxespad=0.0,
        )


def _map_footer(panel: Map) -> str:
    """Say in words how well real and fake are mixed, and what a map does not show."""
    quality = panel.quality
    return (
        f"In the full space {quality['same_kind']:.0%} of a point's nearest neighbors are of its "
        f"own kind, real or fake ({quality['same_kind_expected']:.0%} if nobody could tell them "
        f"apart). {MAP_NOTE}"
    )


def _score_line(axis: Axes, height: int, score: Score) -> None:
    """Draw one method: a dot, its interval, its value."""
    color = ACCENT if score.highlighted else MUTED
    if math.isfinite(score.low) and math.isfinite(score.high):
        axis.plot([score.low, score.high], [height] * 2, color=color, lw=2.2, solid_capstyle="butt")
    marker = "D" if score.highlighted else "o"
    axis.plot(score.value, height, marker, color=color, ms=7, mec="white", mew=1.0)
    axis.annotate(
        f"{score.value:.1%}",
        (score.value, height),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=8.5,
        color=color,
        fontweight="bold" if score.highlighted else "normal",
    )
