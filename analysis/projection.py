"""Flat maps of real and fake embeddings together, each with numbers that say how far to trust it.

How points are found is :mod:`analysis.map_points`; the numbers, :mod:`analysis.map_quality`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.map_points import (
    Reference,
    bounded,
    joint_points,
    pca_points,
    umap_installed,
    umap_points,
)
from analysis.map_quality import Neighborhoods
from analysis.map_rows import Drawn, drawn_frames

Points = NDArray[np.float64]
Placement = Literal["joint", "reference"]
PERPLEXITIES = (30.0, 100.0)
SIZE = 400
NAMES = {
    "tsne-joint": "t-SNE, joint",
    "tsne-reference": "t-SNE, fakes placed on real",
    "pca": "PCA of real",
    "umap": "UMAP, joint",
}
"""Titles of maps by method."""


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """Points of a flat map.

    Attributes:
        name: how the map was made, for its title.
        points_real: shape (n, 2).
        points_fake: shape (n, 2).
        real_rows: which rows of the real input are drawn, shape (n,).
        fake_rows: which rows of the fake input are drawn, shape (n,).
        quality: ``trustworthiness`` (1: no false neighbors on the map), ``neighbor_overlap``
            (share of true nearest neighbors that stay), ``same_kind`` and
            ``same_kind_expected`` (see :func:`analysis.map_quality.same_kind_share`; in the
            full space).
        method: ``tsne-joint``, ``tsne-reference``, ``pca`` or ``umap``.
        perplexity: of a t-SNE map, None for others.
        frame: what sets the maps of one series apart, as "step 200"; empty outside of a series.
    """

    name: str
    points_real: Points
    points_fake: Points
    real_rows: NDArray[np.int64]
    fake_rows: NDArray[np.int64]
    quality: Mapping[str, float]
    method: str
    perplexity: float | None = None
    frame: str = ""


def all_maps(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    perplexities: Sequence[float] = PERPLEXITIES,
    size: int = SIZE,
    rng: int | np.random.Generator = 0,
) -> list[Map]:
    """Draw the same rows in every way: joint and reference-placed t-SNE, PCA, UMAP if installed.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        perplexities: a map of both kinds of t-SNE for each; two that few rows make equal are
            drawn once.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample and the maps.

    Returns:
        Joint t-SNE by perplexity, then reference-placed t-SNE, PCA, and UMAP.

    Raises:
        ValueError: as :func:`tsne_map`, or there is no perplexity.
    """
    if not perplexities:
        raise ValueError("perplexities: found none; want at least one")
    for perplexity in perplexities:
        _check_perplexity(perplexity)
    rows = Drawn.of(real, fake, size=size, rng=rng)
    made = partial(_map, rows, Neighborhoods.of(rows.real, rows.fake))
    maps: list[Map] = [
        made("tsne-joint", joint_points(rows, value), value)
        for value in _distinct(perplexities, 2 * len(rows.real))
    ]
    for value in _distinct(perplexities, len(rows.real)):
        placed = Reference(rows.real, value, rows.seed).place(rows.fake)
        maps.append(made("tsne-reference", placed, value))
    maps.append(made("pca", pca_points(rows)))
    if umap_installed():
        maps.append(made("umap", umap_points(rows)))
    return maps


def tsne_map(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    placement: Placement = "joint",
    perplexity: float = PERPLEXITIES[0],
    size: int = SIZE,
    rng: int | np.random.Generator = 0,
) -> Map:
    """Draw a t-SNE map of equally many real and fake rows.

    A joint map shows fakes that live apart as islands. A reference map is fitted to real rows
    alone and places each fake by its real neighbors: real points do not depend on the fakes, but
    fakes far from everything still land inside the clouds.

    Args:
        real: shape (N, D), N ≥ 4.
        fake: shape (M, D), M ≥ 4.
        placement: ``joint`` or ``reference``.
        perplexity: kept below a third of the rows.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample and the optimization.

    Raises:
        ValueError: an array is not a finite matrix of 4 rows, the widths differ, the perplexity
            is below 1, or the placement is unknown.
    """
    _check_placement(placement)
    _check_perplexity(perplexity)
    rows = Drawn.of(real, fake, size=size, rng=rng)
    if placement == "joint":
        used = bounded(perplexity, 2 * len(rows.real))
        points = joint_points(rows, used)
    else:
        used = bounded(perplexity, len(rows.real))
        points = Reference(rows.real, used, rows.seed).place(rows.fake)
    return _map(rows, Neighborhoods.of(rows.real, rows.fake), f"tsne-{placement}", points, used)


def pca_map(
    real: ArrayLike, fake: ArrayLike, *, size: int = SIZE, rng: int | np.random.Generator = 0
) -> Map:
    """Draw both sets on the first two principal components of the real rows.

    Args:
        real: shape (N, D), N ≥ 4.
        fake: shape (M, D), M ≥ 4.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample.

    Raises:
        ValueError: an array is not a finite matrix of 4 rows, or the widths differ.
    """
    rows = Drawn.of(real, fake, size=size, rng=rng)
    return _map(rows, Neighborhoods.of(rows.real, rows.fake), "pca", pca_points(rows))


def umap_map(
    real: ArrayLike, fake: ArrayLike, *, size: int = SIZE, rng: int | np.random.Generator = 0
) -> Map:
    """Draw a UMAP of real and fake rows together; needs the extra ``umap``.

    Args:
        real: shape (N, D), N ≥ 4.
        fake: shape (M, D), M ≥ 4.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample and the optimization.

    Raises:
        ValueError: an array is not a finite matrix of 4 rows, the widths differ, or umap-learn is
            not installed.
    """
    rows = Drawn.of(real, fake, size=size, rng=rng)
    return _map(rows, Neighborhoods.of(rows.real, rows.fake), "umap", umap_points(rows))


def map_series(
    real: ArrayLike | Mapping[str, ArrayLike],
    frames: Mapping[str, ArrayLike],
    *,
    perplexity: float = PERPLEXITIES[0],
    size: int = SIZE,
    rng: int | np.random.Generator = 0,
) -> list[Map]:
    """Follow fakes over steps or depths: maps of the same real rows, to be drawn on the same axes.

    The joint map of the last frame is that of :func:`tsne_map`; going back from there each map
    starts from the points of the frame after it, so that what is drawn moves no further than it
    must. On reference-placed maps and on those of the PCA the real points stand still. Real rows
    may move as well, with the encoder that they come from: there is no reference then, and the PCA
    is that of the last frame's.

    Args:
        real: shape (N, D); or by frame, all of one shape, row n being the same text in each.
        frames: fakes by the name of their frame, such as "step 200", in order; all of one shape
            (M, D). Row m is the same fake in each: made from one noise for one label.
        perplexity: as :func:`tsne_map`.
        size: most rows of each kind that are drawn.
        rng: seed or generator of the subsample and the maps.

    Returns:
        The frames in order as joint t-SNE, then as reference-placed t-SNE where real rows stand
        still, then as PCA.

    Raises:
        ValueError: as :func:`tsne_map`, there is no frame, the frames differ in shape, or real rows
            have other frames than fakes.
    """
    _check_perplexity(perplexity)
    parts = drawn_frames(real, frames, size=size, rng=rng)
    last = parts[-1]
    near = [Neighborhoods.of(rows.real, rows.fake) for rows in parts]
    used = bounded(perplexity, 2 * len(last.real))
    joint = [joint_points(last, used)]
    for rows in parts[-2::-1]:
        joint.insert(0, joint_points(rows, used, start=joint[0]))
    drawn: list[tuple[str, list[tuple[Points, Points]], float | None]] = [
        ("tsne-joint", joint, used)
    ]
    if not isinstance(real, Mapping):
        used_alone = bounded(perplexity, len(last.real))
        reference = Reference(last.real, used_alone, last.seed)
        placed = [reference.place(rows.fake) for rows in parts]
        drawn.append(("tsne-reference", placed, used_alone))
    drawn.append(("pca", [pca_points(rows, axes_of=last.real) for rows in parts], None))
    return [
        _map(rows, around, method, points, value, frame)
        for method, all_points, value in drawn
        for frame, rows, around, points in zip(frames, parts, near, all_points, strict=True)
    ]


def _map(
    rows: Drawn,
    near: Neighborhoods,
    method: str,
    points: tuple[Points, Points],
    perplexity: float | None = None,
    frame: str = "",
) -> Map:
    """Put a map together with its quality."""
    return Map(
        name=NAMES[method],
        points_real=points[0],
        points_fake=points[1],
        real_rows=rows.real_rows,
        fake_rows=rows.fake_rows,
        quality=near.quality(*points),
        method=method,
        perplexity=perplexity,
        frame=frame,
    )


def _distinct(perplexities: Sequence[float], rows: int) -> list[float]:
    """Return what is used of each perplexity, without repetition."""
    return list(dict.fromkeys(bounded(value, rows) for value in perplexities))


def _check_placement(placement: str) -> None:
    if placement not in ("joint", "reference"):
        raise ValueError(f"placement: found {placement!r}; want 'joint' or 'reference'")


def _check_perplexity(perplexity: float) -> None:
    if not perplexity >= 1.0:
        raise ValueError(f"perplexity: found {perplexity}; want 1 or more")
