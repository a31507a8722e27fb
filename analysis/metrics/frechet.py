"""Squared Fréchet distance between the Gaussians fitted to two sets of embeddings.

‖μ₁ − μ₂‖² + tr(S₁) + tr(S₂) − 2 tr((S₁S₂)^½), the quantity that images call FID.
Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv 1706.08500.
Deviations: no matrix square root of a product; its trace comes from singular or eigenvalues.
"""

import logging

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, eigvalsh, svdvals

from analysis.distances import Matrix, as_sample_pair

logger = logging.getLogger(__name__)


def frechet_distance(real: ArrayLike, fake: ArrayLike) -> float:
    """Return the squared Fréchet distance between two sets of embeddings, in float64.

    The estimate is biased upwards by an amount that falls with the number of rows: compare it only
    with values at the same sizes, such as :func:`analysis.real_floor` gives.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.

    Raises:
        ValueError: an array is not a finite matrix, or the widths differ.

    Example:
        >>> real = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]
        >>> fake = [[3.0, 4.0], [5.0, 4.0], [3.0, 6.0], [5.0, 6.0]]
        >>> round(frechet_distance(real, fake), 6)  # equal covariances, means (3, 4) apart
        25.0
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    shift = real_ND.mean(axis=0) - fake_MD.mean(axis=0)
    first, second = _scaled(real_ND), _scaled(fake_MD)
    spread = float(np.square(first).sum() + np.square(second).sum())
    few = min(len(first), len(second)) <= first.shape[1]
    trace = _trace_by_nuclear_norm(first, second) if few else _trace_by_eigenvalues(first, second)
    # Equal sets give a rounding error of either sign.
    return max(float(shift @ shift) + spread - 2.0 * trace, 0.0)


def _scaled(samples: Matrix) -> Matrix:
    """Center and divide by √(N − 1), so that AᵀA is the covariance."""
    return (samples - samples.mean(axis=0)) / np.sqrt(len(samples) - 1)


def _trace_by_nuclear_norm(first: Matrix, second: Matrix) -> float:
    """Return tr((S₁S₂)^½) as the nuclear norm of ABᵀ: exact where covariances are singular."""
    return float(svdvals(first @ second.T, check_finite=False).sum())


def _trace_by_eigenvalues(first: Matrix, second: Matrix) -> float:
    """Return tr((S₁S₂)^½) from the eigenvalues of the symmetric S₁^½ S₂ S₁^½."""
    values, vectors = eigh(first.T @ first, check_finite=False)
    half = vectors * np.sqrt(np.clip(values, 0.0, None))
    inner = eigvalsh(half.T @ (second.T @ second) @ half, check_finite=False)
    negative = int(np.sum(inner < 0.0))
    if negative:
        logger.debug("clipped %d negative eigenvalues, least %.3g", negative, inner.min())
    return float(np.sqrt(np.clip(inner, 0.0, None)).sum())
