"""How much a set of embeddings varies: ranks, distances, duplicates, modes reached.

Source: participation ratio, Gao & Ganguli 2015; Vendi score, Friedman & Dieng 2022,
arXiv 2210.02410; modes as clusters of the real rows, Richardson & Weiss 2018, arXiv 1805.12462.
"""

import numpy as np
from scipy.linalg import eigvalsh

from analysis.distances import Matrix, rounding_slack, squared_distance_blocks
from analysis.metrics.kernel import median_distance
from analysis.neighbors import nearest_real

VENDI_ROWS = 400
MODES, ROWS_PER_MODE = 8, 10
# A mode counts as missed when fakes visit it less than a quarter as often as real rows do.
VISITED_SHARE = 0.25


def effective_rank(samples: Matrix) -> float:
    """Return the participation ratio (tr S)² / tr(S²) of the covariance S of an (N, D) matrix.

    It counts directions of equal variance, is at most min(N − 1, D), and is 0 for equal rows.

    Example:
        >>> effective_rank(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
        2.0
    """
    centered = samples - samples.mean(axis=0)
    tall = len(centered) > centered.shape[1]
    gram = centered.T @ centered if tall else centered @ centered.T
    energy = float(np.square(gram).sum())
    return float(np.trace(gram)) ** 2 / energy if energy > 0.0 else 0.0


def vendi_score(samples: Matrix, width: float) -> float:
    """Return the effective number of different rows: exp of the entropy of K / N's eigenvalues.

    Args:
        samples: shape (N, D); at most 400 rows count, as the value grows with N.
        width: σ of the similarity exp(−‖x − y‖² / 2σ²), in units of distance.
    """
    chosen = samples[:VENDI_ROWS]
    squared = next(squared_distance_blocks(chosen, chosen))[1]
    values = eigvalsh(np.exp(squared / (-2.0 * width**2)) / len(chosen), check_finite=False)
    positive = values[values > 0.0]
    return float(np.exp(-np.sum(positive * np.log(positive))))


def duplicate_rate(samples: Matrix) -> float:
    """Return the share of rows that another row of the (N, D) matrix equals, up to rounding."""
    slack = rounding_slack(samples, samples)
    repeated = 0
    for start, squared in squared_distance_blocks(samples, samples):
        own = np.arange(len(squared))
        squared[own, start + own] = np.inf
        repeated += int((squared.min(axis=1) <= slack).sum())
    return repeated / len(samples)


def distinct_neighbors(samples: Matrix, reference: Matrix) -> float:
    """Return different nearest rows of ``reference`` (N, D) per row of ``samples`` (M, D)."""
    nearest = nearest_real(samples, reference, k=1)[0]
    return len(np.unique(nearest)) / len(samples)


def missed_modes(real: Matrix, fake: Matrix, *, rng: np.random.Generator) -> float:
    """Return the share of real rows that live in clusters which fakes hardly visit.

    Clusters are found on one random half of the real rows and weighed on the other, so that
    held-out real rows in the place of fakes give about 0. NaN below 40 real rows or 20 fakes.

    Args:
        real: shape (N, D).
        fake: shape (M, D).
        rng: generator of the halves and of the start of k-means.
    """
    from sklearn.cluster import KMeans

    order = rng.permutation(len(real))
    half = len(real) // 2
    modes = min(MODES, half // ROWS_PER_MODE, len(fake) // ROWS_PER_MODE)
    if modes < 2:
        return float("nan")
    seed = int(rng.integers(2**31))
    clusters = KMeans(modes, n_init=5, random_state=seed).fit(real[order[:half]])
    weights = np.bincount(clusters.predict(real[order[half:]]), minlength=modes)
    visits = np.bincount(clusters.predict(fake), minlength=modes)
    shares, visited = weights / weights.sum(), visits / visits.sum()
    return float(shares[visited < VISITED_SHARE * shares].sum())


def similarity_width(real: Matrix) -> float:
    """Return the median distance between real rows, or 1 where all of them are equal."""
    try:
        return median_distance(real)
    except ValueError:
        return 1.0
