"""Maps as figures: side by side, by class, and as a series. Real and fake differ in shape too."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from analysis.distances import as_labels
from analysis.map_panels import columns_of, frame, square_panels, write_below
from analysis.projection import Map, Points
from analysis.style import MISSING, MUTED, RULE, Mark, class_marks, styled
from analysis.words import shortened

MAP_NOTE = (
    "Distances between clusters and sizes of clusters carry no meaning on t-SNE maps. "
    "Axes have no unit."
)
NO_LABEL = Mark(MISSING, "o", MUTED, "^")
MOST_CLASSES = 12
# Inches: width of a panel in a row of three or four.
WIDE, NARROW = 3.34, 2.4


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
    real_y, fake_y = _labels(maps, real_labels, fake_labels)
    names = [shortened(name, 30) for name in class_names]
    columns = 2 if len(maps) in (2, 4) else min(len(maps), 3)
    with styled():
        figure, axes = square_panels(
            (len(maps), columns), WIDE, lines=2, names=names, note=f"{_mixing(maps[0])} {MAP_NOTE}"
        )
        for panel, axis in zip(maps, axes, strict=True):
            frame(axis, panel.name, [panel])
            _real(axis, panel.points_real, real_y[panel.real_rows], names)
            _fake(axis, panel.points_fake, fake_y[panel.fake_rows], names)
            _quality(axis, panel)
    return figure


def class_maps(
    panel: Map,
    real_labels: ArrayLike,
    fake_labels: ArrayLike,
    *,
    class_names: Sequence[str],
) -> Figure:
    """Draw one map once for each class, the others in gray behind it: the first 12 classes.

    Args:
        panel: the map.
        real_labels: as :func:`embedding_map`.
        fake_labels: as :func:`embedding_map`.
        class_names: names by index; at least one.

    Raises:
        ValueError: no class, or labels that do not cover the drawn rows.
    """
    if not class_names:
        raise ValueError("class_names: found none; want at least one class")
    real_y, fake_y = _labels([panel], real_labels, fake_labels)
    real_y, fake_y = real_y[panel.real_rows], fake_y[panel.fake_rows]
    names = [shortened(name, 24) for name in class_names]
    drawn = names[:MOST_CLASSES]
    left_out = f" The first {MOST_CLASSES} of {len(names)} classes." if names[MOST_CLASSES:] else ""
    quality = ", ".join(_kept(panel))
    note = (
        f"{_how(panel)}, {quality}; gray: the other classes.{left_out} {_mixing(panel)} {MAP_NOTE}"
    )
    others = np.concatenate([panel.points_real, panel.points_fake])
    with styled():
        grid = len(drawn), columns_of(len(drawn))
        figure, axes = square_panels(grid, NARROW, lines=1, names=[], note=note)
        for index, (axis, name) in enumerate(zip(axes, drawn, strict=True)):
            frame(axis, name, [panel])
            axis.scatter(others[:, 0], others[:, 1], s=3, color=RULE, linewidths=0)
            only = [np.where(labels == index, index, -2) for labels in (real_y, fake_y)]
            _real(axis, panel.points_real, only[0], names)
            _fake(axis, panel.points_fake, only[1], names)
            counts = [int((labels == index).sum()) for labels in only]
            write_below(axis, f"{counts[0]:,} real   {counts[1]:,} fake")
    return figure


def series_maps(
    maps: Sequence[Map],
    fake_labels: ArrayLike,
    *,
    class_names: Sequence[str],
    moving: bool = False,
) -> Figure:
    """Draw the frames of one series on the same axes: fakes colored by class, real rows gray.

    Args:
        maps: frames of one method, such as a part of what :func:`analysis.map_series` returns.
        fake_labels: as :func:`embedding_map`.
        class_names: names by index.
        moving: whether real rows move in the full space as well, which is then said.

    Raises:
        ValueError: no map, maps of several methods, or labels that do not cover the drawn rows.
    """
    fake_y = _labels(maps, np.zeros(_rows(maps, "real")), fake_labels)[1]
    if methods := {panel.method for panel in maps} - {maps[0].method}:
        raise ValueError(f"maps: found {maps[0].method} and {methods.pop()}; want one method")
    names = [shortened(name, 30) for name in class_names]
    real = "real rows, which move along with their encoder" if moving else "real rows"
    note = (
        f"{_how(maps[0])}; gray: {real}. The axes are the same in all. Own kind: how many of a "
        "point's nearest neighbors in the full space are real or fake as it is "
        f"({maps[0].quality['same_kind_expected']:.0%} if nobody could tell them apart). {MAP_NOTE}"
    )
    with styled():
        grid = len(maps), columns_of(len(maps))
        figure, axes = square_panels(grid, NARROW, lines=1, names=names, note=note)
        for panel, axis in zip(maps, axes, strict=True):
            frame(axis, shortened(panel.frame, 24), maps)
            _real(axis, panel.points_real, np.full(len(panel.points_real), -1), names)
            _fake(axis, panel.points_fake, fake_y[panel.fake_rows], names)
            quality = panel.quality
            write_below(
                axis,
                f"own kind {quality['same_kind']:.0%}   "
                f"trustworthiness {quality['trustworthiness']:.2f}",
            )
    return figure


def _labels(
    maps: Sequence[Map], real_labels: ArrayLike, fake_labels: ArrayLike
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Check that there are maps, and a label for every row that they draw."""
    if not maps:
        raise ValueError("maps: found none; want at least one map")
    found = []
    for kind, labels in (("real", real_labels), ("fake", fake_labels)):
        vector, name = np.asarray(labels), f"{kind}_labels"
        vector, drawn = as_labels(vector, vector.size, name), _rows(maps, kind) - 1
        if drawn >= len(vector):
            raise ValueError(f"{name}: found {len(vector)} labels; want one for row {drawn}")
        found.append(vector)
    return found[0], found[1]


def _rows(maps: Sequence[Map], kind: str) -> int:
    """Return how many rows there must have been of a kind."""
    return 1 + max((int(getattr(panel, f"{kind}_rows").max()) for panel in maps), default=0)


def _real(axis: Axes, points: Points, labels: NDArray[Any], names: Sequence[str]) -> None:
    """Draw real rows as small filled marks."""
    for index, mark in ((-1, NO_LABEL), *enumerate(class_marks(len(names)))):
        x, y = points[labels == index].T
        axis.scatter(x, y, s=10, marker=mark.real, color=mark.color, linewidths=0, alpha=0.6)


def _fake(axis: Axes, points: Points, labels: NDArray[Any], names: Sequence[str]) -> None:
    """Draw fakes as open triangles."""
    for index, mark in enumerate(class_marks(len(names))):
        x, y = points[labels == index].T
        axis.scatter(
            x,
            y,
            s=13,
            marker=mark.fake,
            facecolors="none",
            edgecolors=mark.edge,
            linewidths=0.65,
        )


def _quality(axis: Axes, panel: Map) -> None:
    """Say below a panel how much the map keeps of the full space."""
    write_below(axis, "   ".join(_kept(panel)))
    if panel.perplexity is not None:
        write_below(axis, f"perplexity {panel.perplexity:.3g}", line=1)


def _kept(panel: Map) -> tuple[str, str]:
    """Say how much a map keeps of the neighborhoods in the full space."""
    quality = panel.quality
    return (
        f"trustworthiness {quality['trustworthiness']:.2f}",
        f"neighbors kept {quality['neighbor_overlap']:.0%}",
    )


def _how(panel: Map) -> str:
    """Say how a map was made."""
    if panel.perplexity is None:
        return panel.name
    return f"{panel.name}, perplexity {panel.perplexity:.3g}"


def _mixing(panel: Map) -> str:
    """Say in words how well real and fake are mixed in the full space."""
    quality = panel.quality
    return (
        f"In the full space {quality['same_kind']:.0%} of a point's nearest neighbors are of its "
        f"own kind, real or fake ({quality['same_kind_expected']:.0%} if nobody could tell them "
        "apart)."
    )
