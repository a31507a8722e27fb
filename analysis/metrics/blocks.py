"""Pairs of rows in blocks that fit the cache: one matrix product serves every measure of pairs.

Each unordered pair within a set is met once. Rows are shifted by one center first: the expansion
‖x‖² + ‖y‖² − 2xy loses digits when a cloud lies far from the origin.

Products in float32 take half the time of float64. A block of either type bounds each closeness from
both sides, so that a decision between float64 numbers can be made on it: pairs that the bounds
leave open, a few in ten thousand, are measured one by one.
Source: Higham 2002, Accuracy and Stability of Numerical Algorithms, section 3.1, for the bound.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.distances import Matrix

Floats = NDArray[np.floating[Any]]
Kind = type[np.floating[Any]]
Places = NDArray[np.intp]

PAIR_ROWS = 512
GATHERED_ROWS = 128
SINGLES_TO_BLOCK = 64
"""A block's product in float64 costs as much as this part of its pairs, one by one."""

SINGLE_RANGE = (1e-10, 1e10)
"""Largest squared norm, halved, of rows whose products, and these cubed, float32 holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """A set of rows, ready for products with another that has the same center c and type.

    Attributes:
        samples: x, shape (N, D).
        center: c, shape (D,).
        rows: x − c, shape (N, D), in the type of products.
        halves: ‖x − c‖² / 2, shape (N,).
        lifts: x·c − ‖c‖² / 2, shape (N,): x·y = (x − c)·(y − c) + lift(x) + lift(y).
        errors: shape (N,); closeness computed from ``rows`` is wrong by less than the sum of both
            rows' errors.
    """

    samples: Matrix
    center: Matrix
    rows: Floats
    halves: Matrix
    lifts: Matrix
    errors: Matrix

    @classmethod
    def of(cls, samples: Matrix, center: Matrix, kind: Kind = np.float64) -> "Cloud":
        """Shift an (N, D) matrix by ``center`` (D,), for products in the type ``kind``."""
        rows = np.empty(samples.shape, kind)
        halves, lifts = np.empty(len(samples)), np.empty(len(samples))
        for part in slices(len(samples)):
            shifted = samples[part] - center
            rows[part], halves[part] = shifted, _halves(shifted)
            lifts[part] = shifted @ center + center @ center / 2
        return cls(samples, center, rows, halves, lifts, _errors(rows, halves))

    def shifted(self, part: slice | Places) -> Matrix:
        """Return some rows less the center, in float64."""
        return self.samples[part] - self.center

    def __len__(self) -> int:
        return len(self.rows)


def clouds(real: Matrix, fake: Matrix, *, single: bool = False) -> tuple[Cloud, Cloud]:
    """Shift two sets by the mean of the first; ``single`` asks for float32 where it has the range.

    It has where the largest ‖x − c‖² / 2 of both sets lies within ``SINGLE_RANGE``.
    """
    center = real.mean(axis=0)
    kind: Kind = np.float64
    if single:
        largest = max(
            float(_halves(samples[part] - center).max())
            for samples in (real, fake)
            for part in slices(len(samples))
        )
        if SINGLE_RANGE[0] <= largest <= SINGLE_RANGE[1]:
            kind = np.float32
    return Cloud.of(real, center, kind), Cloud.of(fake, center, kind)


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
    centered: Floats

    @property
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

    @cached_property
    def most(self) -> Floats:
        """Closeness and up to twice the errors of both rows more, shape (P, Q); never less."""
        first, second = self.first, self.second
        kind = self.centered.dtype
        reach_P = (first.halves[self.rows] - first.errors[self.rows]).astype(kind)
        reach_Q = (second.halves[self.columns] - second.errors[self.columns]).astype(kind)
        most: Floats = self.centered - reach_Q
        most -= reach_P[:, None]
        return most

    def reaching(self, bounds: Matrix) -> tuple[Places, Places]:
        """Return which rows and columns, of the clouds, have a closeness of at least ``bounds``.

        Args:
            bounds: shape (P, 1) or (Q,).
        """
        flat = np.flatnonzero(self.most >= bounds.astype(self.centered.dtype))
        rows, columns = np.divmod(flat, self.centered.shape[1])
        bounds = bounds[rows, 0] if bounds.ndim == 2 else bounds[columns]
        most = self.most.ravel()[flat]
        rows, columns = rows + self.rows.start, columns + self.columns.start
        reaches = most - 2 * (self.first.errors[rows] + self.second.errors[columns]) >= bounds
        open_ = np.flatnonzero(~reaches)
        reaches[open_] = self._exact(rows[open_], columns[open_]) >= bounds[open_]
        return rows[reaches], columns[reaches]

    def _exact(self, rows: Places, columns: Places) -> Matrix:
        """Measure the closeness of pairs of this block in float64."""
        if len(rows) <= self.centered.size // SINGLES_TO_BLOCK:
            return exact_closeness(self.first, rows, self.second, columns)
        whole = self.first.shifted(self.rows) @ self.second.shifted(self.columns).T
        close = replace(self, centered=whole).closeness
        return close[rows - self.rows.start, columns - self.columns.start]


def exact_closeness(first: Cloud, rows: Places, second: Cloud, columns: Places) -> Matrix:
    """Measure −‖x − y‖² / 2 in float64, one by one, of as many rows as columns."""
    close = np.empty(len(rows))
    for part in slices(len(rows), GATHERED_ROWS):
        gaps = first.samples[rows[part]]
        gaps -= second.samples[columns[part]]
        np.einsum("nd,nd->n", gaps, gaps, out=close[part])
    close /= -2.0
    return close


def across(first: Cloud, second: Cloud) -> Iterator[Block]:
    """Yield all pairs of a row of the first cloud with a row of the second."""
    for rows in slices(len(first)):
        for columns in slices(len(second)):
            yield _block(first, second, rows, columns)


def within(cloud: Cloud) -> Iterator[Block]:
    """Yield the pairs of a cloud with itself, each unordered one once.

    The square blocks, whose ``rows`` equal their ``columns``, come first; each other block stands
    for its transpose too.
    """
    parts = list(slices(len(cloud)))
    for part in parts:
        yield _block(cloud, cloud, part, part)
    for number, rows in enumerate(parts):
        for columns in parts[number + 1 :]:
            yield _block(cloud, cloud, rows, columns)


def slices(rows: int, step: int | None = None) -> Iterator[slice]:
    """Yield slices of at most ``step`` rows, ``PAIR_ROWS`` by default, that cover all."""
    step = step or PAIR_ROWS
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def _block(first: Cloud, second: Cloud, rows: slice, columns: slice) -> Block:
    return Block(first, second, rows, columns, first.rows[rows] @ second.rows[columns].T)


def _halves(rows: Matrix) -> Matrix:
    """Return half of each row's squared norm."""
    halves: Matrix = np.einsum("nd,nd->n", rows, rows) / 2
    return halves


def _errors(rows: Floats, halves: Matrix) -> Matrix:
    """Bound each row's share of the error of a closeness in the type of ``rows``.

    A product of D terms, whose factors are rounded, is wrong by (D + 2) u ‖x‖‖y‖, and ‖x‖‖y‖ is at
    most the sum of both halves; adding the halves and rounding a bound take some u more. The last
    term is for what falls below the smallest number of the type.
    """
    kind = np.finfo(rows.dtype)
    roundings = (rows.shape[1] + 16) * float(kind.eps) / 2
    return roundings / (1.0 - roundings) * halves + rows.shape[1] * float(kind.tiny)
