"""Precision, recall, density and coverage from balls around k-th nearest neighbors.

Source: Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797.
Deviations: a ball includes its border, since the strict form gives 0 for duplicated rows; a row is
kept from being its own neighbor by its index, not by its distance; products in float32 find the
pairs to decide on, and every decision is that of float64.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_sample_pair
from analysis.metrics.blocks import (
    Block,
    Cloud,
    Floats,
    Places,
    across,
    clouds,
    exact_closeness,
    slices,
    within,
)

SPARE_NEIGHBORS = 4
"""Neighbors kept beyond the k-th, for those that its bounds leave open."""
ROUNDINGS = 128


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
    first, second = clouds(real_ND, fake_MD, single=True)
    nearest = Nearest(first, k), Nearest(second, k)
    for own in nearest:
        for block in within(own.cloud):
            own.see(block)
    balls = Balls(*nearest)
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


def slack(cloud: Cloud, radii: Matrix | float = 0.0) -> Matrix:
    """Return by how much closeness to each row may be wrong through rounding alone, shape (N,).

    A row at a ball's border has at most four times the norm of its center and radius. The largest
    norm of all rows would do as well, but for a stray row far out, whose slack held everything.

    Args:
        cloud: N rows.
        radii: of the balls around them, as closeness, shape (N,).
    """
    return ROUNDINGS * float(np.finfo(np.float64).eps) * (cloud.halves + np.abs(radii))


class Nearest:
    """The k nearest other rows of each row of a cloud, gathered block by block.

    Args:
        cloud: N rows.
        k: how many neighbors of each are wanted.
    """

    def __init__(self, cloud: Cloud, k: int) -> None:
        self.cloud, self.k = cloud, k
        # Unsorted but for column 0, the least of those kept: what a newcomer has to beat.
        self.most_NK = np.full((len(cloud), k + SPARE_NEIGHBORS), -np.inf, cloud.rows.dtype)
        self.other_NK = np.zeros(self.most_NK.shape, np.intp)

    def see(self, block: Block) -> None:
        """Take notice of the pairs within one set that a block stands for."""
        rows, columns, most = block.rows, block.columns, block.most
        if rows == columns:
            own = most.copy()
            np.fill_diagonal(own, -np.inf)
            others = np.broadcast_to(np.arange(columns.start, columns.stop), own.shape)
            self._keep(rows, own, others)
            return
        # Few pairs of a later block beat the best so far: gather these, leave the others alone.
        flat = np.flatnonzero(most > self.most_NK[rows, :1])
        owners, others = np.divmod(flat, most.shape[1])
        self._merge(rows, owners, others + columns.start, most.ravel()[flat])
        flat = np.flatnonzero(most > self.most_NK[columns, 0])
        others, owners = np.divmod(flat, most.shape[1])
        self._merge(columns, owners, others + rows.start, most.ravel()[flat])

    def settle(self) -> tuple[Matrix, float]:
        """Return the closeness of each k-th nearest, shape (N,), and the share of duplicates.

        These are rows whose nearest other one is as close as itself. Both are what float64 gives.
        """
        errors, tolerance = self.cloud.errors, slack(self.cloud)
        most = self.most_NK.astype(np.float64)
        least = most - 2 * (errors[:, None] + errors[self.other_NK])
        low, high = (
            np.partition(bound, -self.k, axis=1)[:, -self.k, None] for bound in (least, most)
        )
        # One that is certainly nearer than the k-th counts, its value does not matter.
        rows, places = np.nonzero((most >= low) & (least <= high) | (most >= -tolerance[:, None]))
        found = least
        found[rows, places] = exact_closeness(
            self.cloud, rows, self.cloud, self.other_NK[rows, places]
        )
        radii = np.partition(found, -self.k, axis=1)[:, -self.k].copy()
        nearest = found.max(axis=1)
        # Where even the least of those kept might be the k-th, another row might be as well.
        unsettled = np.flatnonzero(most[:, 0] >= low[:, 0])
        radii[unsettled], nearest[unsettled] = self._anew(unsettled)
        return radii, float((nearest >= -tolerance).mean())

    def _anew(self, rows: Places) -> tuple[Matrix, Matrix]:
        """Return the closeness of the k-th nearest and the nearest of some rows, by float64."""
        cloud = self.cloud
        best = np.empty((len(rows), self.k))
        for part in slices(len(rows)):
            own = cloud.shifted(rows[part])
            best_PK = np.full((len(own), self.k), -np.inf)
            for columns in slices(len(cloud)):
                close = own @ cloud.shifted(columns).T
                close -= cloud.halves[columns]
                close -= cloud.halves[rows[part], None]
                close[rows[part, None] == np.arange(columns.start, columns.stop)] = -np.inf
                close = np.hstack([best_PK, close])
                best_PK = np.partition(close, -self.k, axis=1)[:, -self.k :]
            best[part] = best_PK
        return best[:, 0], best.max(axis=1)

    def _merge(self, part: slice, owners: Places, others: Places, most: Floats) -> None:
        """Add candidates, each to its owner's list; owners count from the start of ``part``."""
        if not len(owners):
            return
        order = np.argsort(owners, kind="stable")
        owners = owners[order]
        counts = np.bincount(owners, minlength=part.stop - part.start)
        places = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
        padded = np.full((len(counts), int(counts.max())), -np.inf, most.dtype)
        whose = np.zeros(padded.shape, np.intp)
        padded[owners, places], whose[owners, places] = most[order], others[order]
        self._keep(part, padded, whose)

    def _keep(self, part: slice, most: Floats, others: Places) -> None:
        kept = self.most_NK.shape[1]
        most = np.hstack([self.most_NK[part], most])
        others = np.hstack([self.other_NK[part], others])
        best = np.argpartition(most, -kept, axis=1)[:, -kept:]
        self.most_NK[part] = np.take_along_axis(most, best, axis=1)
        self.other_NK[part] = np.take_along_axis(others, best, axis=1)


class Balls:
    """Which rows lie in which balls of the other set, gathered block by block.

    Args:
        real: neighbors of the real rows among themselves.
        fake: neighbors of the fakes among themselves.
    """

    def __init__(self, real: Nearest, fake: Nearest) -> None:
        self.k = real.k
        real_radii, self.real_duplicates = real.settle()
        fake_radii, self.fake_duplicates = fake.settle()
        self.real_bounds = real_radii - slack(real.cloud, real_radii)
        self.fake_bounds = fake_radii - slack(fake.cloud, fake_radii)
        self.real_reached = np.zeros(len(real_radii), dtype=bool)
        self.real_inside = np.zeros(len(real_radii), dtype=bool)
        self.fake_inside = np.zeros(len(fake_radii), dtype=bool)
        self.pairs = 0

    def see(self, block: Block) -> None:
        """Take notice of pairs of a real row and a fake column."""
        rows, columns = block.reaching(self.real_bounds[block.rows, None])
        self.pairs += len(rows)
        self.real_reached[rows] = True
        self.fake_inside[columns] = True
        rows, _ = block.reaching(self.fake_bounds[block.columns])
        self.real_inside[rows] = True

    def result(self) -> PRDC:
        """Return the shares after all pairs have been seen."""
        return PRDC(
            precision=float(self.fake_inside.mean()),
            recall=float(self.real_inside.mean()),
            density=self.pairs / (self.k * len(self.fake_inside)),
            coverage=float(self.real_reached.mean()),
            real_duplicates=self.real_duplicates,
            fake_duplicates=self.fake_duplicates,
        )
