"""The rows that a map draws: equally many of each kind, on their leading principal components."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.distances import Matrix, as_sample_pair

COMPONENTS = 50
LEAST_ROWS = 4
"""Of each kind: fewer have no neighborhoods to keep."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Real and fake rows, balanced: an unbalanced map shows the counts, not the shapes.

    Attributes:
        real_rows: which real rows are drawn, ascending, shape (n,).
        fake_rows: which fakes are, shape (n,).
        real: those rows, shape (n, D).
        fake: the same of the fakes, shape (n, D).
        seed: of the jitter and the optimization.
    """

    real_rows: NDArray[np.int64]
    fake_rows: NDArray[np.int64]
    real: Matrix
    fake: Matrix
    seed: int

    @classmethod
    def of(
        cls, real: ArrayLike, fake: ArrayLike, *, size: int, rng: int | np.random.Generator
    ) -> Self:
        """Draw at most ``size`` rows of each kind.

        Raises:
            ValueError: an array is not a finite matrix of 4 rows, the widths differ, or the size
                is below 4.
        """
        real_ND, fake_MD = as_sample_pair(real, fake, minimum=LEAST_ROWS)
        if size < LEAST_ROWS:
            raise ValueError(f"size: found {size}; want at least {LEAST_ROWS} rows of each kind")
        generator = np.random.default_rng(rng)
        count = min(size, len(real_ND), len(fake_MD))
        real_rows = np.sort(generator.choice(len(real_ND), count, replace=False))
        fake_rows = np.sort(generator.choice(len(fake_MD), count, replace=False))
        seed = int(generator.integers(2**31))
        return cls(real_rows, fake_rows, real_ND[real_rows], fake_MD[fake_rows], seed)


def reduced(
    samples: Matrix, seed: int, *others: Matrix, components: int = COMPONENTS
) -> list[Matrix]:
    """Project on the principal components of ``samples``, signs fixed, with seeded jitter.

    Exactly equal rows have no t-SNE gradient between them and stay a single point without it.

    Args:
        samples: shape (n, D).
        seed: of the jitter.
        others: matrices of the same width, projected on the same axes.
        components: most axes; there are at least 2.
    """
    mean = samples.mean(axis=0)
    axes = np.linalg.svd(samples - mean, full_matrices=False)[2][:components]
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    if len(axes) < 2:
        axes = np.concatenate([axes, np.zeros_like(axes)])
    projected = [(part - mean) @ axes.T for part in (samples, *others)]
    scale = 1e-6 * max(float(projected[0].std()), 1e-12)
    rng = np.random.default_rng(seed)
    return [part + scale * rng.standard_normal(part.shape) for part in projected]


def drawn_frames(
    real: ArrayLike | Mapping[str, ArrayLike],
    frames: Mapping[str, ArrayLike],
    *,
    size: int,
    rng: int | np.random.Generator,
) -> list[Drawn]:
    """Draw the same rows of every frame of a series.

    Args:
        real: shape (N, D), or by frame.
        frames: fakes by frame, shape (M, D) each.
        size: most rows of each kind that are drawn.
        rng: seed or generator.

    Raises:
        ValueError: as :meth:`Drawn.of`, there is no frame, the frames differ in shape, or real rows
            have other frames than fakes.
    """
    if not frames:
        raise ValueError("frames: found none; want at least one")
    moving = real if isinstance(real, Mapping) else dict.fromkeys(frames, real)
    if list(moving) != list(frames):
        raise ValueError(f"real: found frames {list(moving)}; want {list(frames)}, as fakes have")
    _check_shapes(frames, "frames")
    _check_shapes(moving, "real")
    seed = rng if isinstance(rng, int) else int(rng.integers(2**31))
    return [Drawn.of(moving[name], fakes, size=size, rng=seed) for name, fakes in frames.items()]


def _check_shapes(frames: Mapping[str, ArrayLike], name: str) -> None:
    """Refuse frames of unlike shapes."""
    shapes = {frame: np.shape(rows) for frame, rows in frames.items()}
    first, expected = next(iter(shapes.items()))
    for frame, shape in shapes.items():
        if shape != expected:
            raise ValueError(
                f"{name}: found shape {shape} in {frame!r}; want {expected}, as {first!r} has"
            )
