"""What a measure says of real data against real data: the value that no generator should beat."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from analysis.distances import Matrix, as_sample_pair, as_samples
from analysis.metrics.neighbors import prdc


@dataclass(frozen=True, slots=True)
class Floor:
    """A measure between random parts of real data.

    Attributes:
        mean: mean over the repeats.
        standard_deviation: spread over the repeats; the parts overlap between repeats, so it is
            no standard error.
        size: rows in the second part: as many as the fakes that the floor is for.
        repeats: how often the rows were parted.
    """

    mean: float
    standard_deviation: float
    size: int
    repeats: int

    @property
    def low(self) -> float:
        """Lower end of where 95 % of draws lie, by Student's t; NaN of one repeat."""
        return self.mean - self._margin()

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + self._margin()

    def _margin(self) -> float:
        if self.repeats < 2:
            return float("nan")
        return float(stdtrit(self.repeats - 1, 0.975)) * self.standard_deviation


def real_floor(
    real: ArrayLike,
    measure: Callable[[Matrix, Matrix], float],
    *,
    other: ArrayLike | None = None,
    size: int | None = None,
    rng: int | np.random.Generator = 0,
    repeats: int = 5,
) -> Floor:
    """Measure real rows against other real rows, the value that a perfect generator would get.

    Most measures depend on the number of rows. Give ``other`` (real rows of the same kind, such as
    unlabelled training rows) and the number of fakes as ``size``, and the floor has exactly the
    sizes of the measure. Without ``other`` the real rows are halved, and the floor of a distance
    that falls with the number of rows comes out too high.

    It is the floor of every measure of two sets: of a variant of the Fréchet distance, give
    ``lambda a, b: frechet_distance(a, b, components=16)``; of its limit,
    ``lambda a, b: frechet_limit(a, b).value``.

    Args:
        real: shape (N, D); N ≥ 4 without ``other``.
        measure: for example ``frechet_distance``.
        other: further real rows, shape (H, D).
        size: rows in the second part; at most, and by default, all of ``other``, or half of
            ``real``, in which case the first part has as many.
        rng: seed or generator of the random parts.
        repeats: number of random draws, at least 1.

    Raises:
        ValueError: an array is not a finite matrix, or size or repeats do not fit.

    Example:
        >>> real_floor([[0.0], [0.0], [0.0], [0.0]], lambda a, b: float(len(a) + len(b)))
        Floor(mean=4.0, standard_deviation=0.0, size=2, repeats=5)
    """
    generator = np.random.default_rng(rng)
    values = []
    for first, second in _parts(real, other, size, generator, repeats):
        values.append(measure(first, second))
    return _floor(values, len(second))


def prdc_floors(
    real: ArrayLike,
    *,
    k: int = 5,
    other: ArrayLike | None = None,
    size: int | None = None,
    rng: int | np.random.Generator = 0,
    repeats: int = 5,
) -> dict[str, Floor]:
    """Measure precision, recall, density and coverage of real rows in the place of fakes.

    Two samples of one distribution do not give 1: what they give depends on k, on the sizes and on
    the number of features. Hold :func:`analysis.prdc` of the same k and sizes against it.

    Args:
        real: as for :func:`real_floor`.
        k: of :func:`analysis.prdc`.
        other: as for :func:`real_floor`.
        size: as for :func:`real_floor`.
        rng: as for :func:`real_floor`.
        repeats: as for :func:`real_floor`.

    Returns:
        A floor by the name of each of the four.

    Raises:
        ValueError: as :func:`real_floor`, or k does not fit.

    Example:
        >>> floors = prdc_floors(np.random.default_rng(0).normal(size=(400, 3)))
        >>> round(floors["coverage"].mean, 1)  # about 1 − 2⁻⁵
        1.0
    """
    generator = np.random.default_rng(rng)
    found = []
    for first, second in _parts(real, other, size, generator, repeats):
        found.append(prdc(first, second, k=k))
    return {
        name: _floor([getattr(one, name) for one in found], len(second))
        for name in ("precision", "recall", "density", "coverage")
    }


def _parts(
    real: ArrayLike,
    other: ArrayLike | None,
    size: int | None,
    rng: np.random.Generator,
    repeats: int,
) -> Iterator[tuple[Matrix, Matrix]]:
    """Yield random pairs of disjoint parts of real rows."""
    samples = as_samples(real, "real", minimum=2 if other is not None else 4)
    pool = None if other is None else as_sample_pair(samples, other, names=("real", "other"))[1]
    most = len(samples) // 2 if pool is None else len(pool)
    if size is not None and size < 2:
        raise ValueError(f"size: found {size}; want at least 2 rows")
    if repeats < 1:
        raise ValueError(f"repeats: found {repeats}; want at least 1")
    rows = most if size is None else min(size, most)
    for _ in range(repeats):
        if pool is None:
            order = rng.permutation(len(samples))
            yield samples[order[:rows]], samples[order[rows : 2 * rows]]
        else:
            yield samples, pool[rng.choice(len(pool), rows, replace=False)]


def _floor(values: list[float], rows: int) -> Floor:
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return Floor(float(np.mean(values)), spread, rows, len(values))
