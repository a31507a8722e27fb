"""Statistics of few repetitions: intervals over seeds, paired tests, ranks, what could be shown.

One rule holds throughout. Where seeds are few, an exact test cannot decide anything (two-sided
sign flips of n pairs give no p below 2^(1 - n)), and a bootstrap of so few values covers much
less than it says; there Student's t is used, which assumes differences that are about normal.
Where seeds are many enough, nothing is assumed. Which of the two is used depends on how many
seeds and statements there are, never on the values, so that the level holds.

Source: Fisher 1935 (sign flips); Holm 1979; Cohen 1988 (power); Phipson & Smyth 2010 (p-values of
drawn permutations are never 0).
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from analysis.statistics import Interval, mean_interval

LEVEL, POWER = 0.05, 0.8
LEAST_SEEDS = 5  # fewer equal differences of coarse scores are too likely by chance alone
BOOTSTRAP_SEEDS = 20  # below, BCa covers clearly less than it says
ROOM = 10  # arrangements within the level, from which on an exact test decides
MOST_EXACT = 16  # pairs whose 2^15 sign flips are all tried
DRAWS = 9_999
MOST_VALUES = 10**7  # numbers held at a time

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """One condition over its seeds.

    Attributes:
        mean: of the seeds' values.
        interval: 95 %, None where it cannot be known.
        deviation: standard deviation over the seeds, None for one seed.
        seeds: how many values there are.
        method: "t", "BCa", or "" without an interval.
        reason: why there is no interval; else empty.
    """

    mean: float
    interval: Interval | None
    deviation: float | None
    seeds: int
    method: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A p-value, or the reason why there is none.

    Attributes:
        p_value: two-sided, None where the seeds are too few for any test.
        method: "exact" (all arrangements), "permutation" (drawn ones), "t", "F", or "".
        reason: why there is no p-value; else empty.
    """

    p_value: float | None
    method: str = ""
    reason: str = ""


def seed_summary(values: ArrayLike) -> Summary:
    """Return mean and 95 % interval over seeds: Student's t for few, BCa from 20 seeds on.

    Args:
        values: one a seed, shape (S,), S ≥ 1; NaN where a seed is missing.

    Raises:
        ValueError: no finite value, or not a vector.

    Example:
        >>> seed_summary([0.5]).reason
        'one seed: no interval'
    """
    vector = np.asarray(values, dtype=np.float64)
    found = vector[np.isfinite(vector)]
    if vector.ndim != 1 or not len(found):
        raise ValueError(f"values: found shape {vector.shape}; want a vector with a finite value")
    mean = float(found.mean())
    if len(found) == 1:
        return Summary(mean, None, None, 1, reason="one seed: no interval")
    deviation = float(found.std(ddof=1))
    if len(found) >= BOOTSTRAP_SEEDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            interval = mean_interval(found)
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            return Summary(mean, interval, deviation, len(found), "BCa")
    width = deviation / math.sqrt(len(found)) * float(special.stdtrit(len(found) - 1, 0.975))
    return Summary(mean, Interval(mean - width, mean + width), deviation, len(found), "t")


def exact_has_room(arrangements: float, statements: int) -> bool:
    """Tell whether enough arrangements lie within the corrected level for an exact test to decide.

    Args:
        arrangements: that give different statistics under the null, equally likely.
        statements: tested together.
    """
    return arrangements * LEVEL / statements >= ROOM


def paired_p_value(differences: ArrayLike, statements: int = 1) -> Evidence:
    """Test whether paired differences have mean 0, two-sided.

    All sign flips of the differences are tried where the seeds leave them room: that needs no
    normality, unlike Wilcoxon's test keeps the sizes, and ties need no care. With fewer seeds it
    is Student's paired t, whose assumption is then stated; below 5 there is no test.

    Args:
        differences: one a seed, shape (S,).
        statements: how many are tested together and corrected for.

    Example:
        >>> paired_p_value([1.0, 2.0, 3.0]).reason
        '3 paired seeds, and a test needs at least 5'
    """
    vector = np.asarray(differences, dtype=np.float64)
    seeds = len(vector)
    if seeds < LEAST_SEEDS:
        word = "seed" if seeds == 1 else "seeds"
        return Evidence(
            None, reason=f"{seeds} paired {word}, and a test needs at least {LEAST_SEEDS}"
        )
    if not vector.any():
        return Evidence(1.0, "exact")
    if exact_has_room(2.0 ** (seeds - 1), statements):
        # As many within the level of drawn flips as of all of them.
        return sign_flip_p_value(vector, draws=max(DRAWS, math.ceil(ROOM * statements / LEVEL)))
    mean, error = float(vector.mean()), float(vector.std(ddof=1)) / math.sqrt(seeds)
    if error <= 1e-12 * abs(mean):  # equal differences: only their sign is evidence
        return Evidence(2.0 ** (1 - seeds), "exact")
    return Evidence(2.0 * float(special.stdtr(seeds - 1, -abs(mean) / error)), "t")


def sign_flip_p_value(
    differences: ArrayLike, *, draws: int = DRAWS, rng: int | np.random.Generator = 0
) -> Evidence:
    """Return the two-sided p of the mean under sign flips: all of up to 16 pairs, else drawn ones.

    Args:
        differences: shape (S,), S ≥ 1.
        draws: flips that are drawn where not all are tried.
        rng: of the drawn flips.

    Example:
        >>> sign_flip_p_value([1.0, 2.0, 3.0]).p_value
        0.25
    """
    vector = np.asarray(differences, dtype=np.float64)
    found = abs(float(vector.sum()))
    least = found - 1e-9 * float(np.abs(vector).sum())  # sums equal but for rounding count
    if len(vector) <= MOST_EXACT:  # the first sign stays, for the other half mirrors this one
        bits = np.arange(2 ** (len(vector) - 1))[:, None] >> np.arange(len(vector)) & 1
        return Evidence(float(np.mean(np.abs((1.0 - 2.0 * bits) @ vector) >= least)), "exact")
    generator = np.random.default_rng(rng)
    signs = generator.choice([-1.0, 1.0], size=(draws, len(vector)))
    extreme = int(np.sum(np.abs(signs @ vector) >= least))
    return Evidence((extreme + 1) / (draws + 1), "permutation")


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for all of them, by Holm's step-down.

    Example:
        >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    steps = np.maximum.accumulate(factors * np.asarray(p_values, dtype=np.float64)[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(steps, 1.0)
    return [float(p) for p in adjusted]


def block_p_value(centered: Array, resamples: int, *, rng: int | np.random.Generator = 0) -> float:
    """Return p of the spread of column means when each row is shuffled by itself.

    Args:
        centered: shape (S, K), each row with mean 0.
        resamples: shuffles drawn.
        rng: of the shuffles.
    """
    generator = np.random.default_rng(rng)
    found = float(np.sum(centered.sum(axis=0) ** 2)) * (1 - 1e-9)
    batch = max(1, MOST_VALUES // centered.size)
    extreme = 0
    for start in range(0, resamples, batch):
        shape = (min(batch, resamples - start), *centered.shape)
        shuffled = generator.permuted(np.broadcast_to(centered, shape), axis=2)
        extreme += int(np.sum(np.sum(shuffled.sum(axis=1) ** 2, axis=1) >= found))
    return (extreme + 1) / (resamples + 1)


@lru_cache(maxsize=256)
def detectable_effect(seeds: int, statements: int = 1) -> float:
    """Return the least true mean difference that a test shows with power 0.8, two-sided at 0.05.

    In paired standard deviations, by the noncentral t distribution, at the level that the first
    of so many statements has to pass under Holm's correction.

    Args:
        seeds: paired, at least 2.
        statements: tested together.

    Raises:
        ValueError: fewer than 2 seeds.

    Example:
        >>> round(detectable_effect(34), 2)  # half a standard deviation needs 34 pairs
        0.5
    """
    if seeds < 2:
        raise ValueError(f"seeds: found {seeds}; want at least 2")
    freedom = seeds - 1
    limit = float(special.stdtrit(freedom, 1 - LEVEL / (2 * statements)))

    def missed(shift: float) -> float:
        return float(special.nctdtr(freedom, shift, limit)) - (1 - POWER)

    highest = 2.0 * limit + 10.0
    return float(optimize.brentq(missed, 0.0, highest, xtol=1e-6)) / math.sqrt(seeds)
