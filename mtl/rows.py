"""Rows of a matrix that may not fit in memory: some as they are asked for, or all in blocks.

Small matrices are held, as NumPy would. Above :data:`HELD_BYTES` rows stay where they are, usually
on disk behind a memory map, and only what is used at a time is copied. The limit is a constant, so
that what a run computes does not depend on the machine.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

HELD_BYTES = 1 << 28
"""Size of a float32 matrix up to which rows are held: 174,762 of width 384."""
BLOCK_BYTES = 1 << 23
"""Size of a block of float32 rows; whoever works on one in float64 needs a few times as much."""


class Selection:
    """Rows of a matrix, chosen once and copied when they are asked for.

    It is indexed along its rows as an array is, by slices, integer arrays of any shape and masks;
    what comes back is an array. ``np.asarray`` copies all of it.

    Args:
        matrix: (M, D).
        rows: (N,) indices into it.
    """

    def __init__(self, matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> None:
        self._matrix, self._rows = matrix, rows

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        return len(self._rows), *self._matrix.shape[1:]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._matrix.ndim

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Type of the numbers."""
        return self._matrix.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> NDArray[np.float32]:  # noqa: ANN401 (what NumPy takes)
        return self._matrix[self._rows[index]]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("rows that are chosen from a matrix cannot be had without a copy")
        return np.asarray(self[:], dtype=dtype)


Rows = NDArray[Any] | Selection
"""(N, D) float32 rows, at hand or not."""


def is_held(shape: tuple[int, ...]) -> bool:
    """Say whether a float32 matrix of this shape is small enough to be held, copied and doubled."""
    return 4 * math.prod(shape) <= HELD_BYTES


def select(matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> Rows:
    """Choose rows (N,) of a matrix (M, D): a copy where it may be held, else to be had later."""
    selection = Selection(matrix, rows)
    return selection[:] if is_held(selection.shape) else selection


def blocks(rows: Rows) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield all rows in order: the number of the first one, and a block (n, D) of float32.

    Rows that are held come as one block, so that what is computed of them is what it would be
    without blocks; others in blocks of :data:`BLOCK_BYTES`, copies that may be written to.
    """
    if is_held(rows.shape):
        yield 0, np.ascontiguousarray(rows, dtype=np.float32)
        return
    size = max(1, BLOCK_BYTES // (4 * math.prod(rows.shape[1:])))
    for start in range(0, len(rows), size):
        yield start, np.array(rows[start : start + size], dtype=np.float32)
