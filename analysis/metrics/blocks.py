"""Pairs of rows in blocks that fit the cache: one matrix product serves every measure of pairs.

Each unordered pair within a set is met once. Rows are shifted by one center first: the expansion
‖x‖² + ‖y‖² − 2xy loses digits when a cloud lies far from the origin.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analysis.distances import Matrix

PAIR_ROWS = 512


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """A set of rows, ready for products with another that has the same center c.

    Attributes:
        rows: x − c, shape (N, D).
        halves: ‖x − c‖² / 2, shape (N,).
        lifts: x·c − ‖c‖² / 2, shape (N,): x·y = (x − c)·(y − c) + lift(x) + lift(y).
    """

    rows: Matrix
    halves: Matrix
    lifts: Matrix

    @classmethod
    def of(cls, samples: Matrix, center: Matrix) -> "Cloud":
        """Shift an (N, D) matrix by ``center`` (D,)."""
        rows = samples - center
        return cls(rows, np.einsum("nd,nd->n", rows, rows) / 2, rows @ center + center @ center / 2)

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(eq=False)
class Block:
    """All pairs of some rows of one cloud with some rows of another.

    Attributes:
        first: cloud of the P rows.
        second: cloud of the Q columns.
        rows: which P of the first.
        columns: which Q of the second.
        centered: (x − c)·(y − c), shape (P, Q).
    """

    first: Cloud
    second: Cloud
    rows: slice
    columns: slice
    centered: Matrix

    @cached_property
    def closeness(self) -> Matrix:
        """−‖x − y‖² / 2, up to rounding, shape (P, Q); larger is nearer."""
        close: Matrix = self.centered - self.second.halves[self.columns]
        close -= self.first.halves[self.rows, None]
        return close

    def shifted_inner(self, shift: float) -> Matrix:
        """Return x·y + ``shift``, shape (P, Q)."""
        inner: Matrix = self.centered + self.second.lifts[self.columns]
        inner += self.first.lifts[self.rows, None] + shift
        return inner


def across(first: Cloud, second: Cloud) -> Iterator[Block]:
    """Yield all pairs of a row of the first cloud with a row of the second."""
    for rows in _slices(len(first)):
        for columns in _slices(len(second)):
            yield _block(first, second, rows, columns)


def within(cloud: Cloud) -> Iterator[Block]:
    """Yield the pairs of a cloud with itself, each unordered one once.

    The square blocks, whose ``rows`` equal their ``columns``, come first; each other block stands
    for its transpose too.
    """
    parts = list(_slices(len(cloud)))
    for part in parts:
        yield _block(cloud, cloud, part, part)
    for number, rows in enumerate(parts):
        for columns in parts[number + 1 :]:
            yield _block(cloud, cloud, rows, columns)


def _block(first: Cloud, second: Cloud, rows: slice, columns: slice) -> Block:
    return Block(first, second, rows, columns, first.rows[rows] @ second.rows[columns].T)


def _slices(rows: int) -> Iterator[slice]:
    for start in range(0, rows, PAIR_ROWS):
        yield slice(start, min(start + PAIR_ROWS, rows))
