"""What a multitask run scored: each task's own score with its interval, and its answers by class.

Shapes: C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import Interval, accuracy_interval, correlation_interval

MEASURES = {
    "pearson": "Pearson's r",
    "spearman": "Spearman's rho",
    "mean_squared_error": "mean squared error",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "ece": "expected calibration error",
    "ece_uncalibrated": "the same before calibration",
    "log_loss": "log loss, nats",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskScore:
    """The scores of one task on one part.

    Attributes:
        name: of the task.
        part: "dev" or "test".
        measure: its own score, the one that counts: ``pearson`` of a score, else ``accuracy``.
        values: every score that is known, in the order of :data:`MEASURES`.
        intervals: 95 % intervals of accuracy (Wilson) and Pearson's r (Fisher's z).
        rows: how many were scored; 0 where unknown.
        classes: names of the classes, or of the unit buckets of a score.
        confusion: rows by class and answer, shape (C, C), classes down; None where unknown.
    """

    name: str
    part: str
    measure: str
    values: Mapping[str, float]
    intervals: Mapping[str, Interval]
    rows: int
    classes: Sequence[str]
    confusion: NDArray[np.int64] | None

    @property
    def own(self) -> float:
        """Return the task's own score; NaN where it is unknown."""
        return self.values.get(self.measure, float("nan"))


def task_scores(result: Mapping[str, Any], part: str) -> list[TaskScore]:
    """Return the scores of each task of a multitask run, in the run's order.

    Args:
        result: the content of ``result.json``.
        part: "dev" or "test"; a task without scores there is left out.
    """
    by_task = result.get(part) or {}
    return [
        _task_score(name, part, by_task[name], task)
        for name, task in (result.get("tasks") or {}).items()
        if by_task.get(name)
    ]


def best_scores(result: Mapping[str, Any]) -> list[TaskScore]:
    """Return the scores on the test part, or on dev where no task has a test part."""
    return task_scores(result, "test") or task_scores(result, "dev")


def _task_score(
    name: str, part: str, entry: Mapping[str, Any], task: Mapping[str, Any]
) -> TaskScore:
    """Gather one task's scores and work out their intervals."""
    rows = entry.get("rows") or 0
    values = {key: float(entry[key]) for key in MEASURES if _is_number(entry.get(key))}
    intervals = {}
    if rows and "accuracy" in values:
        intervals["accuracy"] = accuracy_interval(round(values["accuracy"] * rows), rows)
    if rows > 3 and "pearson" in values:
        intervals["pearson"] = correlation_interval(values["pearson"], rows)
    confusion = entry.get("confusion")
    counts = np.asarray(confusion, dtype=np.int64) if confusion else None
    classes = [str(known) for known in task.get("classes") or ()]
    if counts is not None and len(classes) != len(counts):
        classes = [str(index) for index in range(len(counts))]
    return TaskScore(
        name=name,
        part=part,
        # A correlation that cannot be computed, since all answers are alike, is there as null.
        measure="pearson" if "pearson" in entry else "accuracy",
        values=values,
        intervals=intervals,
        rows=rows,
        classes=classes,
        confusion=counts,
    )


def _is_number(value: object) -> bool:
    """Tell whether a value is a number that a score can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
