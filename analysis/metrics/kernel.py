"""Unbiased squared maximum mean discrepancy between two sets of embeddings.

Source: Gretton et al. 2012, JMLR 13, lemma 6; the cubic kernel is KID's, Binkowski et al. 2018,
arXiv 1801.01401.
Deviations: all pairs instead of random subsets; the RBF width comes from the real set alone.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import BLOCK_ROWS, Matrix, as_sample_pair, squared_distance_blocks

KernelBlock = Callable[[Matrix, Matrix], Matrix]
MEDIAN_ROWS = 2000


def kernel_distance(
    real: ArrayLike, fake: ArrayLike, *, kernel: Literal["cubic", "rbf"] = "cubic"
) -> float:
    """Return the unbiased MMD² over all pairs; about 0, and often below, for equal distributions.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.
        kernel: ``cubic`` is (x·y / D + 1)³, which depends on the scale of the vectors; ``rbf`` is
            exp(−‖x − y‖² / 2σ²) with σ the median distance between real rows.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, the kernel is unknown, or
            ``rbf`` meets real rows that are all equal.

    Example:
        >>> kernel_distance([[1.0], [1.0]], [[0.0], [0.0]])  # k = 8 within, 1 within, 1 across
        7.0
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    block = _kernel_block(kernel, real_ND)
    return (
        _mean_within(real_ND, block)
        + _mean_within(fake_MD, block)
        - 2.0 * _mean_across(real_ND, fake_MD, block)
    )


def median_distance(samples: Matrix) -> float:
    """Return the median distance over pairs of different rows of an (N, D) matrix.

    At most 2,000 evenly spaced rows are used.

    Raises:
        ValueError: all rows are equal.
    """
    step = -(-len(samples) // MEDIAN_ROWS)
    chosen = samples[::step]
    squared = np.concatenate(
        [
            block[np.triu_indices(len(block), start + 1, len(chosen))]
            for start, block in squared_distance_blocks(chosen, chosen)
        ]
    )
    positive = squared[squared > 0.0]
    if not len(positive):
        raise ValueError(f"real: found {len(samples)} equal rows; want rows that differ")
    return float(np.median(np.sqrt(positive)))


def _kernel_block(kernel: str, real: Matrix) -> KernelBlock:
    """Return the function that evaluates the kernel between two blocks of rows."""
    if kernel == "cubic":
        return _cubic
    if kernel == "rbf":
        width = median_distance(real)
        return lambda first, second: _rbf(first, second, width)
    raise ValueError(f"kernel: found {kernel!r}; want 'cubic' or 'rbf'")


def _cubic(first: Matrix, second: Matrix) -> Matrix:
    """Evaluate (x·y / D + 1)³ between all rows."""
    inner = first @ second.T
    inner /= first.shape[1]
    inner += 1.0
    return inner * inner * inner


def _rbf(first: Matrix, second: Matrix, width: float) -> Matrix:
    """Evaluate exp(−‖x − y‖² / 2σ²) between all rows."""
    return np.concatenate(
        [np.exp(d2 / (-2.0 * width**2)) for _, d2 in squared_distance_blocks(first, second)]
    )


def _mean_within(samples: Matrix, block: KernelBlock) -> float:
    """Average the kernel over ordered pairs of distinct rows; only half of them are computed."""
    total = 0.0
    for start in range(0, len(samples), BLOCK_ROWS):
        rows = samples[start : start + BLOCK_ROWS]
        own = block(rows, rows)
        total += float(own.sum() - np.trace(own))
        for later in range(start + BLOCK_ROWS, len(samples), BLOCK_ROWS):
            total += 2.0 * float(block(rows, samples[later : later + BLOCK_ROWS]).sum())
    return total / (len(samples) * (len(samples) - 1))


def _mean_across(real: Matrix, fake: Matrix, block: KernelBlock) -> float:
    """Average the kernel over all pairs of a real and a fake row."""
    total = 0.0
    for start in range(0, len(real), BLOCK_ROWS):
        rows = real[start : start + BLOCK_ROWS]
        for other in range(0, len(fake), BLOCK_ROWS):
            total += float(block(rows, fake[other : other + BLOCK_ROWS]).sum())
    return total / (len(real) * len(fake))
