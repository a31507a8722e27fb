"""What a generated embedding is near: real rows, its class, or one training row that it repeats.

Source: Vovk, Gammerman & Shafer 2005 (conformal p-values; here of the k-th nearest neighbor).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distances import Matrix, as_label_pair, as_sample_pair, squared_distance_blocks

MEMORIZED_QUANTILE = 0.01
TYPICALITY_NEIGHBORS = 5
MOST_STAND_INS = 2000
"""Training rows that stand in for held-out ones where there are none."""


def nearest_real(
    fake: ArrayLike, real: ArrayLike, *, k: int = 3
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find the k nearest real rows of every fake.

    Args:
        fake: shape (M, D).
        real: shape (N, D), N ≥ k.
        k: neighbors wanted.

    Returns:
        Row indices into ``real`` and Euclidean distances, nearest first, each of shape (M, k).

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or k does not fit.

    Example:
        >>> indices, distances = nearest_real([[0.9]], [[0.0], [1.0], [5.0]], k=2)
        >>> indices.tolist()
        [[1, 0]]
    """
    fake_MD, real_ND = as_sample_pair(fake, real, names=("fake", "real"), minimum=1)
    if not 1 <= k <= len(real_ND):
        raise ValueError(
            f"k: found {k} with real of shape {real_ND.shape}; want 1 to {len(real_ND)}"
        )
    indices = np.concatenate(
        [_nearest_columns(squared, k) for _, squared in squared_distance_blocks(fake_MD, real_ND)]
    )
    # Differences, not expanded squares: a fake that equals a real row gets exactly 0.
    distances = np.stack(
        [np.linalg.norm(fake_MD - real_ND[column], axis=1) for column in indices.T], axis=1
    )
    order = np.lexsort((indices, distances), axis=1)
    return np.take_along_axis(indices, order, 1), np.take_along_axis(distances, order, 1)


def memorized(fake: ArrayLike, train: ArrayLike, held_out: ArrayLike | None) -> NDArray[np.bool_]:
    """Flag fakes that lie suspiciously near to a training row.

    A fake is flagged when its distance to the nearest training row is below that of the nearest
    1 % of held-out real rows, or is 0.

    Args:
        fake: shape (M, D).
        train: rows that the generator was trained on, shape (N, D).
        held_out: real rows that it never saw, shape (H, D); None where there are none: then
            training rows, evenly spread ones, stand in, each by its nearest other one (N ≥ 2).

    Returns:
        Shape (M,).

    Raises:
        ValueError: an array is not a finite matrix, or the widths differ.
    """
    train_ND, _ = as_sample_pair(train, fake, names=("train", "fake"), minimum=1)
    if held_out is None:
        spread = train_ND[:: -(-len(train_ND) // MOST_STAND_INS)]
        usual = nearest_real(spread, train_ND, k=2)[1][:, 1]
    else:
        as_sample_pair(train, held_out, names=("train", "held_out"), minimum=1)
        usual = nearest_real(held_out, train, k=1)[1][:, 0]
    return suspicious(nearest_real(fake, train, k=1)[1][:, 0], usual)


def suspicious(found: Matrix, usual: Matrix) -> NDArray[np.bool_]:
    """Flag distances (M,) to the nearest training row that are 0 or below 1 % of usual ones."""
    return np.asarray((found < np.quantile(usual, MEMORIZED_QUANTILE)) | (found == 0.0))


def typicality(
    fake: ArrayLike,
    real: ArrayLike,
    fake_labels: ArrayLike,
    real_labels: ArrayLike,
    *,
    k: int = TYPICALITY_NEIGHBORS,
) -> NDArray[np.float64]:
    """Say how usual each fake is among the real rows of its class: a conformal p-value.

    Put the fake among the n real rows of its class, and call a row's distance to the k-th nearest
    other one of these n + 1 its strangeness. The value is the share of the n + 1 rows that are at
    least as strange as the fake, the fake itself among them: from 1 / (n + 1), farther out than
    every real row, to 1, nearer to the others than any. Of rows drawn as the real ones are, a share
    of at most α is expected at α or below, and hardly less (two mutual neighbors are a tie).

    Args:
        fake: shape (M, D).
        real: real rows, best ones that the generator never saw, shape (N, D).
        fake_labels: class of each fake, shape (M,).
        real_labels: class of each real row, shape (N,).
        k: which nearest neighbor; n - 1 where the class has no more rows than k.

    Returns:
        Shape (M,); NaN for classes of fewer than two real rows.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, a label is missing, or
            k < 1.

    Example:
        >>> real = [[0.0], [1.0], [3.0]]
        >>> typicality([[0.5], [9.0]], real, [0, 0], [0, 0, 0], k=1).tolist()
        [1.0, 0.25]
    """
    fake_MD, real_ND = as_sample_pair(fake, real, names=("fake", "real"), minimum=1)
    real_N, fake_M = as_label_pair(real_labels, fake_labels, (len(real_ND), len(fake_MD)))
    if k < 1:
        raise ValueError(f"k: found {k}; want 1 or more")
    values = np.full(len(fake_MD), np.nan)
    for label in np.unique(fake_M):
        mine, rows = fake_M == label, real_ND[real_N == label]
        if len(rows) > 1:
            values[mine] = _shares_as_strange(fake_MD[mine], rows, min(k, len(rows) - 1))
    return values


def _shares_as_strange(fake: Matrix, real: Matrix, k: int) -> NDArray[np.float64]:
    """Return the conformal p-values (M,) of fakes among real rows of the same class."""
    # Squared distances order rows as distances do. A real row's own k-th nearest among the other
    # real ones changes only where the fake comes nearer: the (k-1)-th or the fake is then the k-th.
    nearer, kth = np.full(len(real), -np.inf), np.empty(len(real))
    for start, squared in squared_distance_blocks(real, real):
        block = slice(start, start + len(squared))
        squared[np.arange(len(squared)), np.arange(start, start + len(squared))] = np.inf
        squared.partition(k - 1, axis=1)
        kth[block] = squared[:, k - 1]
        if k > 1:
            nearer[block] = squared[:, : k - 1].max(axis=1)
    shares = []
    for _, squared in squared_distance_blocks(fake, real):
        own = np.partition(squared, k - 1, axis=1)[:, k - 1 : k]
        among = np.where(squared < kth, np.maximum(nearer, squared), kth)
        shares.append((1 + (among >= own).sum(axis=1)) / (len(real) + 1))
    return np.concatenate(shares)


def _nearest_columns(squared: Matrix, k: int) -> NDArray[np.int64]:
    """Return the columns of the k least values of every row, in no particular order."""
    if k == 1:  # in a thirtieth of the time
        return squared.argmin(axis=1)[:, None]
    if k == squared.shape[1]:
        return np.tile(np.arange(k), (len(squared), 1))
    return np.argpartition(squared, k - 1, axis=1)[:, :k]
