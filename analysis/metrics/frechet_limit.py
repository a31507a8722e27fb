"""Fréchet distance extrapolated to infinitely many rows.

Source: Chong & Forsyth 2020, arXiv 1911.07023.
Deviations: both sets are subsampled, at equal sizes, as the bias of either counts; each size is the
mean over all disjoint parts of that size; the fit comes with R² and an interval, and is refused
where the bias is not yet linear in 1 / N.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from analysis.distances import Matrix, as_generator, as_sample_pair
from analysis.metrics.frechet import frechet_distance, principal

PARTS = 4
GROUPS = 10
ROWS_PER_FEATURE = 2


@dataclass(frozen=True, slots=True)
class FrechetLimit:
    """A straight line through Fréchet distances over 1 / N.

    Attributes:
        value: where the line meets 1 / N = 0; not clipped, so equal distributions may be below 0.
        low: lower end of its 95 % interval, from leaving out a tenth of the rows at a time.
        high: upper end.
        slope: growth of the distance with 1 / N, the bias; it depends on the generator.
        r_squared: share of the distances' variation that the line explains; NaN where they do not
            vary.
        sizes: rows of either set at each point.
        distances: mean distance at each point.
    """

    value: float
    low: float
    high: float
    slope: float
    r_squared: float
    sizes: tuple[int, ...]
    distances: tuple[float, ...]


def limit_rows(features: int) -> int:
    """Return how many rows of either set the extrapolation needs.

    The smallest parts must hold two rows a feature: below, the bias bends.
    """
    return -(-PARTS * ROWS_PER_FEATURE * features * GROUPS // (GROUPS - 1))


def frechet_limit(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    components: int | None = None,
    rng: int | np.random.Generator = 0,
) -> FrechetLimit:
    """Estimate the squared Fréchet distance that infinitely many rows would give.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        components: measure in so many first principal directions of the real rows, which need
            fewer rows.
        rng: seed or generator of the parts.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, the components do not fit,
            or there are fewer rows than :func:`limit_rows` asks for.

    Example:
        >>> real, fake = np.random.default_rng(0).normal(size=(2, 400, 3))
        >>> found = frechet_limit(real, fake + 2.0)
        >>> found.low < 12.0 < found.high
        True
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    if components is not None:
        real_ND, fake_MD = principal(real_ND, fake_MD, components)
    features = real_ND.shape[1]
    for name, samples in (("real", real_ND), ("fake", fake_MD)):
        if len(samples) < limit_rows(features):
            raise ValueError(
                f"{name}: found {len(samples)} rows of {features} features; the limit needs "
                f"{limit_rows(features)}; give more rows, or fewer components"
            )
    generator = as_generator(rng)
    rows = min(len(real_ND), len(fake_MD))
    real_ND = real_ND[generator.permutation(len(real_ND))[:rows]]
    fake_MD = fake_MD[generator.permutation(len(fake_MD))[:rows]]
    sizes, distances = _points(real_ND, fake_MD)
    value, slope, r_squared = _line(sizes, distances)
    left_out = np.arange(rows) % GROUPS
    limits = [
        _line(*_points(real_ND[left_out != group], fake_MD[left_out != group]))[0]
        for group in range(GROUPS)
    ]
    error = np.sqrt((GROUPS - 1) * np.var(limits))
    margin = float(stdtrit(GROUPS - 1, 0.975) * error)
    return FrechetLimit(
        value, value - margin, value + margin, slope, r_squared, tuple(sizes), tuple(distances)
    )


def limit_value(real: Matrix, fake: Matrix) -> float:
    """Return the limit's value alone, of as many rows (N, D) of both sets in a random order."""
    return _line(*_points(real, fake))[0]


def _points(real: Matrix, fake: Matrix) -> tuple[list[int], list[float]]:
    """Measure whole sets, halves, thirds and quarters: evenly spaced in 1 / N."""
    sizes = [len(real) // parts for parts in range(1, PARTS + 1)]
    distances = [
        float(
            np.mean(
                [
                    frechet_distance(real[start : start + size], fake[start : start + size])
                    for start in range(0, size * parts, size)
                ]
            )
        )
        for parts, size in enumerate(sizes, start=1)
    ]
    return sizes, distances


def _line(sizes: list[int], distances: list[float]) -> tuple[float, float, float]:
    """Fit distance = value + slope / N by least squares; return both and R²."""
    inverse, found = 1.0 / np.array(sizes), np.array(distances)
    slope, value = np.polyfit(inverse, found, 1)
    total = float(np.square(found - found.mean()).sum())
    residual = float(np.square(found - value - slope * inverse).sum())
    return float(value), float(slope), 1.0 - residual / total if total > 0.0 else float("nan")
