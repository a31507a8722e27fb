"""Precision, recall, density and coverage from balls around k-th nearest neighbors.

Source: Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797.
Deviations: a ball includes its border, since the strict form gives 0 for duplicated rows; a row is
kept from being its own neighbor by its index, not by its distance.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_sample_pair
from analysis.metrics.blocks import Block, Cloud, across, within


@dataclass(frozen=True, slots=True)
class PRDC:
    """Four shares of neighborhoods reached.

    Attributes:
        precision: share of fakes inside some real row's ball.
        recall: share of real rows inside some fake's ball.
        density: real balls that hold a fake, averaged over fakes and divided by k; unbounded.
        coverage: share of real balls that hold at least one fake.
        real_duplicates: share of real rows that another one equals, up to rounding; such rows have
            balls without extent where there are more than k of them. It takes no part in equality.
        fake_duplicates: the same of fakes.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    real_duplicates: float = field(default=0.0, compare=False)
    fake_duplicates: float = field(default=0.0, compare=False)


def prdc(real: ArrayLike, fake: ArrayLike, *, k: int = 5) -> PRDC:
    """Measure precision, recall, density and coverage.

    Values are comparable only at equal k and sizes. Equal distributions do not give 1: coverage is
    then about 1 − 2⁻ᵏ at equal sizes, and precision falls with the number of features. What real
    rows give in the place of fakes is told by :func:`analysis.prdc_floors`.

    Args:
        real: shape (N, D), N > k.
        fake: shape (M, D), M > k.
        k: which nearest neighbor sets the radius of a ball.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or k does not fit.

    Example:
        >>> found = prdc([[0.0], [1.0], [2.0]], [[0.5], [1.5], [9.0]], k=1)
        >>> found == PRDC(precision=2 / 3, recall=1.0, density=4 / 3, coverage=1.0)
        True
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    check_neighbors(k, real_ND, "real")
    check_neighbors(k, fake_MD, "fake")
    center = real_ND.mean(axis=0)
    first, second = Cloud.of(real_ND, center), Cloud.of(fake_MD, center)
    balls = Balls(nearest_within(first, k), nearest_within(second, k), slack(first, second))
    for block in across(first, second):
        balls.see(block)
    return balls.result()


def check_neighbors(k: int, samples: Matrix, name: str) -> None:
    """Hold that every row of an (N, D) matrix has k others.

    Raises:
        ValueError: it has not.
    """
    if not 1 <= k < len(samples):
        raise ValueError(
            f"k: found {k} with {name} of shape {samples.shape}; want 1 to {len(samples) - 1}"
        )


def slack(first: Cloud, second: Cloud) -> float:
    """Return by how much two values of closeness may differ through rounding alone."""
    largest = max(float(cloud.halves.max()) for cloud in (first, second))
    return 64 * float(np.finfo(np.float64).eps) * largest


def nearest_within(cloud: Cloud, k: int) -> "Nearest":
    """Find the k nearest other rows of every row."""
    nearest = Nearest(len(cloud), k)
    for block in within(cloud):
        nearest.see(block)
    return nearest


class Nearest:
    """The closeness of the k nearest other rows of each row, gathered block by block.

    Args:
        rows: N, how many rows there are.
        k: how many neighbors of each are kept.
    """

    def __init__(self, rows: int, k: int) -> None:
        # Unsorted but for column 0, which is the k-th nearest: what a newcomer has to beat.
        self.best_NK = np.full((rows, k), -np.inf)

    def see(self, block: Block) -> None:
        """Take notice of the pairs within one set that a block stands for."""
        close = block.closeness
        if block.rows == block.columns:
            own = close.copy()
            np.fill_diagonal(own, -np.inf)
            self._keep(block.rows, np.hstack([self.best_NK[block.rows], own]))
            return
        # Few pairs of a later block beat the k best so far: gather these, leave the others alone.
        flat = np.flatnonzero(close > self.best_NK[block.rows, :1])
        self._merge(block.rows, flat // close.shape[1], close.ravel()[flat])
        flat = np.flatnonzero(close > self.best_NK[block.columns, 0])
        self._merge(block.columns, flat % close.shape[1], close.ravel()[flat])

    @property
    def radii(self) -> Matrix:
        """Closeness of the k-th nearest other row, shape (N,)."""
        return self.best_NK[:, 0]

    def duplicate_rate(self, tolerance: float) -> float:
        """Return the share of rows whose nearest other one is as close as itself."""
        return float((self.best_NK.max(axis=1) >= -tolerance).mean())

    def _merge(self, part: slice, owners: np.ndarray, values: Matrix) -> None:
        """Add candidates, each to its owner's list."""
        if not len(owners):
            return
        order = np.argsort(owners, kind="stable")
        owners, values = owners[order], values[order]
        counts = np.bincount(owners, minlength=part.stop - part.start)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        padded = np.full((len(counts), int(counts.max())), -np.inf)
        padded[owners, places] = values
        self._keep(part, np.hstack([self.best_NK[part], padded]))

    def _keep(self, part: slice, candidates: Matrix) -> None:
        k = self.best_NK.shape[1]
        candidates.partition(candidates.shape[1] - k, axis=1)
        self.best_NK[part] = candidates[:, -k:]


class Balls:
    """Which rows lie in which balls of the other set, gathered block by block.

    Args:
        real: neighbors of the real rows among themselves.
        fake: neighbors of the fakes among themselves.
        tolerance: closeness that counts as equal.
    """

    def __init__(self, real: Nearest, fake: Nearest, tolerance: float) -> None:
        self.real, self.fake, self.tolerance = real, fake, tolerance
        self.real_reached = np.zeros(len(real.radii), dtype=bool)
        self.real_inside = np.zeros(len(real.radii), dtype=bool)
        self.fake_inside = np.zeros(len(fake.radii), dtype=bool)
        self.pairs = 0

    def see(self, block: Block) -> None:
        """Take notice of pairs of a real row and a fake column."""
        rows, columns = block.rows, block.columns
        in_real = block.closeness >= self.real.radii[rows, None] - self.tolerance
        in_fake = block.closeness >= self.fake.radii[columns] - self.tolerance
        self.pairs += int(np.count_nonzero(in_real))
        self.real_reached[rows] |= in_real.any(axis=1)
        self.fake_inside[columns] |= in_real.any(axis=0)
        self.real_inside[rows] |= in_fake.any(axis=1)

    def result(self) -> PRDC:
        """Return the shares after all pairs have been seen."""
        k = self.real.best_NK.shape[1]
        return PRDC(
            precision=float(self.fake_inside.mean()),
            recall=float(self.real_inside.mean()),
            density=self.pairs / (k * len(self.fake_inside)),
            coverage=float(self.real_reached.mean()),
            real_duplicates=self.real.duplicate_rate(self.tolerance),
            fake_duplicates=self.fake.duplicate_rate(self.tolerance),
        )
