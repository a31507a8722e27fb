"""How much a set of embeddings varies: ranks, distances, duplicates, modes reached.

Everything but the modes is read from squared distances, so that parts of a set cost no more
products. Source: participation ratio, Gao & Ganguli 2015; Vendi score, Friedman & Dieng 2022,
arXiv 2210.02410; modes as clusters of the real rows, Richardson & Weiss 2018, arXiv 1805.12462.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import eigvalsh

from analysis.distances import Matrix, row_slack, squared_distance_blocks

VENDI_ROWS = 128
MODES, BINS, ROWS_PER_MODE = 8, 20, 10
# A mode counts as missed when fakes visit it less than a quarter as often as real rows do.
VISITED_SHARE = 0.25
BINS_LEVEL = 0.01


def squared_distances(first: Matrix, second: Matrix) -> Matrix:
    """Return the squared distances (N, M) between the rows of two sets; rounding counts as 0."""
    squared = np.concatenate([block for _, block in squared_distance_blocks(first, second)])
    # Pair by pair: against the slack of a stray row far out all others would be equal.
    slack, other = row_slack(first, second), row_slack(second, second)
    squared[squared <= slack[:, None] + other] = 0.0
    return squared


def effective_rank(squared: Matrix) -> float:
    """Return the participation ratio (tr S)² / tr(S²) of the covariance S of N rows.

    It counts directions of equal variance, is at most N − 1, and is 0 for equal rows.

    Args:
        squared: squared distances between the rows, shape (N, N).

    Example:
        >>> rows = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> round(effective_rank(squared_distances(rows, rows)), 6)
        2.0
    """
    mean = squared.mean(axis=0)
    gram = squared - mean - mean[:, None] + mean.mean()  # −2 × that of the centered rows
    energy = float(np.square(gram).sum())
    return float(np.trace(gram)) ** 2 / energy if energy > 0.0 else 0.0


def mean_distance(squared: Matrix) -> float:
    """Return the mean distance between two of N rows, from their squared distances (N, N)."""
    rows = len(squared)
    return float((np.sqrt(squared).sum() - np.sqrt(np.trace(squared))) / (rows * (rows - 1)))


def vendi_score(squared: Matrix, width: float) -> float:
    """Return the effective number of different rows: exp of the entropy of K / N's eigenvalues.

    Args:
        squared: squared distances between the rows, shape (N, N); at most 128 rows count, as the
            value grows with N.
        width: σ of the similarity exp(−‖x − y‖² / 2σ²), in units of distance.
    """
    chosen = squared[:VENDI_ROWS, :VENDI_ROWS]
    values = eigvalsh(np.exp(chosen / (-2.0 * width**2)) / len(chosen), check_finite=False)
    positive = values[values > 0.0]
    return float(np.exp(-np.sum(positive * np.log(positive))))


def similarity_width(squared: Matrix) -> float:
    """Return the median distance between different ones of N rows; 1 where all are equal."""
    between = squared[np.triu_indices(len(squared), 1)]
    positive = between[between > 0.0]
    return float(np.sqrt(np.median(positive))) if len(positive) else 1.0


def duplicate_rate(squared: Matrix) -> float:
    """Return the share of N rows that another one equals, from their squared distances (N, N)."""
    equal = (squared == 0.0).sum(axis=1) - 1
    return float((equal > 0).mean())


def distinct_neighbors(squared: Matrix) -> float:
    """Return different nearest rows of a reference per row.

    Args:
        squared: squared distances of M rows to the N of the reference, shape (M, N).
    """
    return len(np.unique(squared.argmin(axis=1))) / len(squared)


@dataclass(frozen=True, slots=True, eq=False)
class Modes:
    """Clusters of one part of the real rows, and how another part fills them.

    Attributes:
        centers: (K, D).
        counts: real rows of the other part by cluster, (K,).
    """

    centers: Matrix
    counts: NDArray[np.int64]

    def visits(self, rows: Matrix) -> NDArray[np.int64]:
        """Count rows (M, D) by their nearest center, (K,)."""
        nearest = squared_distances(rows, self.centers).argmin(axis=1)
        return np.bincount(nearest, minlength=len(self.centers))

    def missed(self, visits: NDArray[np.int64]) -> float:
        """Return the share of real rows in clusters that are visited a quarter as often or less."""
        shares, visited = self.counts / self.counts.sum(), visits / visits.sum()
        return float(shares[visited < VISITED_SHARE * shares].sum())


def find_modes(fit: Matrix, weigh: Matrix, *, most: int, seed: int) -> Modes | None:
    """Cluster some real rows by k-means and weigh the clusters by others.

    Held-out real rows in the place of fakes then fill the clusters as the second part does.

    Args:
        fit: rows that are clustered, (N, D).
        weigh: other rows, (M, D).
        most: clusters at most; ten rows of each part are needed for each.
        seed: of the start of k-means.

    Returns:
        None where there are too few rows for two clusters.
    """
    from sklearn.cluster import KMeans

    modes = min(most, len(fit) // ROWS_PER_MODE, len(weigh) // ROWS_PER_MODE)
    if modes < 2 or not np.ptp(fit, axis=0).any():
        return None
    modes = min(modes, len(np.unique(fit, axis=0)))  # k-means warns of more clusters than rows
    found = KMeans(modes, n_init=1, random_state=seed).fit(fit)
    empty = Modes(found.cluster_centers_, np.zeros(modes, dtype=np.int64))
    return Modes(empty.centers, empty.visits(weigh))


@dataclass(frozen=True, slots=True)
class BinTest:
    """Whether fakes fill clusters of real rows in the shares that real rows do.

    Attributes:
        different: share of bins that differ at 1 %, by Holm's correction over the bins.
        p_value: of the hypothesis that none does: the least of K p-values, times K.
        bins: K; 0 where there are too few rows for two.
    """

    different: float
    p_value: float
    bins: int


def different_bins(real: Matrix, fake: Matrix, *, rng: np.random.Generator) -> BinTest:
    """Count the statistically different bins (NDB) of Richardson & Weiss 2018.

    Bins are found on half of the real rows; on each, the other half is put against the fakes by
    Fisher's exact test, two-sided by doubling. The source tests bins at 5 % each by a normal
    approximation, which at 20 bins finds one in equal distributions.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        rng: generator of the halves and of the start of k-means.
    """
    order = rng.permutation(len(real))
    fit, weigh = real[order[::2]], real[order[1::2]]
    most = min(BINS, len(fake) // ROWS_PER_MODE)
    modes = find_modes(fit, weigh, most=most, seed=int(rng.integers(2**31)))
    if modes is None:
        return BinTest(float("nan"), float("nan"), 0)
    visits = modes.visits(fake)
    both = modes.counts + visits
    rows, total = len(weigh), len(weigh) + len(fake)
    below = stats.hypergeom.cdf(modes.counts, total, both, rows)
    above = stats.hypergeom.sf(modes.counts - 1, total, both, rows)
    p_values = np.sort(np.minimum(1.0, 2.0 * np.minimum(below, above)))
    count = len(p_values)
    rejected = np.cumprod(p_values * np.arange(count, 0, -1) <= BINS_LEVEL)
    return BinTest(float(rejected.mean()), float(min(1.0, count * p_values[0])), count)
