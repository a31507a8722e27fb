"""Two-sample tests: is a distance larger than chance makes it between parts of one set?

Source: permutation test with the exact finite-sample p-value (1 + b) / (1 + B), Phipson & Smyth
2010; the standard error from half samples drawn without replacement, Shao & Wu 1989.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from analysis.distances import Matrix, as_generator, as_sample_pair
from analysis.metrics.blocks import Cloud
from analysis.metrics.kernel import kernel_matrix, make_kernel, negative_distance
from analysis.metrics.wasserstein import PROJECTIONS, QuantilePlan, draw_directions

MeasureName = Literal["cubic", "rbf", "mixture", "energy", "wasserstein"]
Distances = Callable[[Matrix, Matrix], Matrix]
"""Indicators of two sets of rows, each of shape (P, R), to R distances between these sets."""

MOST_ROWS = 2000
HALVES = 20


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A distance between two sets, its interval, and how often chance gives as much.

    Attributes:
        value: the distance between the rows that were looked at.
        low: lower end of its 95 % interval.
        high: upper end.
        p_value: share of permutations, the present order among them, that give at least ``value``;
            never 0.
        rows: real rows and fakes that were looked at.
        permutations: B.
    """

    value: float
    low: float
    high: float
    p_value: float
    rows: tuple[int, int]
    permutations: int


def two_sample_test(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    measure: MeasureName = "energy",
    permutations: int = 999,
    most: int = MOST_ROWS,
    rng: int | np.random.Generator = 0,
) -> TwoSample:
    """Test whether real rows and fakes can come from one distribution.

    The p-value is exact for any number of rows: under equal distributions it is at most α in at
    most a share α of all tests. For ``rbf`` and ``mixture`` this holds up to the width, which
    comes from the real rows and is not found anew for each permutation.

    The interval is the value ± t standard errors, the latter from 20 pairs of half samples. Halves
    are drawn without replacement: the bootstrap would pair rows with their own copies. Close to 0
    the interval is too wide; there the p-value is the answer.

    Args:
        real: shape (N, D), N ≥ 4.
        fake: shape (M, D), M ≥ 4.
        measure: a kernel of :func:`analysis.kernel_distance`; ``energy`` for
            :func:`analysis.energy_distance`; ``wasserstein`` for the 2-Wasserstein distance over
            128 directions.
        permutations: B; p cannot fall below 1 / (1 + B).
        most: rows of either set that are looked at, drawn at random where there are more, for
            memory grows with their square.
        rng: seed or generator of draws and permutations.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or an argument does not fit.

    Example:
        >>> real, fake = np.random.default_rng(0).normal(size=(2, 60, 3))
        >>> two_sample_test(real, fake + 1.0, permutations=99).p_value
        0.01
    """
    real_ND, fake_MD = as_sample_pair(real, fake, minimum=4)
    if permutations < 1:
        raise ValueError(f"permutations: found {permutations}; want at least 1")
    if most < 4:
        raise ValueError(f"most: found {most}; want at least 4 rows")
    generator = as_generator(rng)
    real_ND, fake_MD = (
        samples if len(samples) <= most else generator.permutation(samples)[:most]
        for samples in (real_ND, fake_MD)
    )
    distances = _distances(measure, real_ND, fake_MD, generator)
    rows = len(real_ND), len(fake_MD)
    value = float(distances(*indicators(np.arange(sum(rows))[None], *rows))[0])
    low, high = interval(value, distances(*half_samples(*rows, rng=generator)))
    orders = np.stack([generator.permutation(sum(rows)) for _ in range(permutations)])
    chance = distances(*indicators(orders, *rows))
    return TwoSample(value, low, high, p_value(value, chance), rows, permutations)


def p_value(value: float, chance: Matrix) -> float:
    """Return (1 + b) / (1 + B): b of B values by chance reach ``value``, up to rounding."""
    tolerance = 1e-10 * max(abs(value), float(np.abs(chance).max()))
    return (1 + int((chance >= value - tolerance).sum())) / (1 + len(chance))


def interval(value: float, halves: Matrix) -> tuple[float, float]:
    """Return value ± t · spread of the measure over half samples, a 95 % interval.

    Half of the rows, drawn without replacement, vary about what all of them say as much as all of
    them vary about the truth, to first order.
    """
    # By a power of two, which changes no digit: cubes of large vectors have no square.
    scale = float(np.ldexp(1.0, np.frexp(np.abs(halves).max())[1]))
    margin = float(stdtrit(len(halves) - 1, 0.975) * np.std(halves / scale, ddof=1)) * scale
    return value - margin, value + margin


def indicators(
    orders: np.ndarray, first: int, second: int, *, pool: int | None = None
) -> tuple[Matrix, Matrix]:
    """Mark the first ``first`` and the next ``second`` rows of each order of P rows.

    Args:
        orders: permutations, or their beginnings, shape (R, P) or less wide.
        first: rows of the first set.
        second: rows of the second one.
        pool: P; by default the width of the orders.

    Returns:
        Two matrices of zeros and ones, shape (P, R).
    """
    marks = np.zeros((2, pool or orders.shape[1], len(orders)))
    columns = np.arange(len(orders))[:, None]
    marks[0, orders[:, :first], columns] = 1.0
    marks[1, orders[:, first : first + second], columns] = 1.0
    return marks[0], marks[1]


def half_samples(
    real: int, fake: int, *, rng: np.random.Generator, repeats: int = HALVES
) -> tuple[Matrix, Matrix]:
    """Mark random halves of N real rows and, behind them, M fakes; two of shape (N + M, R)."""
    halves = real // 2, fake // 2
    orders = np.stack(
        [
            np.concatenate([rng.permutation(real)[: halves[0]], real + rng.permutation(fake)])
            for _ in range(repeats)
        ]
    )
    return indicators(orders, *halves, pool=real + fake)


def kernel_discrepancies(kernel_PP: Matrix, first_PR: Matrix, second_PR: Matrix) -> Matrix:
    """Return R unbiased discrepancies from one kernel matrix.

    Args:
        kernel_PP: all pairs, with zeros on the diagonal.
        first_PR: indicators of the first sets.
        second_PR: indicators of the second sets, which share no row with the first.
    """
    by_first, by_second = kernel_PP @ first_PR, kernel_PP @ second_PR
    rows, others = first_PR.sum(axis=0), second_PR.sum(axis=0)
    found: Matrix = (first_PR * by_first).sum(axis=0) / (rows * (rows - 1))
    found += (second_PR * by_second).sum(axis=0) / (others * (others - 1))
    found -= 2.0 * (first_PR * by_second).sum(axis=0) / (rows * others)
    return found


def sliced_distances(projected_LP: Matrix, first_PR: Matrix, second_PR: Matrix) -> Matrix:
    """Return R sliced 2-Wasserstein distances from L projections of all rows.

    Args:
        projected_LP: a row for each direction.
        first_PR: indicators of the first sets, equally large.
        second_PR: indicators of the second sets, equally large.
    """
    order = np.argsort(projected_LP, axis=1, kind="stable")
    ranked = np.take_along_axis(projected_LP, order, axis=1)
    sizes = int(first_PR[:, 0].sum()), int(second_PR[:, 0].sum())
    plan = QuantilePlan.between(*sizes)
    found = []
    for marks in zip(first_PR.T > 0.0, second_PR.T > 0.0, strict=True):
        # Sorted once: a subset of sorted values is sorted. Places cost a third of a mask.
        parts = [
            ranked.take(np.flatnonzero(mark.take(order))).reshape(len(ranked), size)
            for mark, size in zip(marks, sizes, strict=True)
        ]
        found.append(np.sqrt(plan.cost(parts[0], parts[1], power=2)))
    return np.array(found)


def _distances(measure: str, real: Matrix, fake: Matrix, rng: np.random.Generator) -> Distances:
    """Return the distance between marked rows of both sets, stacked."""
    pooled = np.concatenate([real, fake])
    if measure == "wasserstein":
        projected = draw_directions(pooled.shape[1], PROJECTIONS, rng) @ pooled.T
        return lambda first, second: sliced_distances(projected, first, second)
    if measure not in ("cubic", "rbf", "mixture", "energy"):
        wanted = "'cubic', 'rbf', 'mixture', 'energy' or 'wasserstein'"
        raise ValueError(f"measure: found {measure!r}; want {wanted}")
    kernel = negative_distance if measure == "energy" else make_kernel(measure, real)
    matrix = kernel_matrix(Cloud.of(pooled, real.mean(axis=0)), kernel)
    return lambda first, second: kernel_discrepancies(matrix, first, second)
