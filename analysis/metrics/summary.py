"""Every distance and neighborhood measure, overall and class by class, beside what chance gives.

Most measures depend on the number of rows, so each is taken many times at one size: between a
random half of the real rows and as many fakes, and between that half and other real rows. Their
means are the value and its floor. No half holds a row twice: the bootstrap would, and a row's copy
would be its nearest neighbor. Source of the standard error: Shao & Wu 1989.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_generator, as_label_pair, as_sample_sets
from analysis.metrics.frechet import (
    frechet_distance,
    frechet_rows,
    principal,
    principal_directions,
)
from analysis.metrics.frechet_limit import PARTS, ROWS_PER_FEATURE, limit_value
from analysis.metrics.neighbors import prdc
from analysis.metrics.permutation import MOST_ROWS, indicators, interval, p_value
from analysis.metrics.pool import Draw, Halves, Pool
from analysis.metrics.wasserstein import draw_directions

PROJECTIONS = 64
Seen = Callable[[int, np.ndarray], Matrix]
"""Takes the number of a pair of halves, and rows; returns these as they are measured there."""
DIRECTIONS = 16
"""Principal directions of the real rows in which few rows are enough for a Fréchet distance."""
SHRUNK_HALVES = 5
"""Halves that the shrunk Fréchet distance is taken of: in 768 dimensions each costs 0.1 s."""
FRECHET = ("frechet_distance", "frechet_shrunk", "frechet_principal", "frechet_limit")
SHARES = ("precision", "recall", "density", "coverage")
TESTED = ("kernel_distance", "rbf_distance", "energy_distance", "sliced_wasserstein")
MEASURES = (*FRECHET, *TESTED, *SHARES)
WHOLE_ONLY = ("frechet_shrunk",)
"""Measured overall only, for its cost."""
RANGES = {
    **dict.fromkeys(("frechet_distance", "frechet_shrunk", "frechet_principal"), (0.0, np.inf)),
    "sliced_wasserstein": (0.0, np.inf),
    "density": (0.0, np.inf),
    **dict.fromkeys(("precision", "recall", "coverage"), (0.0, 1.0)),
}
OVERALL = "overall"


def measure_all(
    real: ArrayLike,
    real_labels: ArrayLike,
    fake: ArrayLike,
    fake_labels: ArrayLike,
    *,
    k: int = 5,
    permutations: int = 199,
    most: int = MOST_ROWS,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Measure fakes against real rows, a row per class and measure, ``overall`` first.

    Args:
        real: real embeddings that the generator was not trained on, shape (N, D).
        real_labels: their classes, shape (N,).
        fake: generated embeddings, shape (M, D).
        fake_labels: the class that each was asked for, shape (M,).
        k: of :func:`analysis.prdc`.
        permutations: B of the p-values, which are not corrected for their number.
        most: rows of either set that are looked at, drawn at random where there are more.
        rng: seed or generator of draws, halves, directions and permutations.

    Returns:
        Columns: ``class`` (the label, or "overall"); ``measure``; ``value``, the mean over 20 pairs
        of half samples; ``low`` and ``high``, its 95 % interval; ``floor``, the mean of real rows
        against others at the same sizes; ``floor_low`` and ``floor_high``, where 95 % of these lie;
        ``p_value`` of :func:`analysis.two_sample_test` on all rows of the class, for the kernel
        (cubic and RBF), energy and sliced 2-Wasserstein distances; ``rows`` of either set in each
        half; ``note``, why something is NaN or doubtful, else empty. The Fréchet distance comes
        with three variants: ``frechet_shrunk`` (covariances after Ledoit & Wolf; overall only, over
        5 pairs), ``frechet_principal`` (in the first 16 principal directions of the half that both
        sides are held against) and ``frechet_limit`` (there, extrapolated to infinitely many rows).

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, labels do not fit their
            rows, or an argument does not fit.
    """
    return measure_sets(
        real,
        real_labels,
        [fake],
        fake_labels,
        k=k,
        permutations=permutations,
        most=most,
        rng=rng,
    )[0]


def measure_sets(
    real: ArrayLike,
    real_labels: ArrayLike,
    fakes: Sequence[ArrayLike],
    fake_labels: ArrayLike,
    *,
    k: int = 5,
    permutations: int = 199,
    most: int = MOST_ROWS,
    rng: int | np.random.Generator = 0,
) -> list[pd.DataFrame]:
    """Measure several sets of fakes of the same labels; floors are measured once for all.

    Each table is what :func:`measure_all` gives of that set and the same seed.

    Args:
        real: as for :func:`measure_all`.
        real_labels: as for :func:`measure_all`.
        fakes: sets of fakes, each of shape (M, D).
        fake_labels: the class that the fakes of each set were asked for, shape (M,).
        k: as for :func:`measure_all`.
        permutations: as for :func:`measure_all`.
        most: as for :func:`measure_all`.
        rng: as for :func:`measure_all`.

    Raises:
        ValueError: as :func:`measure_all`, there is no set, or they differ in their number of rows.
    """
    real_ND, sets = as_sample_sets(real, fakes)
    real_y, fake_y = as_label_pair(real_labels, fake_labels, (len(real_ND), len(sets[0])))
    for name, given, least in (("k", k, 1), ("permutations", permutations, 1), ("most", most, 4)):
        if given < least:
            raise ValueError(f"{name}: found {given}; want at least {least}")
    generator = as_generator(rng)
    real_kept, fake_kept = kept_rows(real_ND, most, generator), kept_rows(sets[0], most, generator)
    real_ND, real_y, fake_y = real_ND[real_kept], real_y[real_kept], fake_y[fake_kept]
    directions = draw_directions(real_ND.shape[1], PROJECTIONS, generator)
    reals, made = np.arange(len(real_y)), len(real_y) + np.arange(len(fake_y))
    draws = [Draw.of(OVERALL, reals, made, permutations, generator)]
    for label in np.union1d(real_y, fake_y):
        own = reals[real_y == label], made[fake_y == label]
        draws.append(Draw.of(label.item(), *own, permutations, generator))
    # Passed on, not named: a pool is gone before the next one needs its memory.
    return [_table(draws, Pool.of(real_ND, fake[fake_kept], directions), k) for fake in sets]


def kept_rows(samples: Matrix, most: int, rng: np.random.Generator) -> np.ndarray:
    """Draw at most so many rows; all of them, in order, where there are no more."""
    rows = len(samples)
    return np.arange(rows) if rows <= most else rng.permutation(rows)[:most]


def _table(draws: Sequence[Draw], pool: Pool, k: int) -> pd.DataFrame:
    """Measure one set of fakes, class by class."""
    return pd.DataFrame([row for draw in draws for row in _measure(draw, pool, k)])


def _measure(draw: Draw, pool: Pool, k: int) -> list[dict[str, Any]]:
    """Measure the real rows and fakes of one class."""
    if not draw.halves:
        note = f"{len(draw.real)} real rows and {len(draw.fake)} fakes; want at least 4 of either"
        return [_row(draw, name, note=note) for name in _names(draw)]
    return [
        *_frechet_rows(draw, pool),
        *(_tested_row(draw, name, pool) for name in TESTED),
        *_share_rows(draw, pool, k),
    ]


def _names(draw: Draw) -> list[str]:
    """Name the measures of a class, or of the whole."""
    return [name for name in MEASURES if draw.label == OVERALL or name not in WHOLE_ONLY]


def _frechet_rows(draw: Draw, pool: Pool) -> list[dict[str, Any]]:
    """Measure the Fréchet distance and its variants."""
    real = pool.vectors[draw.real]
    width = min(DIRECTIONS, real.shape[1], draw.size - 1)

    # Of the half that both sides are held against: rows that helped to choose directions spread
    # more in them than others do, and the other real half is to be as strange to them as fakes are.
    bases = draw.floor(
        "directions",
        lambda: [principal_directions(pool.vectors[half[0]], width) for half in draw.halves],
    )

    def whole(number: int, rows: np.ndarray) -> Matrix:
        return pool.vectors[rows]

    def flat(number: int, rows: np.ndarray) -> Matrix:
        return pool.vectors[rows] @ bases[number]

    rows = [_frechet_row(draw, "frechet_distance", real, whole)]
    if draw.label == OVERALL:
        few = draw.halves[:SHRUNK_HALVES]
        rows.append(_halved_row(draw, "frechet_shrunk", whole, _shrunk, halves=few))
    rows.append(_frechet_row(draw, "frechet_principal", principal(real, real, width)[0], flat))
    wanted = PARTS * ROWS_PER_FEATURE * width
    if draw.size < wanted:
        note = f"{draw.size} rows; the limit in {width} directions needs {wanted}"
        return [*rows, _row(draw, "frechet_limit", note=note)]
    return [*rows, _halved_row(draw, "frechet_limit", flat, limit_value)]


def _shrunk(first: Matrix, second: Matrix) -> float:
    return frechet_distance(first, second, covariance="ledoit-wolf")


def _frechet_row(draw: Draw, name: str, real: Matrix, seen: Seen) -> dict[str, Any]:
    """Measure a Fréchet distance; classes whose real rows are too few for it get none."""
    wanted = draw.floor(f"{name}_rows", lambda: frechet_rows(real))
    note = "" if draw.size >= wanted else f"{draw.size} rows; a Fréchet distance needs {wanted}"
    if note and draw.label != OVERALL:
        return _row(draw, name, note=note)
    if note:
        note += ": compare it with the floor only"
    return _halved_row(draw, name, seen, frechet_distance, note=note)


def _halved_row(
    draw: Draw,
    name: str,
    seen: Seen,
    measure: Callable[[Matrix, Matrix], float],
    *,
    halves: Halves | None = None,
    note: str = "",
) -> dict[str, Any]:
    """Take a measure of the halves, fakes beside real rows in their place."""

    def against(at: int) -> Matrix:
        chosen = draw.halves if halves is None else halves
        return np.array(
            [measure(seen(n, half[0]), seen(n, half[at])) for n, half in enumerate(chosen)]
        )

    floors = draw.floor(name, lambda: against(1))
    return _row(draw, name, found=against(2), floors=floors, note=note)


def _tested_row(draw: Draw, name: str, pool: Pool) -> dict[str, Any]:
    """Measure a distance that has a p-value."""
    counts = len(draw.real), len(draw.fake)
    together = np.concatenate([draw.real, draw.fake])
    distances = pool.distances(name, together)
    if distances is None:
        return _row(draw, name, note="real rows are all equal and give no width")
    places = {row: place for place, row in enumerate(together.tolist())}
    chosen = np.vectorize(places.__getitem__)(np.array(draw.halves))  # (R, 3, size)

    def against(at: int) -> Matrix:
        both = np.hstack([chosen[:, 0], chosen[:, at]])
        return distances(*indicators(both, draw.size, draw.size, pool=len(together)))

    value = float(distances(*indicators(np.arange(len(together))[None], *counts))[0])
    chance = p_value(value, distances(*indicators(draw.orders, *counts)))
    floors = draw.floor(name, lambda: against(1))
    return _row(draw, name, found=against(2), floors=floors, p=chance)


def _share_rows(draw: Draw, pool: Pool, k: int) -> list[dict[str, Any]]:
    """Measure precision, recall, density and coverage."""
    if draw.size <= k:
        note = f"{draw.size} rows; {k} neighbors need {k + 1}"
        return [_row(draw, name, note=note) for name in SHARES]

    def against(at: int) -> list[Any]:
        return [prdc(pool.vectors[half[0]], pool.vectors[half[at]], k=k) for half in draw.halves]

    found, floors = against(2), draw.floor("prdc", lambda: against(1))
    duplicates = np.mean([(one.real_duplicates, one.fake_duplicates) for one in found], axis=0)
    note = "" if duplicates.max() == 0.0 else "repeated rows: {:.0%} real, {:.0%} fake"
    of = {
        name: [np.array([getattr(one, name) for one in side]) for side in (found, floors)]
        for name in SHARES
    }
    return [
        _row(draw, name, found=own, floors=other, note=note.format(*duplicates))
        for name, (own, other) in of.items()
    ]


def _row(
    draw: Draw,
    name: str,
    *,
    found: Matrix | None = None,
    floors: Matrix | None = None,
    p: float = float("nan"),
    note: str = "",
) -> dict[str, Any]:
    """Put means and intervals under their names; NaN without values."""
    row: dict[str, Any] = {"class": draw.label, "measure": name}
    for prefix, values in (("", found), ("floor_", floors)):
        mean = float("nan") if values is None else float(np.mean(values))
        ends = (mean, mean) if values is None else interval(mean, values)
        low, high = np.clip(ends, *RANGES.get(name, (-np.inf, np.inf)))
        row |= {prefix.strip("_") or "value": mean, f"{prefix}low": low, f"{prefix}high": high}
    return row | {"p_value": p, "rows": draw.size, "note": note}
