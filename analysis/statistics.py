"""From repetitions and counts to means, intervals and tests.

Source: Wilson 1927 (one proportion); Newcombe 1998, method 10 (difference of two); Fisher 1921
(one correlation); Efron 1987 (BCa bootstrap); Agresti & Min 2005 (matched pairs).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """How two paired series differ.

    Attributes:
        mean_difference: mean of a − b.
        standard_error: of that mean.
        p_value: two-sided paired t-test.
        wilcoxon_p_value: two-sided Wilcoxon signed-rank test, which assumes no normality.
        pairs: number of pairs.
    """

    mean_difference: float
    standard_error: float
    p_value: float
    wilcoxon_p_value: float
    pairs: int


def accuracy_interval(correct: int, total: int) -> Interval:
    """Return the Wilson 95 % interval of a share of correct answers.

    Args:
        correct: right answers.
        total: answers, at least 1.

    Raises:
        ValueError: not 0 ≤ correct ≤ total with total ≥ 1.

    Example:
        >>> interval = accuracy_interval(50, 100)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.404, 0.596)
    """
    if total < 1 or not 0 <= correct <= total:
        raise ValueError(f"correct: found {correct} of total {total}; want 0 <= correct <= total")
    bounds = stats.binomtest(int(correct), int(total)).proportion_ci(method="wilson")
    return Interval(float(bounds.low), float(bounds.high))


def correlation_interval(correlation: float, rows: int) -> Interval:
    """Return the 95 % interval of a Pearson correlation, tanh(artanh r ± 1.96 / √(rows - 3)).

    It assumes that both sides are about normal.

    Args:
        correlation: r, from -1 to 1.
        rows: pairs that it was computed from, at least 4.

    Raises:
        ValueError: r is outside of -1 ... 1, or there are fewer rows.

    Example:
        >>> interval = correlation_interval(0.5, 103)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.339, 0.632)
    """
    if not -1.0 <= correlation <= 1.0 or rows < 4:
        raise ValueError(
            f"correlation: found {correlation} of {rows} rows; want -1 to 1, of 4 rows or more"
        )
    with np.errstate(divide="ignore"):  # artanh 1 is infinite, and its interval is 1 alone
        center = np.arctanh(correlation)
    width = stats.norm.ppf(0.975) / np.sqrt(rows - 3)
    return Interval(float(np.tanh(center - width)), float(np.tanh(center + width)))


def difference_interval(correct: tuple[int, int], totals: tuple[int, int]) -> Interval:
    """Return Newcombe's 95 % interval of the difference of two shares, first minus second.

    The two are treated as independent. Methods scored on the same rows mostly err on the same
    rows, so that the true interval is narrower.

    Raises:
        ValueError: a count does not fit its total.
    """
    first, second = (accuracy_interval(c, t) for c, t in zip(correct, totals, strict=True))
    share_1, share_2 = correct[0] / totals[0], correct[1] / totals[1]
    difference = share_1 - share_2
    below = np.hypot(share_1 - first.low, second.high - share_2)
    above = np.hypot(first.high - share_1, share_2 - second.low)
    return Interval(float(difference - below), float(difference + above))


def paired_accuracy_interval(first_hits: ArrayLike, second_hits: ArrayLike) -> Interval:
    """Return the 95 % interval of the difference of two accuracies on the same rows.

    Source: Agresti & Min 2005.

    Args:
        first_hits: whether the first method was right, row by row, shape (N,).
        second_hits: the same for the second method, shape (N,).

    Raises:
        ValueError: not two vectors of one length.

    Example:
        >>> interval = paired_accuracy_interval([True] * 60 + [False] * 40, [True] * 100)
        >>> interval.high < 0
        True
    """
    won, lost, rows = _discordant(first_hits, second_hits)
    # Half a row in each cell of the 2 × 2 table keeps the interval honest near 0 and 1.
    total = rows + 2
    difference = (won - lost) / total
    error = np.sqrt(won + lost + 1.0 - (won - lost) ** 2 / total) / total
    width = float(stats.norm.ppf(0.975) * error)
    return Interval(max(difference - width, -1.0), min(difference + width, 1.0))


def exact_mcnemar(first_hits: ArrayLike, second_hits: ArrayLike) -> float:
    """Return the exact two-sided p-value that two methods are right equally often on the same rows.

    Args:
        first_hits: whether the first method was right, row by row, shape (N,).
        second_hits: the same for the second method, shape (N,).

    Raises:
        ValueError: not two vectors of one length.

    Example:
        >>> exact_mcnemar([True] * 8, [True] * 3 + [False] * 5)
        0.0625
    """
    won, lost, _ = _discordant(first_hits, second_hits)
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0


def _discordant(first_hits: ArrayLike, second_hits: ArrayLike) -> tuple[int, int, int]:
    """Count the rows that the first alone has right, those of the second alone, and all."""
    first, second = np.asarray(first_hits, dtype=bool), np.asarray(second_hits, dtype=bool)
    if first.ndim != 1 or first.shape != second.shape or not len(first):
        raise ValueError(
            f"second_hits: found shape {second.shape}; want a vector as long as first_hits, "
            f"which has shape {first.shape}"
        )
    return int((first & ~second).sum()), int((second & ~first).sum()), len(first)


def middle(values: ArrayLike) -> Interval:
    """Return the least and the greatest of the middle 95 % of values, such as chance gives them.

    Args:
        values: shape (N,), N ≥ 1.

    Example:
        >>> middle(range(101))
        Interval(low=2.0, high=98.0)
    """
    low, high = np.quantile(np.asarray(values, dtype=np.float64), (0.025, 0.975), method="nearest")
    return Interval(float(low), float(high))


def mean_interval(values: ArrayLike, *, rng: int | np.random.Generator = 0) -> Interval:
    """Return the bootstrap 95 % interval (BCa, 9,999 resamples) of a mean.

    Args:
        values: repetitions, shape (N,), N ≥ 2.
        rng: seed or generator of the resamples.

    Raises:
        ValueError: not a finite vector of 2 or more values.
    """
    vector = _finite_vector(values, "values")
    if np.ptp(vector) == 0.0:
        return Interval(float(vector[0]), float(vector[0]))
    generator = np.random.default_rng(rng)
    # Resamples are drawn in batches of about 10⁷ values, which bounds memory.
    batch = max(1, 10**7 // len(vector))
    result = stats.bootstrap((vector,), np.mean, rng=generator, method="BCa", batch=batch)
    bounds = result.confidence_interval
    return Interval(float(bounds.low), float(bounds.high))


def paired_test(a: ArrayLike, b: ArrayLike) -> PairedTest:
    """Test whether two paired series have the same mean.

    Args:
        a: shape (N,), N ≥ 2.
        b: shape (N,), paired with ``a`` (same seed, same draw of labels).

    Raises:
        ValueError: not finite vectors, or of different lengths.

    Example:
        >>> paired_test([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).p_value
        1.0
    """
    first, second = _finite_vector(a, "a"), _finite_vector(b, "b")
    if len(first) != len(second):
        raise ValueError(f"b: found shape {second.shape}; want {first.shape}, paired with a")
    difference = first - second
    mean = float(difference.mean())
    error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    if not difference.any():
        return PairedTest(mean, error, 1.0, 1.0, len(difference))
    # Differences that are equal up to rounding have no spread, and t is infinite. Then it is as
    # likely as all signs being alike.
    spread = error > 1e-12 * abs(mean)
    p_value = 2.0 ** (1 - len(difference))
    if spread:
        p_value = 2.0 * float(stats.t.sf(abs(mean) / error, len(difference) - 1))
    signed_rank = float(stats.wilcoxon(difference).pvalue)
    return PairedTest(mean, error, p_value, signed_rank, len(difference))


def _finite_vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return a finite vector of two or more values, or say what is wrong with it."""
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or len(vector) < 2:
        raise ValueError(f"{name}: found shape {vector.shape}; want a vector of 2 or more values")
    if not np.isfinite(vector).all():
        raise ValueError(f"{name}: found shape {vector.shape} with NaN or infinity; want numbers")
    return vector
