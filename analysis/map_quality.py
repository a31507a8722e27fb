"""How far a flat map can be trusted: what it keeps of the neighborhoods in the full space.

Source: trustworthiness, Venna & Kaski 2001; neighbors of one's own kind, Schilling 1986.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distances import Matrix, as_sample_pair, squared_distance_blocks
from analysis.neighbors import nearest_real

NEIGHBORS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Neighborhoods:
    """Who is near to whom in the full space; found once for all maps of the same n rows.

    Attributes:
        ranks: place of column j among the neighbors of row i, 1 the nearest, 0 the row itself,
            shape (n, n).
        nearest: the k nearest others of each row, shape (n, k).
        same_kind: see :func:`same_kind_share`.
        same_kind_expected: the same.
    """

    ranks: NDArray[np.int32]
    nearest: NDArray[np.int64]
    same_kind: float
    same_kind_expected: float

    @classmethod
    def of(cls, real: Matrix, fake: Matrix) -> "Neighborhoods":
        """Find them among real (N, D) and fake (M, D) rows, which are counted in this order."""
        pooled = np.concatenate([real, fake])
        k = min(NEIGHBORS, (len(pooled) - 1) // 2)
        nearest = neighbors_of(pooled, k)
        same, expected = _same_kind(nearest, len(real))
        return cls(_ranks(pooled), nearest, same, expected)

    def quality(self, points_real: Matrix, points_fake: Matrix) -> dict[str, float]:
        """Return the numbers of a map of these rows, see :class:`analysis.Map`."""
        rows, k = self.nearest.shape
        drawn = neighbors_of(np.concatenate([points_real, points_fake]), k)
        ranks = np.take_along_axis(self.ranks, drawn, axis=1)
        worst = rows * k * (2 * rows - 3 * k - 1) / 2
        kept = (self.nearest[:, :, None] == drawn[:, None, :]).any(axis=2)
        return {
            "trustworthiness": 1.0 - float(np.maximum(ranks - k, 0).sum() / worst),
            "neighbor_overlap": float(kept.mean()),
            "same_kind": self.same_kind,
            "same_kind_expected": self.same_kind_expected,
        }


def same_kind_share(real: ArrayLike, fake: ArrayLike, *, k: int = NEIGHBORS) -> tuple[float, float]:
    """Return how often a row's k nearest others are of its own kind, and the expected value.

    The expected value is that of fakes distributed as the real rows are; 1 means that real rows
    see real ones only and fakes see fakes only. Both kinds count, since a single real row that
    is near to everything would otherwise move the value.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        k: neighbors counted.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or k does not fit.

    References:
        Schilling 1986, "Multivariate two-sample tests based on nearest neighbors".
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    return _same_kind(neighbors_of(np.concatenate([real_ND, fake_MD]), k), len(real_ND))


def neighbors_of(samples: Matrix, k: int) -> NDArray[np.int64]:
    """Return the k nearest other rows of every row of an (n, d) matrix, shape (n, k).

    Raises:
        ValueError: k does not fit.
    """
    if not 1 <= k < len(samples):
        raise ValueError(f"k: found {k} with {len(samples)} rows; want 1 to {len(samples) - 1}")
    nearest = nearest_real(samples, samples, k=k + 1)[0]
    # A row's own index may be missing among duplicates: then its farthest neighbor goes.
    keep = nearest != np.arange(len(samples))[:, None]
    keep[keep.all(axis=1), -1] = False
    return nearest[keep].reshape(len(samples), k)


def _same_kind(nearest: NDArray[np.int64], real_rows: int) -> tuple[float, float]:
    is_fake = np.arange(len(nearest)) >= real_rows
    same = float((is_fake[nearest] == is_fake[:, None]).mean())
    sizes = np.array([real_rows, len(nearest) - real_rows])
    return same, float((sizes * (sizes - 1)).sum() / (sizes.sum() * (sizes.sum() - 1)))


def _ranks(samples: Matrix) -> NDArray[np.int32]:
    """Rank the other rows of an (n, d) matrix by their distance to each row, shape (n, n)."""
    ranks = np.empty((len(samples), len(samples)), dtype=np.int32)
    places = np.arange(len(samples), dtype=np.int32)
    for start, squared in squared_distance_blocks(samples, samples):
        own = np.arange(len(squared))
        squared[own, start + own] = -1.0
        order = squared.argsort(axis=1, kind="stable")
        np.put_along_axis(ranks[start : start + len(own)], order, places[None], axis=1)
    return ranks
