"""Ranks of several conditions within each seed, and how far apart mean ranks have to be.

Source: Friedman 1937; Nemenyi 1963; Demšar 2006.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.study_statistics import DRAWS, LEAST_SEEDS, LEVEL, block_p_value


@dataclass(frozen=True, slots=True)
class Ranks:
    """Friedman's comparison of several conditions by their ranks within each seed.

    Attributes:
        names: of the conditions.
        means: mean rank of each, 1 the best.
        statistic: Friedman's chi-square, corrected for ties.
        p_value: by permutation within the seeds.
        chi_square_p_value: by the chi-square approximation, for comparison with other software.
        critical_difference: Nemenyi's: mean ranks nearer than this are not told apart.
        seeds: complete ones, which all conditions have.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    statistic: float
    p_value: float
    chi_square_p_value: float
    critical_difference: float
    seeds: int


def friedman_ranks(
    values: ArrayLike,
    names: Sequence[str],
    *,
    higher_is_better: bool = True,
    resamples: int = DRAWS,
) -> Ranks | str:
    """Compare conditions by their ranks within seeds, or say why that cannot be done.

    Args:
        values: shape (S, K), NaN where missing; seeds that lack a condition are left out.
        names: of the K conditions.
        higher_is_better: else the lowest value has rank 1.
        resamples: permutations within the seeds.
    """
    table = np.asarray(values, dtype=np.float64)
    whole = table[np.isfinite(table).all(axis=1)]
    seeds, conditions = whole.shape
    if conditions < 3:
        return f"ranks: {conditions} conditions; Friedman's test needs at least 3"
    if seeds < LEAST_SEEDS:
        return (
            f"ranks: {seeds} seeds have every condition; Friedman's test needs at least "
            f"{LEAST_SEEDS}"
        )
    ranks = stats.rankdata(-whole if higher_is_better else whole, axis=1)
    centered = ranks - (conditions + 1) / 2
    spread = float(np.sum(centered**2))
    if spread == 0.0:
        return "ranks: all conditions are equal in every seed"
    statistic = float(np.sum(centered.sum(axis=0) ** 2) * (conditions - 1) / spread)
    return Ranks(
        names=tuple(names),
        means=tuple(float(mean) for mean in ranks.mean(axis=0)),
        statistic=statistic,
        p_value=block_p_value(centered, resamples),
        chi_square_p_value=float(stats.chi2.sf(statistic, conditions - 1)),
        critical_difference=critical_difference(conditions, seeds),
        seeds=seeds,
    )


@lru_cache(maxsize=64)
def critical_difference(conditions: int, seeds: int) -> float:
    """Return Nemenyi's critical difference of mean ranks at level 0.05.

    Example:
        >>> round(critical_difference(4, 14), 2)  # Demšar 2006, section 3.2.2
        1.25
    """
    quantile = float(stats.studentized_range.ppf(1 - LEVEL, conditions, np.inf)) / math.sqrt(2)
    return quantile * math.sqrt(conditions * (conditions + 1) / (6 * seeds))
