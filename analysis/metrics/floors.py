"""What a measure says of real data against real data: the value that no generator should beat."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_samples


@dataclass(frozen=True, slots=True)
class Floor:
    """A measure between disjoint random parts of the real rows.

    Attributes:
        mean: mean over the repeats.
        standard_deviation: spread over the repeats; the parts overlap between repeats, so it is
            no standard error.
        size: rows in each of the two parts.
        repeats: how often the rows were parted.
    """

    mean: float
    standard_deviation: float
    size: int
    repeats: int


def real_floor(
    real: ArrayLike,
    measure: Callable[[Matrix, Matrix], float],
    *,
    size: int | None = None,
    rng: int | np.random.Generator = 0,
    repeats: int = 5,
) -> Floor:
    """Measure real rows against other real rows.

    Args:
        real: shape (N, D), N ≥ 4.
        measure: for example ``frechet_distance``.
        size: rows in each part; at most, and by default, half of the rows.
        rng: seed or generator of the random parts.
        repeats: number of random partings, at least 1.

    Raises:
        ValueError: ``real`` is not a finite matrix of 4 rows, or size or repeats do not fit.

    Example:
        >>> real_floor([[0.0], [0.0], [0.0], [0.0]], lambda a, b: float(len(a) + len(b)))
        Floor(mean=4.0, standard_deviation=0.0, size=2, repeats=5)
    """
    samples = as_samples(real, "real", minimum=4)
    half = len(samples) // 2
    if size is not None and size < 2:
        raise ValueError(f"size: found {size}; want at least 2 rows in each part")
    if repeats < 1:
        raise ValueError(f"repeats: found {repeats}; want at least 1")
    rows = half if size is None else min(size, half)
    generator = np.random.default_rng(rng)
    values = []
    for _ in range(repeats):
        order = generator.permutation(len(samples))
        values.append(measure(samples[order[:rows]], samples[order[rows : 2 * rows]]))
    spread = float(np.std(values, ddof=1)) if repeats > 1 else 0.0
    return Floor(float(np.mean(values)), spread, rows, repeats)
