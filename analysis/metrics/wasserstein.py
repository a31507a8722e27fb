"""Sliced Wasserstein distance: the mean over random directions of one-dimensional distances.

Source: Bonneel et al. 2015, "Sliced and Radon Wasserstein barycenters of measures".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_generator, as_sample_pair

PROJECTIONS = 128
BLOCK_PROJECTIONS = 16


@dataclass(frozen=True, slots=True, eq=False)
class QuantilePlan:
    """How N sorted values meet M sorted values where mass is moved in order.

    Attributes:
        first: place among the N of each of the N + M − 1 portions of mass, or fewer.
        second: its place among the M.
        mass: how much of the mass it is; sums to 1.
    """

    first: np.ndarray
    second: np.ndarray
    mass: Matrix

    @classmethod
    def between(cls, first: int, second: int) -> "QuantilePlan":
        """Plan for so many values on either side."""
        if first == second:
            places = np.arange(first)
            return cls(places, places, np.full(first, 1.0 / first))
        # In units of 1 / (N M), so that levels that coincide are found equal.
        levels = np.union1d(np.arange(first + 1) * second, np.arange(second + 1) * first)
        mass = np.diff(levels) / (first * second)
        return cls(levels[:-1] // second, levels[:-1] // first, mass)

    def cost(self, first: Matrix, second: Matrix, power: int) -> float:
        """Return the mean over P directions of the p-th power of the distance.

        Args:
            first: sorted along rows, shape (P, N).
            second: sorted along rows, shape (P, M).
            power: p.
        """
        gaps = np.abs(first[:, self.first] - second[:, self.second])
        if power == 2:
            gaps *= gaps
        return float((gaps @ self.mass).mean())


def sliced_wasserstein(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    power: int = 2,
    projections: int = PROJECTIONS,
    rng: int | np.random.Generator = 0,
) -> float:
    """Return (mean over directions of W_p^p)^(1/p) between projections of two sets.

    Its estimate is biased upwards, as the Fréchet distance's is, but less, for it knows directions
    one at a time. It scales with the vectors.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.
        power: p, 1 or 2.
        projections: number of directions, drawn evenly from the sphere.
        rng: seed or generator of the directions; compare values of the same directions only.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, the power is neither 1 nor
            2, or there is no projection.

    Example:
        >>> sliced_wasserstein([[0.0], [1.0]], [[4.0], [3.0]])
        3.0
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    if power not in (1, 2):
        raise ValueError(f"power: found {power}; want 1 or 2")
    directions = draw_directions(real_ND.shape[1], projections, rng)
    plan = QuantilePlan.between(len(real_ND), len(fake_MD))
    total = 0.0
    for start in range(0, projections, BLOCK_PROJECTIONS):
        some = directions[start : start + BLOCK_PROJECTIONS]
        first, second = (np.sort(some @ samples.T, axis=1) for samples in (real_ND, fake_MD))
        total += plan.cost(first, second, power) * len(some)
    return float((total / projections) ** (1.0 / power))


def draw_directions(features: int, projections: int, rng: int | np.random.Generator) -> Matrix:
    """Draw unit vectors, shape (P, D).

    Raises:
        ValueError: there is no projection.
    """
    if projections < 1:
        raise ValueError(f"projections: found {projections}; want at least 1")
    raw = as_generator(rng).normal(size=(projections, features))
    unit: Matrix = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return unit
