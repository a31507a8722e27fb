"""Squared Fréchet distance between the Gaussians fitted to two sets of embeddings.

‖μ₁ − μ₂‖² + tr(S₁) + tr(S₂) − 2 tr((S₁S₂)^½), the quantity that images call FID.
Source: Dowson & Landau 1982; Heusel et al. 2017, arXiv 1706.08500; shrinkage, Ledoit & Wolf 2004.
Deviations: no matrix square root of a product; its trace comes from singular or eigenvalues.
"""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, cholesky, eigh, eigvalsh, qr, svdvals

from analysis.distances import BLOCK_ROWS, Matrix, as_sample_pair, as_samples

CovarianceName = Literal["sample", "ledoit-wolf"]

LEAST_ROWS = 50
ROWS_PER_DIRECTION = 3

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Frechet:
    """A squared Fréchet distance and what it is made of.

    Attributes:
        value: ``means`` + ``spreads``, and 0 where rounding made that negative.
        means: ‖μ₁ − μ₂‖².
        spreads: tr(S₁) + tr(S₂) − 2 tr((S₁S₂)^½), as computed: equal sets give either sign.
        clipped: negative eigenvalues that counted as 0; rounding gives them where a covariance is
            nearly singular.
        least: the most negative of them, 0.0 without any.
        features: of the space that it was measured in.
    """

    value: float
    means: float
    spreads: float
    clipped: int
    least: float
    features: int


def frechet_distance(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    covariance: CovarianceName = "sample",
    components: int | None = None,
) -> float:
    """Return the squared Fréchet distance between two sets of embeddings, in float64.

    The estimate is biased upwards by an amount that falls with the number of rows: compare it only
    with values at the same sizes, such as :func:`analysis.real_floor` gives, or see
    :func:`analysis.frechet_limit`.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.
        covariance: as for :func:`frechet`.
        components: as for :func:`frechet`.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, the covariance is unknown,
            or the components do not fit.

    Example:
        >>> real = [[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]]
        >>> fake = [[3.0, 4.0], [5.0, 4.0], [3.0, 6.0], [5.0, 6.0]]
        >>> round(frechet_distance(real, fake), 6)  # equal covariances, means (3, 4) apart
        25.0
    """
    return frechet(real, fake, covariance=covariance, components=components).value


def frechet(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    covariance: CovarianceName = "sample",
    components: int | None = None,
) -> Frechet:
    """Measure the squared Fréchet distance and its parts.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.
        covariance: ``sample``, exact also for fewer rows than features; or ``ledoit-wolf``: each
            covariance is shrunk to a multiple of the identity, (1 − s) S + s tr(S) / D · I, which
            tames the small-sample bias of the spreads and cannot see differences that few rows
            do not show.
        components: measure in so many first principal directions of the real rows; what fakes do
            outside of these is not seen.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, the covariance is unknown,
            or the components do not fit.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    if covariance not in ("sample", "ledoit-wolf"):
        raise ValueError(f"covariance: found {covariance!r}; want 'sample' or 'ledoit-wolf'")
    if components is not None:
        real_ND, fake_MD = principal(real_ND, fake_MD, components)
    shift = real_ND.mean(axis=0) - fake_MD.mean(axis=0)
    features = real_ND.shape[1]
    if covariance == "sample" and min(len(real_ND), len(fake_MD)) <= features:
        first, second = _scaled(real_ND), _scaled(fake_MD)
        total = float(np.square(first).sum() + np.square(second).sum())
        trace, negative = _trace_by_nuclear_norm(first, second), np.empty(0)
    else:
        pair = _covariance(real_ND, covariance), _covariance(fake_MD, covariance)
        total = float(np.trace(pair[0]) + np.trace(pair[1]))
        trace, negative = _trace_by_eigenvalues(*pair)
    means, spreads = float(shift @ shift), total - 2.0 * trace
    if len(negative):
        logger.debug("clipped %d negative eigenvalues, least %.3g", len(negative), negative.min())
    least = float(negative.min(initial=0.0))
    return Frechet(max(means + spreads, 0.0), means, spreads, len(negative), least, features)


def frechet_rows(real: ArrayLike) -> int:
    """Return how many rows a set needs before its Fréchet distance says more than its size.

    Three for each direction that real rows fill, counted as (Σ σ)² / Σ σ² over the standard
    deviations σ along principal axes, and 50 at least. At that size two sets of one Gaussian are
    still apart by up to a fifth of its total variance, at fewer rows by more.

    Args:
        real: shape (N, D), N ≥ 2; few rows show few directions, but more than a third of N.

    Raises:
        ValueError: it is not a finite matrix.

    Example:
        >>> frechet_rows([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        50
    """
    deviations = svdvals(_scaled(as_samples(real, "real")), check_finite=False)
    total = float(np.square(deviations).sum())
    directions = float(deviations.sum()) ** 2 / total if total > 0.0 else 0.0
    return max(LEAST_ROWS, int(np.ceil(ROWS_PER_DIRECTION * directions)))


def principal(real: Matrix, fake: Matrix, components: int) -> tuple[Matrix, Matrix]:
    """Return both matrices in the first principal directions of the real rows, their mean at 0.

    Raises:
        ValueError: the real rows do not have so many directions.
    """
    most = min(len(real) - 1, real.shape[1])
    if not 1 <= components <= most:
        raise ValueError(
            f"components: found {components} with real of shape {real.shape}; want 1 to {most}"
        )
    center, basis = real.mean(axis=0), principal_directions(real, components)
    return (real - center) @ basis, (fake - center) @ basis


def principal_directions(real: Matrix, components: int) -> Matrix:
    """Return the first principal directions of rows, shape (D, components), in any order."""
    if len(real) > real.shape[1]:
        last = real.shape[1] - 1
        wanted = (last - components + 1, last)
        covariance = _covariance(real, "sample")
        basis: Matrix = eigh(covariance, subset_by_index=wanted, check_finite=False)[1]
        return basis
    centered = real - real.mean(axis=0)
    wanted = (len(real) - components, len(real) - 1)
    rows = eigh(centered @ centered.T, subset_by_index=wanted, check_finite=False)[1]
    # By QR, as rows that are equal leave directions of no length.
    return np.linalg.qr(centered.T @ rows)[0]


def _scaled(samples: Matrix) -> Matrix:
    """Center and divide by √(N − 1), so that AᵀA is the covariance; at most D rows do that too."""
    scaled = (samples - samples.mean(axis=0)) / np.sqrt(len(samples) - 1)
    if len(scaled) <= scaled.shape[1]:
        return scaled
    upper: Matrix = qr(scaled, mode="r", overwrite_a=True, check_finite=False)[0]
    return upper[: scaled.shape[1]]


def _covariance(samples: Matrix, name: CovarianceName) -> Matrix:
    """Return the covariance of an (N, D) matrix, a block of rows at a time."""
    center = samples.mean(axis=0)
    features = samples.shape[1]
    total = np.zeros((features, features))
    for start in range(0, len(samples), BLOCK_ROWS):
        block = samples[start : start + BLOCK_ROWS] - center
        total += block.T @ block
    total /= len(samples) - 1
    variance = float(np.trace(total)) / features
    if name == "sample" or variance == 0.0:
        return total
    from sklearn.covariance import ledoit_wolf_shrinkage

    share = float(ledoit_wolf_shrinkage(samples - center, assume_centered=True))
    total *= 1.0 - share
    total[np.diag_indices(features)] += share * variance
    return total


def _trace_by_nuclear_norm(first: Matrix, second: Matrix) -> float:
    """Return tr((S₁S₂)^½) as the nuclear norm of ABᵀ: exact where covariances are singular."""
    return float(svdvals(first @ second.T, check_finite=False).sum())


def _trace_by_eigenvalues(first: Matrix, second: Matrix) -> tuple[float, Matrix]:
    """Return tr((S₁S₂)^½) from the eigenvalues of the symmetric HᵀS₂H, HHᵀ = S₁.

    Returns:
        The trace, and those eigenvalues that rounding made negative and that counted as 0.
    """
    try:
        half = cholesky(first, lower=True, check_finite=False)
    except LinAlgError:  # singular, as where an encoder has dead columns
        values, vectors = eigh(first, check_finite=False)
        half = vectors * np.sqrt(np.clip(values, 0.0, None))
    inner = eigvalsh(half.T @ second @ half, check_finite=False)
    return float(np.sqrt(np.clip(inner, 0.0, None)).sum()), inner[inner < 0.0]
