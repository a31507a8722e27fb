"""Precision, recall, density and coverage from balls around k-th nearest neighbors.

Source: Kynkäänniemi et al. 2019, arXiv 1904.06991; Naeem et al. 2020, arXiv 2002.09797.
Deviations: a ball includes its border, since the strict form gives 0 for duplicated rows; a row is
kept from being its own neighbor by its index, not by its distance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_sample_pair, rounding_slack, squared_distance_blocks


@dataclass(frozen=True, slots=True)
class PRDC:
    """Four shares of neighborhoods reached.

    Attributes:
        precision: share of fakes inside some real row's ball.
        recall: share of real rows inside some fake's ball.
        density: real balls that hold a fake, averaged over fakes and divided by k; unbounded.
        coverage: share of real balls that hold at least one fake.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def prdc(real: ArrayLike, fake: ArrayLike, *, k: int = 5) -> PRDC:
    """Measure precision, recall, density and coverage.

    Values are comparable only at equal k and sizes. Equal distributions do not give 1: coverage is
    then about 1 − 2⁻ᵏ at equal sizes, and precision falls with the number of features.

    Args:
        real: shape (N, D), N > k.
        fake: shape (M, D), M > k.
        k: which nearest neighbor sets the radius of a ball.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or k does not fit.

    Example:
        >>> prdc([[0.0], [1.0], [2.0]], [[0.5], [1.5], [9.0]], k=1)
        PRDC(precision=0.6666666666666666, recall=1.0, density=1.3333333333333333, coverage=1.0)
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_radii = _squared_radii(real_ND, k, "real")
    fake_radii = _squared_radii(fake_MD, k, "fake")
    slack = rounding_slack(fake_MD, real_ND)
    real_inside = np.zeros(len(real_ND), dtype=bool)
    real_reached = np.zeros(len(real_ND), dtype=bool)
    precise, balls = 0, 0
    for start, squared in squared_distance_blocks(fake_MD, real_ND):
        in_real_ball = squared <= real_radii + slack
        in_fake_ball = squared <= fake_radii[start : start + len(squared), None] + slack
        precise += int(in_real_ball.any(axis=1).sum())
        balls += int(in_real_ball.sum())
        real_reached |= in_real_ball.any(axis=0)
        real_inside |= in_fake_ball.any(axis=0)
    return PRDC(
        precision=precise / len(fake_MD),
        recall=float(real_inside.mean()),
        density=balls / (k * len(fake_MD)),
        coverage=float(real_reached.mean()),
    )


def _squared_radii(samples: Matrix, k: int, name: str) -> Matrix:
    """Return each row's squared distance to its k-th nearest other row."""
    if not 1 <= k < len(samples):
        raise ValueError(
            f"k: found {k} with {name} of shape {samples.shape}; want 1 to {len(samples) - 1}"
        )
    radii = []
    for start, squared in squared_distance_blocks(samples, samples):
        own = np.arange(len(squared))
        squared[own, start + own] = np.inf
        squared.partition(k - 1, axis=1)
        radii.append(squared[:, k - 1].copy())
    return np.concatenate(radii)
