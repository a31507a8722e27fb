"""Every distance and neighborhood measure, overall and class by class, beside what chance gives.

Most measures depend on the number of rows, so each is taken many times at one size: between a
random half of the real rows and as many fakes, and between that half and other real rows. Their
means are the value and its floor. No half holds a row twice: the bootstrap would, and a row's copy
would be its nearest neighbor. Source of the standard error: Shao & Wu 1989.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_generator, as_labels, as_sample_pair
from analysis.metrics.blocks import Cloud
from analysis.metrics.frechet import frechet_distance, frechet_rows
from analysis.metrics.kernel import kernel_matrix, make_kernel, negative_distance
from analysis.metrics.neighbors import prdc
from analysis.metrics.permutation import (
    HALVES,
    MOST_ROWS,
    Distances,
    indicators,
    interval,
    kernel_discrepancies,
    p_value,
    sliced_distances,
)
from analysis.metrics.wasserstein import draw_directions

PROJECTIONS = 64
SHARES = ("precision", "recall", "density", "coverage")
TESTED = ("kernel_distance", "rbf_distance", "energy_distance", "sliced_wasserstein")
MEASURES = ("frechet_distance", *TESTED, *SHARES)
RANGES = {
    "frechet_distance": (0.0, np.inf),
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
        half; ``note``, why something is NaN or doubtful, else empty.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, labels do not fit their
            rows, or an argument does not fit.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_y = as_labels(real_labels, len(real_ND), "real_labels")
    fake_y = as_labels(fake_labels, len(fake_MD), "fake_labels")
    for name, given, least in (("k", k, 1), ("permutations", permutations, 1), ("most", most, 4)):
        if given < least:
            raise ValueError(f"{name}: found {given}; want at least {least}")
    generator = as_generator(rng)
    real_ND, real_y = _thinned(real_ND, real_y, most, generator)
    fake_MD, fake_y = _thinned(fake_MD, fake_y, most, generator)
    pool = _Pool.of(real_ND, fake_MD, k, generator)
    real_rows, fake_rows = np.arange(len(real_ND)), len(real_ND) + np.arange(len(fake_MD))
    found = [_measure(OVERALL, pool, real_rows, fake_rows, permutations, generator)]
    for label in np.union1d(real_y, fake_y):
        own = real_rows[real_y == label], fake_rows[fake_y == label]
        found.append(_measure(label.item(), pool, *own, permutations, generator))
    return pd.DataFrame([row for rows in found for row in rows])


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Real rows and, behind them, fakes: P in all, with what is needed of their pairs.

    Attributes:
        vectors: shape (P, D).
        kernels: by measure, shape (P, P); None where the real rows are all equal.
        projected: a row for each direction, shape (L, P).
        k: of PRDC.
    """

    vectors: Matrix
    kernels: dict[str, Matrix | None]
    projected: Matrix
    k: int

    @classmethod
    def of(cls, real: Matrix, fake: Matrix, k: int, rng: np.random.Generator) -> "_Pool":
        """Evaluate kernels and projections of all rows."""
        pooled = np.concatenate([real, fake])
        cloud = Cloud.of(pooled, real.mean(axis=0))
        equal = bool((real == real[0]).all())
        kernels = {
            "kernel_distance": kernel_matrix(cloud, make_kernel("cubic", real)),
            "rbf_distance": None if equal else kernel_matrix(cloud, make_kernel("rbf", real)),
            "energy_distance": kernel_matrix(cloud, negative_distance),
        }
        directions = draw_directions(real.shape[1], PROJECTIONS, rng)
        return cls(pooled, kernels, directions @ pooled.T, k)

    def distances(self, measure: str, rows: np.ndarray) -> Distances | None:
        """Return the distance between marked ones of some rows, None where it has no width."""
        if measure == "sliced_wasserstein":
            projected = self.projected[:, rows]
            return lambda first, second: sliced_distances(projected, first, second)
        kernel = self.kernels[measure]
        if kernel is None:
            return None
        own = kernel[np.ix_(rows, rows)]
        return lambda first, second: kernel_discrepancies(own, first, second)


def _thinned(
    samples: Matrix, labels: np.ndarray, most: int, rng: np.random.Generator
) -> tuple[Matrix, np.ndarray]:
    """Draw at most so many rows and their labels."""
    if len(samples) <= most:
        return samples, labels
    drawn = rng.permutation(len(samples))[:most]
    return samples[drawn], labels[drawn]


def _measure(
    label: object,
    pool: _Pool,
    real: np.ndarray,
    fake: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """Measure the real rows and fakes of one class, given as places in the pool."""
    size = min(len(real), len(fake)) // 2
    if size < 2:
        note = f"{len(real)} real rows and {len(fake)} fakes; want at least 4 of either"
        return [_row(label, name, size, note=note) for name in MEASURES]
    halves = [
        (order[:size], order[size : 2 * size], rng.permutation(fake)[:size])
        for order in (rng.permutation(real) for _ in range(HALVES))
    ]
    orders = np.stack([rng.permutation(len(real) + len(fake)) for _ in range(permutations)])
    return [
        _frechet_row(label, pool, real, halves),
        *(_tested_row(label, name, pool, (real, fake), halves, orders) for name in TESTED),
        *_share_rows(label, pool, halves),
    ]


_Halves = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def _frechet_row(label: object, pool: _Pool, real: np.ndarray, halves: _Halves) -> dict[str, Any]:
    """Measure the Fréchet distance; classes that are too small for it get none."""
    size, wanted = len(halves[0][0]), frechet_rows(pool.vectors[real])
    note = "" if size >= wanted else f"{size} rows; a Fréchet distance needs {wanted}"
    if note and label != OVERALL:
        return _row(label, "frechet_distance", size, note=note)
    if note:
        note += ": compare it with the floor only"
    found, floors = (
        np.array(
            [frechet_distance(pool.vectors[half[0]], pool.vectors[half[at]]) for half in halves]
        )
        for at in (2, 1)
    )
    return _row(label, "frechet_distance", size, found=found, floors=floors, note=note)


def _tested_row(
    label: object,
    name: str,
    pool: _Pool,
    rows: tuple[np.ndarray, np.ndarray],
    halves: _Halves,
    orders: np.ndarray,
) -> dict[str, Any]:
    """Measure a distance that has a p-value."""
    size, counts = len(halves[0][0]), (len(rows[0]), len(rows[1]))
    together = np.concatenate(rows)
    distances = pool.distances(name, together)
    if distances is None:
        return _row(label, name, size, note="real rows are all equal and give no width")
    places = {row: place for place, row in enumerate(together.tolist())}
    chosen = np.vectorize(places.__getitem__)(np.array(halves))  # (R, 3, size)
    found, floors = (
        distances(
            *indicators(np.hstack([chosen[:, 0], chosen[:, at]]), size, size, pool=len(together))
        )
        for at in (2, 1)
    )
    value = float(distances(*indicators(np.arange(len(together))[None], *counts))[0])
    chance = distances(*indicators(orders, *counts))
    return _row(label, name, size, found=found, floors=floors, p=p_value(value, chance))


def _share_rows(label: object, pool: _Pool, halves: _Halves) -> list[dict[str, Any]]:
    """Measure precision, recall, density and coverage."""
    size = len(halves[0][0])
    if size <= pool.k:
        note = f"{size} rows; {pool.k} neighbors need {pool.k + 1}"
        return [_row(label, name, size, note=note) for name in SHARES]
    found, floors = (
        [prdc(pool.vectors[half[0]], pool.vectors[half[at]], k=pool.k) for half in halves]
        for at in (2, 1)
    )
    duplicates = found[0].real_duplicates, found[0].fake_duplicates
    note = "" if max(duplicates) == 0.0 else "repeated rows: {:.0%} real, {:.0%} fake"
    return [
        _row(
            label,
            name,
            size,
            found=np.array([getattr(one, name) for one in found]),
            floors=np.array([getattr(one, name) for one in floors]),
            note=note.format(*duplicates),
        )
        for name in SHARES
    ]


def _row(
    label: object,
    name: str,
    size: int,
    *,
    found: Matrix | None = None,
    floors: Matrix | None = None,
    p: float = float("nan"),
    note: str = "",
) -> dict[str, Any]:
    """Put means and intervals under their names; NaN without values."""
    row: dict[str, Any] = {"class": label, "measure": name}
    for prefix, values in (("", found), ("floor_", floors)):
        mean = float("nan") if values is None else float(np.mean(values))
        ends = (mean, mean) if values is None else interval(mean, values)
        low, high = np.clip(ends, *RANGES.get(name, (-np.inf, np.inf)))
        row |= {prefix.strip("_") or "value": mean, f"{prefix}low": low, f"{prefix}high": high}
    return row | {"p_value": p, "rows": size, "note": note}
