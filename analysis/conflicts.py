"""How the gradients of two tasks agreed over training, from the lines of ``conflicts.jsonl``.

Two gradients are in conflict where their cosine is negative (Yu et al. 2020, definition 1).
Shapes: G groups of parameters, V evaluations.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.distances import Matrix

WHOLE = "all"
MOST_PANELS = 6  # pairs that a figure gives panels of their own; of more each has a line
FIELDS = ("step", "task_a", "task_b", "group", "steps", "conflict_share", "mean_cosine")
_LAYER = re.compile(r"layer (\d+)")


@dataclass(frozen=True, slots=True, eq=False)
class PairConflicts:
    """Two tasks' gradients, each evaluation standing for the steps since the one before.

    Attributes:
        tasks: their names.
        groups: names of the groups: all parameters, embeddings, each layer, the rest.
        ends: step of each evaluation, shape (V,).
        counts: steps that had both gradients, shape (G, V).
        shares: share of these in conflict, shape (G, V); NaN where there are none.
        cosines: their mean cosine, shape (G, V); NaN where there are none.
        lowest: least cosine of each group in any step, shape (G,); NaN where unknown.
    """

    tasks: tuple[str, str]
    groups: Sequence[str]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]
    shares: Matrix
    cosines: Matrix
    lowest: NDArray[np.float64]

    @property
    def name(self) -> str:
        """Return the two tasks as one name."""
        return " \N{MULTIPLICATION SIGN} ".join(self.tasks)

    def total(self, group: str = WHOLE) -> tuple[int, float, float, float]:
        """Return steps, share in conflict, mean and lowest cosine of a group over all training."""
        row = self.groups.index(group)
        counts = self.counts[row]
        steps = int(counts.sum())
        if not steps:
            return 0, float("nan"), float("nan"), float("nan")
        share = float(np.nansum(self.shares[row] * counts) / steps)
        mean = float(np.nansum(self.cosines[row] * counts) / steps)
        return steps, share, mean, float(self.lowest[row])


def pair_conflicts(
    records: Sequence[Mapping[str, Any]], evaluations: Sequence[int] = ()
) -> list[PairConflicts]:
    """Return each pair of tasks in the order of the records, all on the same groups and steps.

    Args:
        records: lines of ``conflicts.jsonl``, each with :data:`FIELDS`; of ``min_cosine`` too
            where it is known.
        evaluations: steps of the evaluations, of which one has no lines where no two gradients met
            since the one before: a loss that has saturated has none.

    Example:
        >>> line = {"step": 10, "task_a": "a", "task_b": "b", "group": "all", "steps": 4}
        >>> [pair] = pair_conflicts([line | {"conflict_share": 0.25, "mean_cosine": 0.1}])
        >>> pair.name, pair.total()[:2]
        ('a × b', (4, 0.25))
    """
    ends = sorted({int(record["step"]) for record in records}.union(map(int, evaluations)))
    names = dict.fromkeys([WHOLE, *(str(record["group"]) for record in records)])
    groups = sorted(names, key=_depth)
    by_pair: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for record in records:
        pair = (str(record["task_a"]), str(record["task_b"]))
        by_pair.setdefault(pair, []).append(record)
    return [_gathered(pair, lines, groups, ends) for pair, lines in by_pair.items()]


def _gathered(
    pair: tuple[str, str],
    lines: Sequence[Mapping[str, Any]],
    groups: Sequence[str],
    ends: Sequence[int],
) -> PairConflicts:
    """Put the lines of one pair into matrices."""
    shape = (len(groups), len(ends))
    counts = np.zeros(shape, dtype=np.int64)
    shares, cosines, lowest = (np.full(shape, np.nan) for _ in range(3))
    for line in lines:
        cell = groups.index(str(line["group"])), ends.index(int(line["step"]))
        counts[cell] = line["steps"]
        shares[cell], cosines[cell] = line["conflict_share"], line["mean_cosine"]
        lowest[cell] = line.get("min_cosine", np.nan)
    # fmin passes over NaN, and unlike nanmin says nothing of rows that hold nothing else.
    least = np.fmin.reduce(lowest, axis=1)
    return PairConflicts(pair, groups, np.array(ends), counts, shares, cosines, least)


def _depth(group: str) -> tuple[int, int]:
    """Order groups as data flows through a transformer, all parameters first."""
    if found := _LAYER.fullmatch(group):
        return 2, int(found[1])
    return {WHOLE: 0, "embeddings": 1}.get(group, 3), 0
