"""Fréchet distance, kernel distance and PRDC of one pair of sets, from one pass over its pairs.

Products of rows are nearly all of the cost. Kernel and neighborhoods share them here, and pairs
within a set are met once: two large products instead of the six of three separate measures.
"""

from dataclasses import dataclass

from numpy.typing import ArrayLike

from analysis.distances import as_sample_pair
from analysis.metrics.blocks import Cloud, across, clouds, within
from analysis.metrics.frechet import Frechet, frechet
from analysis.metrics.kernel import Kernel, KernelName, kernel_mean, make_kernel
from analysis.metrics.neighbors import PRDC, Balls, Nearest, check_neighbors


@dataclass(frozen=True, slots=True)
class Measures:
    """What three measures say of the same two sets.

    Attributes:
        frechet: as :func:`analysis.frechet`.
        kernel_distance: as :func:`analysis.kernel_distance`.
        prdc: as :func:`analysis.prdc`.
    """

    frechet: Frechet
    kernel_distance: float
    prdc: PRDC


def measure_together(
    real: ArrayLike, fake: ArrayLike, *, k: int = 5, kernel: KernelName = "cubic"
) -> Measures:
    """Measure Fréchet distance, kernel distance and PRDC at a third of the cost of one by one.

    PRDC is what float64 gives. The cubic kernel's distance comes from products in float32 and
    differs from :func:`analysis.kernel_distance` by rounding: by less than 1e-6 of itself plus 1e-8
    of the mean kernel, copies of one row included. Other kernels take float64. Memory stays near
    three float64 copies of the vectors, whatever the number of pairs.

    Args:
        real: shape (N, D), N > k.
        fake: shape (M, D), M > k.
        k: of :func:`analysis.prdc`.
        kernel: of :func:`analysis.kernel_distance`.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or an argument does not fit.

    Example:
        >>> measure_together([[1.0], [1.0]], [[0.0], [0.0]], k=1).kernel_distance
        7.0
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    check_neighbors(k, real_ND, "real")
    check_neighbors(k, fake_MD, "fake")
    values = make_kernel(kernel, real_ND)
    gaussians = frechet(real_ND, fake_MD)
    first, second = clouds(real_ND, fake_MD, single=kernel == "cubic")
    inside_real, near_real = _within(first, values, k)
    inside_fake, near_fake = _within(second, values, k)
    balls, between = Balls(near_real, near_fake), kernel_mean(first, second, values)
    for block in across(first, second):
        between.see(block)
        balls.see(block)
    distance = inside_real + inside_fake - 2.0 * between.mean()
    return Measures(gaussians, distance, balls.result())


def _within(cloud: Cloud, kernel: Kernel, k: int) -> tuple[float, Nearest]:
    """Average the kernel over pairs of one set and find each row's neighbors."""
    nearest, inside = Nearest(cloud, k), kernel_mean(cloud, cloud, kernel)
    for block in within(cloud):
        inside.see(block)
        nearest.see(block)
    return inside.mean(), nearest
