"""The measures of all classes together, of one generator after another beside the same real rows.

They are the numbers that :func:`analysis.measure_all` and :func:`analysis.collapse_report` give
overall, from the same draws, without what they cost besides: classes, p-values, limits. What real
rows have among themselves is found once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_generator, as_labels, as_sample_pair
from analysis.metrics.blocks import Cloud
from analysis.metrics.collapse import conditional_hits
from analysis.metrics.frechet import frechet_distance
from analysis.metrics.kernel import kernel_matrix, make_kernel
from analysis.metrics.neighbors import prdc
from analysis.metrics.permutation import MOST_ROWS, indicators, kernel_discrepancies
from analysis.metrics.pool import Draw
from analysis.metrics.summary import OVERALL, PROJECTIONS, SHARES, kept_rows
from analysis.metrics.wasserstein import draw_directions

Measured = dict[str, tuple[float, float]]
"""Value and floor by measure."""


class Outline:
    """Measures sets of fakes beside the same real rows.

    Args:
        real: real rows that no generator was trained on, shape (N, D), N ≥ 4.
        labels: their classes, (N,).
        k: of :func:`analysis.prdc`; smaller than half of N.
        most: rows of either set that distances and neighborhoods look at.
        rng: seed of every draw.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """

    def __init__(
        self, real: ArrayLike, labels: ArrayLike, *, k: int = 5, most: int = MOST_ROWS, rng: int = 0
    ) -> None:
        self._all = as_sample_pair(real, real, minimum=4)[0]
        self._labels = as_labels(labels, len(self._all), "labels")
        self._k, self._rng = k, rng
        generator = as_generator(rng)
        kept, self._kept = (kept_rows(self._all, most, generator) for _ in range(2))
        self._real = self._all[kept]
        draw_directions(self._real.shape[1], PROJECTIONS, generator)  # as measure_sets does first
        rows = np.arange(len(kept))
        self._draw = Draw.of(OVERALL, rows, len(rows) + rows, 1, generator)

    def measure(self, fake: ArrayLike) -> Measured:
        """Measure fakes (N, D), one for each real row and of its class, in their order.

        Returns:
            Value and floor by measure: ``frechet_distance``, ``kernel_distance``, ``precision``,
            ``recall``, ``density``, ``coverage``, ``conditional_accuracy``.

        Raises:
            ValueError: an array is not a finite matrix, or of another shape than the real rows.
        """
        fake_ND = as_sample_pair(self._all, fake)[1]
        if len(fake_ND) != len(self._all):
            raise ValueError(f"fake: found {len(fake_ND)} rows; want {len(self._all)}, as real has")
        pooled = np.concatenate([self._real, fake_ND[self._kept]])
        return {
            "frechet_distance": self._halved("frechet", pooled, frechet_distance),
            "kernel_distance": self._kernel(pooled),
            **self._shares(pooled),
            "conditional_accuracy": self._recovery(fake_ND),
        }

    def _halved(
        self, name: str, pooled: Matrix, measure: Callable[[Matrix, Matrix], float]
    ) -> tuple[float, float]:
        def against(at: int) -> float:
            pairs = ((pooled[half[0]], pooled[half[at]]) for half in self._draw.halves)
            return float(np.mean([measure(*pair) for pair in pairs]))

        return against(2), self._draw.floor(name, lambda: against(1))

    def _kernel(self, pooled: Matrix) -> tuple[float, float]:
        kernel = make_kernel("cubic", self._real)
        pairs = kernel_matrix(Cloud.of(pooled, self._real.mean(axis=0)), kernel)
        size = self._draw.size
        chosen: np.ndarray = np.array(self._draw.halves)  # (R, 3, size)

        def against(at: int) -> float:
            both = np.hstack([chosen[:, 0], chosen[:, at]])
            marks = indicators(both, size, size, pool=len(pooled))
            return float(np.mean(kernel_discrepancies(pairs, *marks)))

        return against(2), self._draw.floor("kernel", lambda: against(1))

    def _shares(self, pooled: Matrix) -> Measured:
        if self._draw.size <= self._k:
            return dict.fromkeys(SHARES, (float("nan"), float("nan")))

        def against(at: int) -> dict[str, float]:
            halves = [
                prdc(pooled[half[0]], pooled[half[at]], k=self._k) for half in self._draw.halves
            ]
            # One by one, as the tables do: a mean over an axis rounds otherwise.
            return {n: float(np.mean([getattr(half, n) for half in halves])) for n in SHARES}

        found, floors = against(2), self._draw.floor("shares", lambda: against(1))
        return {name: (found[name], floors[name]) for name in SHARES}

    def _recovery(self, fake: Matrix) -> tuple[float, float]:
        generator = np.random.default_rng(self._rng)
        hits, _, floor = conditional_hits(self._all, self._labels, [fake], self._labels, generator)
        return float(hits[0].mean()), float(floor.mean())
