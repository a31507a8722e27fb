"""Unbiased squared maximum mean discrepancy between two sets of embeddings, and energy distance.

Source: Gretton et al. 2012, JMLR 13, lemma 6; the cubic kernel is KID's, Binkowski et al. 2018,
arXiv 1801.01401; energy distance as the discrepancy of the kernel −‖x − y‖, Sejdinovic et al. 2013.
Deviations: all pairs instead of random subsets; RBF widths come from the real set alone; energy
distance without its diagonal, which makes it unbiased.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import (
    Matrix,
    as_sample_pair,
    rounding_slack,
    squared_distance_blocks,
)
from analysis.metrics.blocks import Block, Cloud, across, within

KernelName = Literal["cubic", "rbf", "mixture"]
Kernel = Callable[[Block], Matrix]
"""Kernel values of all pairs of a block; the block itself stays as it is."""

MEDIAN_ROWS = 2000
HALVINGS = 4
"""The mixture's widest kernel has 4 median distances; each next one has half of that."""


def kernel_distance(real: ArrayLike, fake: ArrayLike, *, kernel: KernelName = "cubic") -> float:
    """Return the unbiased MMD² over all pairs; about 0, and often below, for equal distributions.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.
        kernel: ``cubic`` is (x·y / D + 1)³, which depends on the scale of the vectors; ``rbf`` is
            exp(−‖x − y‖² / 2σ²) with σ the median distance between real rows; ``mixture`` is the
            mean of five of these, at ¼, ½, 1, 2 and 4 times σ.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, the kernel is unknown, or
            ``rbf`` or ``mixture`` meets real rows that are all equal.

    Example:
        >>> kernel_distance([[1.0], [1.0]], [[0.0], [0.0]])  # k = 8 within, 1 within, 1 across
        7.0
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    return _discrepancy(real_ND, fake_MD, make_kernel(kernel, real_ND))


def energy_distance(real: ArrayLike, fake: ArrayLike) -> float:
    """Return 2 E‖x − y‖ − E‖x − x'‖ − E‖y − y'‖ over pairs of different rows.

    It sees any difference between distributions, has no width to choose, scales with the vectors,
    and is about 0, and often below, for equal distributions.

    Args:
        real: shape (N, D), N ≥ 2.
        fake: shape (M, D), M ≥ 2.

    Raises:
        ValueError: an array is not a finite matrix, or the widths differ.

    Example:
        >>> energy_distance([[0.0], [0.0]], [[3.0], [3.0]])
        6.0
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    return _discrepancy(real_ND, fake_MD, negative_distance)


def make_kernel(name: str, real: Matrix) -> Kernel:
    """Return a kernel by name; what it must know of the data comes from ``real`` (N, D) alone.

    Raises:
        ValueError: the name is unknown, or a width is wanted of rows that are all equal.
    """
    if name == "cubic":
        return _cubic
    if name in ("rbf", "mixture"):
        precision = median_distance(real) ** -2
        return lambda block: (_rbf if name == "rbf" else _mixture)(block, precision)
    raise ValueError(f"kernel: found {name!r}; want 'cubic', 'rbf' or 'mixture'")


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
    # Repeated rows are a rounding error apart, or not; either way they say nothing of the width.
    positive = squared[squared > rounding_slack(chosen, chosen)]
    if not len(positive):
        raise ValueError(f"real: found {len(samples)} equal rows; want rows that differ")
    return float(np.median(np.sqrt(positive)))


def mean_within(cloud: Cloud, kernel: Kernel) -> float:
    """Average the kernel over ordered pairs of distinct rows."""
    return sum(total_within(block, kernel) for block in within(cloud)) / (
        len(cloud) * (len(cloud) - 1)
    )


def total_within(block: Block, kernel: Kernel) -> float:
    """Sum the kernel over the ordered pairs of distinct rows that a block of one set stands for."""
    values = kernel(block)
    if block.rows == block.columns:
        return float(values.sum() - np.trace(values))
    return 2.0 * float(values.sum())


def kernel_matrix(cloud: Cloud, kernel: Kernel) -> Matrix:
    """Return the kernel of all pairs of N rows, shape (N, N), with zeros on the diagonal."""
    whole = np.empty((len(cloud), len(cloud)))
    for block in within(cloud):
        values = kernel(block)
        whole[block.rows, block.columns] = values
        whole[block.columns, block.rows] = values.T
    np.fill_diagonal(whole, 0.0)
    return whole


def negative_distance(block: Block) -> Matrix:
    """Evaluate −‖x − y‖, whose discrepancy is the energy distance."""
    squared = block.closeness * -2.0
    np.maximum(squared, 0.0, out=squared)
    np.sqrt(squared, out=squared)
    return np.negative(squared, out=squared)


def _discrepancy(real: Matrix, fake: Matrix, kernel: Kernel) -> float:
    """Combine the kernel's means within and across; negative values stay negative."""
    center = real.mean(axis=0)
    first, second = Cloud.of(real, center), Cloud.of(fake, center)
    between = sum(float(kernel(block).sum()) for block in across(first, second))
    return (
        mean_within(first, kernel)
        + mean_within(second, kernel)
        - 2.0 * between / (len(real) * len(fake))
    )


def _cubic(block: Block) -> Matrix:
    """Evaluate (x·y / D + 1)³."""
    features = block.first.rows.shape[1]
    inner = block.shifted_inner(float(features))
    inner /= features
    squares = inner * inner
    squares *= inner
    return squares


def _rbf(block: Block, precision: float) -> Matrix:
    """Evaluate exp(−‖x − y‖² / 2σ²) with 1/σ² = ``precision``."""
    exponents = block.closeness * precision
    return np.exp(np.minimum(exponents, 0.0, out=exponents), out=exponents)


def _mixture(block: Block, precision: float) -> Matrix:
    """Average the kernels of widths 4σ, 2σ, σ, σ/2 and σ/4: each the fourth power of the last."""
    power = _rbf(block, precision / 4.0**2)
    total = power.copy()
    for _ in range(HALVINGS):
        power *= power
        power *= power
        total += power
    total /= HALVINGS + 1
    return total
