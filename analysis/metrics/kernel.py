"""Unbiased squared maximum mean discrepancy between two sets of embeddings, and energy distance.

Source: Gretton et al. 2012, JMLR 13, lemma 6; the cubic kernel is KID's, Binkowski et al. 2018,
arXiv 1801.01401; energy distance as the discrepancy of the kernel −‖x − y‖, Sejdinovic et al. 2013.
Deviations: all pairs instead of random subsets; RBF widths come from the real set alone; energy
distance without its diagonal, which makes it unbiased.
"""

from collections.abc import Callable
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import (
    Matrix,
    as_sample_pair,
    row_slack,
    squared_distance_blocks,
)
from analysis.metrics.blocks import Block, Cloud, across, clouds, within
from analysis.metrics.cubic import CubicMean

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
    slack, parts = row_slack(chosen, chosen), []
    for start, block in squared_distance_blocks(chosen, chosen):
        rows, columns = np.triu_indices(len(block), start + 1, len(chosen))
        # Repeated rows are a rounding error apart, or not; neither says anything of the width.
        apart = block[rows, columns] > slack[rows + start] + slack[columns]
        parts.append(block[rows, columns][apart])
    positive = np.concatenate(parts)
    if not len(positive):
        raise ValueError(f"real: found {len(samples)} equal rows; want rows that differ")
    return float(np.median(np.sqrt(positive)))


class KernelMean(Protocol):
    """Mean of a kernel over all pairs of two clouds, or of different rows of one."""

    def see(self, block: Block) -> None:
        """Add a block's pairs."""

    def mean(self) -> float:
        """Return the mean after all pairs have been seen."""


class ValueMean:
    """The mean of a kernel that is evaluated pair by pair.

    Args:
        first: cloud of rows.
        second: cloud of columns, or the same.
        kernel: what to average.
    """

    def __init__(self, first: Cloud, second: Cloud, kernel: Kernel) -> None:
        self.kernel, self.one = kernel, first is second
        self.pairs = len(first) * (len(second) - self.one)
        self.total = 0.0

    def see(self, block: Block) -> None:
        """Add a block's pairs."""
        values = self.kernel(block)
        total = float(values.sum())
        if self.one:
            square = block.rows == block.columns
            total = total - float(np.trace(values)) if square else 2.0 * total
        self.total += total

    def mean(self) -> float:
        """Return the mean after all pairs have been seen."""
        return self.total / self.pairs


def kernel_mean(first: Cloud, second: Cloud, kernel: Kernel) -> KernelMean:
    """Return what averages a kernel over the pairs of two clouds, or of one."""
    if kernel is _cubic:
        return CubicMean(first, second)
    return ValueMean(first, second, kernel)


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
    first, second = clouds(real, fake)
    means = []
    for one, other in ((first, first), (second, second), (first, second)):
        mean = kernel_mean(one, other, kernel)
        for block in within(one) if one is other else across(one, other):
            mean.see(block)
        means.append(mean.mean())
    return means[0] + means[1] - 2.0 * means[2]


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
