"""Main effects and interaction of two factors, such as the depths of both players, over seeds.

Every seed holds every pair of levels, so that seeds are blocks: what makes one seed easier than
another drops out. The error of an effect is how it differs between seeds (a mixed model with
random seeds), and what a permutation shuffles is what the null makes equal: the levels of a
factor within each seed; for the interaction, rows and columns of each seed's table after both
main effects have been taken out.

Source: Fisher 1935 (blocks); Anderson & ter Braak 2003 (permutation of residuals); Scheffé 1959,
chapter 8 (mixed models).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.study_names import TIMES
from analysis.study_statistics import (
    DRAWS,
    LEAST_SEEDS,
    MOST_VALUES,
    Evidence,
    Summary,
    block_p_value,
    exact_has_room,
    seed_summary,
)

LEAST_BLOCKS = 3  # seeds from which on a shuffle within seeds is asked
ROUNDING = 1e-12  # what is left of equal values that were centered

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one factor, or two together, do to a measure.

    Attributes:
        name: of the factor, or both with a cross between them.
        test: whether there is an effect at all.
        share: of the variance within seeds that is not another effect's (partial eta squared).
        chance_share: what that share is on average where there is no effect.
        slope: change of the measure for one more of the factor (for the interaction: of the
            slope in one factor for one more of the other), with its interval over seeds; None
            where levels are no numbers.
        spread: best level's mean minus the worst's; chance alone makes it positive.
        seeds: complete ones.
    """

    name: str
    test: Evidence
    share: float
    chance_share: float
    slope: Summary | None
    spread: float
    seeds: int


def two_way_effects(
    values: ArrayLike,
    names: tuple[str, str],
    levels: tuple[Sequence[float | None], Sequence[float | None]],
    *,
    statements: int = 1,
    resamples: int = DRAWS,
) -> list[Effect] | str:
    """Return both main effects and the interaction, or say why they cannot be known.

    Args:
        values: shape (S, A, B): seeds, levels of the first factor, of the second; NaN where
            missing. Seeds that lack a cell are left out.
        names: of both factors.
        levels: the numbers that they stand for, None where they are none.
        statements: how many are tested together and corrected for.
        resamples: permutations.
    """
    table = np.asarray(values, dtype=np.float64)
    whole = table[np.isfinite(table).all(axis=(1, 2))]
    seeds, first, second = whole.shape
    if first < 2 or second < 2:
        return f"effects: {first} by {second} levels; two factors need at least 2 by 2"
    if seeds < 2:
        return (
            f"effects: {seeds} of {len(table)} seeds have all {first * second} cells; an effect "
            "needs at least 2"
        )
    centered = whole - whole.mean(axis=(1, 2), keepdims=True)
    by_first, by_second = centered.mean(axis=2), centered.mean(axis=1)
    rest = centered - by_first[:, :, None] - by_second[:, None, :]
    trends = [_trend(numbers) for numbers in levels]
    effects = [
        _main_effect(name, part, trend, statements, resamples)
        for name, part, trend in zip(names, (by_first, by_second), trends, strict=True)
    ]
    return [*effects, _interaction(f" {TIMES} ".join(names), rest, trends, statements, resamples)]


def _main_effect(
    name: str, part: Array, trend: Array | None, statements: int, resamples: int
) -> Effect:
    """Return the effect of one factor from its centered means by seed, shape (S, A)."""
    seeds, levels = part.shape
    arrangements = float(math.lgamma(levels + 1) * (seeds - 1))
    share = _share(part)
    if _may_shuffle(arrangements, seeds, statements):
        flat = not np.abs(part).max() > ROUNDING
        p_value = 1.0 if flat else block_p_value(part, resamples)
        test = Evidence(p_value, "permutation")
    else:
        test = _f_test(share, levels - 1, seeds)
    slope = None if trend is None else seed_summary(part @ trend)
    return Effect(name, test, share, 1 / seeds, slope, _spread(part), seeds)


def _interaction(
    name: str, rest: Array, trends: Sequence[Array | None], statements: int, resamples: int
) -> Effect:
    """Return the interaction from doubly centered tables by seed, shape (S, A, B)."""
    seeds, first, second = rest.shape
    # Swapping the two rows of a table with two columns does what swapping its columns does.
    ways = math.log(2.0) if first == second == 2 else math.lgamma(first + 1)
    ways += 0.0 if first == second == 2 else math.lgamma(second + 1)
    share = _share(rest.reshape(seeds, -1))
    if not np.abs(rest).max() > ROUNDING:
        test = Evidence(1.0, "permutation")
    elif _may_shuffle(ways * (seeds - 1), seeds, statements):
        test = Evidence(_table_p_value(rest, resamples), "permutation")
    else:
        test = _f_test(share, (first - 1) * (second - 1), seeds)
    slope = None
    if trends[0] is not None and trends[1] is not None:
        slope = seed_summary(np.einsum("sab,a,b->s", rest, trends[0], trends[1]))
    return Effect(name, test, share, 1 / seeds, slope, _spread(rest.reshape(seeds, -1)), seeds)


def _may_shuffle(log_arrangements: float, seeds: int, statements: int) -> bool:
    """Tell whether seeds and levels leave a permutation test room."""
    return seeds >= LEAST_BLOCKS and exact_has_room(
        math.exp(min(log_arrangements, 100.0)), statements
    )


def _share(part: Array) -> float:
    """Return the share of the sum of squares that the means over seeds hold, shape (S, K)."""
    total = float(np.sum(part**2))
    return len(part) * float(np.sum(part.mean(axis=0) ** 2)) / total if total > ROUNDING**2 else 0.0


def _f_test(share: float, freedom: int, seeds: int) -> Evidence:
    """Return the F test of an effect against its own differences between seeds."""
    if seeds < LEAST_SEEDS:
        return Evidence(
            None, reason=f"{seeds} complete seeds, and a test needs at least {LEAST_SEEDS}"
        )
    if share >= 1 - 1e-12:  # no spread between seeds: only that they agree is evidence
        return Evidence(2.0 ** (1 - seeds), "exact")
    ratio = share / (1 - share) * (seeds - 1)
    return Evidence(float(special.fdtrc(freedom, freedom * (seeds - 1), ratio)), "F")


def _table_p_value(rest: Array, resamples: int, *, rng: int | np.random.Generator = 0) -> float:
    """Return p of the interaction when rows and columns of each seed's table are shuffled."""
    generator = np.random.default_rng(rng)
    seeds, first, second = rest.shape
    found = float(np.sum(rest.sum(axis=0) ** 2)) * (1 - 1e-9)
    batch = max(1, MOST_VALUES // rest.size)
    extreme = 0
    for start in range(0, resamples, batch):
        count = min(batch, resamples - start)
        rows = generator.permuted(np.tile(np.arange(first), (count, seeds, 1)), axis=2)
        columns = generator.permuted(np.tile(np.arange(second), (count, seeds, 1)), axis=2)
        block = np.arange(seeds)[None, :, None, None]
        shuffled = rest[block, rows[..., :, None], columns[..., None, :]]
        extreme += int(np.sum(np.sum(shuffled.sum(axis=1) ** 2, axis=(1, 2)) >= found))
    return (extreme + 1) / (resamples + 1)


def _trend(numbers: Sequence[float | None]) -> Array | None:
    """Return the weights that turn a factor's means into its least-squares slope."""
    if any(value is None for value in numbers) or len(set(numbers)) < 2:
        return None
    centered = np.asarray(numbers, dtype=np.float64)
    centered = centered - centered.mean()
    weights: Array = centered / np.sum(centered**2)
    return weights


def _spread(part: Array) -> float:
    """Return the largest minus the smallest mean over seeds."""
    return float(np.ptp(part.mean(axis=0)))
