"""Real rows and fakes of every class: how chance parts them, and what is known of their pairs.

Draws know only how many rows there are of which class: several sets of fakes of the same labels
meet the same draws, and what real rows give among themselves is measured once for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np

from analysis.distances import Matrix
from analysis.metrics.blocks import Cloud
from analysis.metrics.kernel import kernel_matrix, make_kernel, negative_distance
from analysis.metrics.permutation import (
    HALVES,
    Distances,
    kernel_discrepancies,
    sliced_distances,
)

Found = TypeVar("Found")
Halves = list[tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Places in the pool of one half of the real rows, the other half, and as many fakes."""


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """The rows of one class, and how chance parts them.

    Attributes:
        label: the class, or "overall".
        real: places of its real rows in the pool.
        fake: places of its fakes.
        halves: empty where there are fewer than four rows of either.
        orders: permutations of all its rows, (B, N + M).
        floors: by measure, what real rows have among themselves, once that is known.
    """

    label: Any
    real: np.ndarray
    fake: np.ndarray
    halves: Halves
    orders: np.ndarray
    floors: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        label: object,
        real: np.ndarray,
        fake: np.ndarray,
        permutations: int,
        rng: np.random.Generator,
    ) -> "Draw":
        """Draw halves and permutations."""
        size = min(len(real), len(fake)) // 2
        if size < 2:
            return cls(label, real, fake, [], np.empty((0, 0), dtype=np.int64))
        halves = [
            (order[:size], order[size : 2 * size], rng.permutation(fake)[:size])
            for order in (rng.permutation(real) for _ in range(HALVES))
        ]
        both = len(real) + len(fake)
        orders = np.stack([rng.permutation(both) for _ in range(permutations)])
        return cls(label, real, fake, halves, orders)

    @property
    def size(self) -> int:
        """Rows of either set in each half."""
        return min(len(self.real), len(self.fake)) // 2

    def floor(self, measure: str, find: Callable[[], Found]) -> Found:
        """Return what real rows have among themselves; find it the first time that it is asked."""
        if measure not in self.floors:
            self.floors[measure] = find()
        return cast(Found, self.floors[measure])


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Real rows and, behind them, fakes: P in all, with what is needed of their pairs.

    Attributes:
        vectors: shape (P, D).
        kernels: by measure, shape (P, P); None where the real rows are all equal.
        projected: a row for each direction, shape (L, P).
    """

    vectors: Matrix
    kernels: dict[str, Matrix | None]
    projected: Matrix

    @classmethod
    def of(cls, real: Matrix, fake: Matrix, directions: Matrix) -> "Pool":
        """Evaluate kernels and projections, on directions (L, D), of all rows."""
        pooled = np.concatenate([real, fake])
        cloud = Cloud.of(pooled, real.mean(axis=0))
        equal = bool((real == real[0]).all())
        kernels = {
            "kernel_distance": kernel_matrix(cloud, make_kernel("cubic", real)),
            "rbf_distance": None if equal else kernel_matrix(cloud, make_kernel("rbf", real)),
            "energy_distance": kernel_matrix(cloud, negative_distance),
        }
        return cls(pooled, kernels, directions @ pooled.T)

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
