"""The batches of one task: which rows, in which micro-batches, with which shares."""

import numpy as np
from numpy.typing import NDArray

from mtl.companion import Part
from mtl.schedules import CircularRows
from mtl.settings import TaskData
from mtl.text.tokens import BucketedRows


class TaskRows:
    """The rows of a task's batches: labelled ones and, where asked for, others beside them.

    Args:
        task: Its rows.
        batch_size: Labelled rows of a batch; of a task without others beside them, any rows.
        seed: Of the order.
    """

    def __init__(self, task: TaskData, batch_size: int, *, seed: int) -> None:
        self.tokens = task.train
        labels = self.tokens.corpus.labels
        self.known_N = labels >= 0
        others = np.flatnonzero(~self.known_N) if task.unlabeled_rows else np.empty(0, np.int64)
        first = np.flatnonzero(self.known_N) if len(others) else np.arange(len(labels))
        plain = CircularRows(len(first), batch_size, seed)
        self.batches_per_epoch = plain.batches_per_epoch
        self.plain = plain
        """The labelled rows' batches before they are dealt out by length."""
        self.streams = [(first, self._bucketed(plain, first))]
        if len(others):
            beside = CircularRows(len(others), task.unlabeled_rows, seed + 1)
            self.streams.append((others, self._bucketed(beside, others)))

    def batch(self, index: int) -> NDArray[np.int64]:
        """Return the rows of a batch, labelled ones first."""
        return np.concatenate([chosen[rows.batch(index)] for chosen, rows in self.streams])

    def parts(
        self, index: int, *, process: int = 0, processes: int = 1, accumulation: int = 1
    ) -> list[Part]:
        """Return one process's micro-batches of a batch.

        Their shares are of the whole batch, times the processes, over which gradients are averaged:
        so parts of unequal size add up to the batch. Rows are dealt out by turns, so that labelled
        ones and others are everywhere.
        """
        rows = self.batch(index)
        total = max(1, int(self.known_N[rows].sum()))
        mine = rows[process::processes]
        dealt = [mine[first::accumulation] for first in range(accumulation)]
        return [
            Part(
                self.tokens.batch(part),
                labeled=float(self.known_N[part].sum()) * processes / total,
                rows=len(part) * processes / len(rows),
            )
            for part in dealt
        ]

    def _bucketed(self, plain: CircularRows, rows: NDArray[np.int64]) -> BucketedRows:
        return BucketedRows(plain, self.tokens.lengths[rows], seed=plain.seed)
