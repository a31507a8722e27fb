"""Mean of the cubic kernel (x·y / D + 1)³ over pairs, from sums of powers of centered products.

With p = (x − c)·(y − c) and w = lift(x) + lift(y) + D, it is the mean of p³ + 3p²w + 3pw² + w³ over
D³. The last two terms separate into sums over rows, which are taken in float64; products in float32
touch only the first two. Their rounding is at most 3 (D + 2) u of the mean of |p|³ + p²|w|, u being
2⁻²⁴; it averages out over pairs, except over copies of one row.
"""

import numpy as np

from analysis.distances import Matrix
from analysis.metrics.blocks import Block, Cloud


class CubicMean:
    """Mean over all pairs of two clouds, or over those of different rows where both are one cloud.

    Args:
        first: cloud of rows.
        second: cloud of columns, or the same.
    """

    def __init__(self, first: Cloud, second: Cloud) -> None:
        self.first, self.second = first, second
        features = first.rows.shape[1]
        self.row_lifts, self.column_lifts = first.lifts + features / 2, second.lifts + features / 2
        self.total = 0.0

    def see(self, block: Block) -> None:
        """Add p³ + 3p²w of a block's pairs."""
        inner = block.centered
        square = self.first is self.second and block.rows == block.columns
        if square:
            inner = inner.copy()
            np.fill_diagonal(inner, 0.0)
        powers = inner * inner
        by_row, by_column = (powers.sum(axis=axis, dtype=np.float64) for axis in (1, 0))
        total = 3.0 * float(self.row_lifts[block.rows] @ by_row)
        total += 3.0 * float(self.column_lifts[block.columns] @ by_column)
        powers *= inner
        total += float(powers.sum(dtype=np.float64))
        self.total += total if square or self.first is not self.second else 2.0 * total

    def mean(self) -> float:
        """Return the mean after all pairs have been seen."""
        first, second = self.first, self.second
        rows, columns = _powers(self.row_lifts), _powers(self.column_lifts)
        # Binomials: a power of w is a sum of products of powers of both lifts.
        sums, others = rows.sum(axis=1), columns.sum(axis=1)
        total = sums[3] * others[0] + sums[0] * others[3]
        total += 3.0 * (sums[2] * others[1] + sums[1] * others[2])
        moments, other_moments = _moments(first, rows), _moments(second, columns)
        linear = moments[2] @ other_moments[0] + moments[0] @ other_moments[2]
        linear += 2.0 * (moments[1] @ other_moments[1])
        total += 3.0 * linear + self.total
        pairs = len(first) * len(second)
        if first is second:
            lifts = 2.0 * self.row_lifts
            total -= float((lifts**3 + 6.0 * first.halves * lifts**2).sum())
            pairs -= len(first)
        return float(total) / first.rows.shape[1] ** 3 / pairs


def _moments(cloud: Cloud, powers: Matrix) -> Matrix:
    """Return the sums of x − c times the powers 0 to 2, shape (3, D), in float64."""
    return powers[:3] @ cloud.samples - np.outer(powers[:3].sum(axis=1), cloud.center)


def _powers(lifts: Matrix) -> Matrix:
    """Return the powers 0 to 3, shape (4, N)."""
    return np.stack([lifts**power for power in range(4)])
