"""What a generated embedding is near: its nearest real rows, and whether it repeats one of them."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distances import Matrix, as_sample_pair, squared_distance_blocks

MEMORIZED_QUANTILE = 0.01


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


def memorized(fake: ArrayLike, train: ArrayLike, held_out: ArrayLike) -> NDArray[np.bool_]:
    """Flag fakes that lie suspiciously near to a training row.

    A fake is flagged when its distance to the nearest training row is below that of the nearest
    1 % of held-out real rows, or is 0.

    Args:
        fake: shape (M, D).
        train: rows that the generator was trained on, shape (N, D).
        held_out: real rows that it never saw, shape (H, D).

    Returns:
        Shape (M,).

    Raises:
        ValueError: an array is not a finite matrix, or the widths differ.
    """
    as_sample_pair(train, fake, names=("train", "fake"), minimum=1)
    as_sample_pair(train, held_out, names=("train", "held_out"), minimum=1)
    usual = nearest_real(held_out, train, k=1)[1][:, 0]
    found = nearest_real(fake, train, k=1)[1][:, 0]
    return (found < np.quantile(usual, MEMORIZED_QUANTILE)) | (found == 0.0)


def _nearest_columns(squared: Matrix, k: int) -> NDArray[np.int64]:
    """Return the columns of the k least values of every row, in no particular order."""
    if k == squared.shape[1]:
        return np.tile(np.arange(k), (len(squared), 1))
    return np.argpartition(squared, k - 1, axis=1)[:, :k]
