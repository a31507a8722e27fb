"""Scores of predictions: pure functions of labels and what was predicted for them.

Shapes: N rows, C classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mtl.calibration import calibration_scores
from mtl.text.tasks import Task

Matrix = NDArray[np.float64]


def confusion(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], *, num_classes: int
) -> NDArray[np.int64]:
    """Count rows by label and prediction, shape (C, C); labels run down.

    Example:
        >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), num_classes=2)
        array([[1, 0],
               [1, 1]])
    """
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def macro_f1(counts: NDArray[np.int64]) -> float:
    """Average F1 over the classes that occur as label or prediction.

    Args:
        counts: Of :func:`confusion`.
    """
    occurrences = counts.sum(axis=0) + counts.sum(axis=1)
    present = occurrences > 0
    return float(np.mean(2 * np.diag(counts)[present] / occurrences[present]))


def balanced_accuracy(counts: NDArray[np.int64]) -> float:
    """Average the recall over the classes that occur as labels.

    Args:
        counts: Of :func:`confusion`.
    """
    rows = counts.sum(axis=1)
    return float(np.mean(np.diag(counts)[rows > 0] / rows[rows > 0]))


def expected_score(probabilities: Matrix, task: Task) -> NDArray[np.float64]:
    """Return the mean score under the bucket probabilities of a score task, shape (N,).

    Example:
        >>> task = Task(name="s", arity=2, output="score", classes=("1", "2"), low=1.0, high=2.0)
        >>> expected_score(np.array([[0.5, 0.5]]), task)
        array([1.5])
    """
    centers = np.clip(task.first_bucket + np.arange(task.num_classes), task.low, task.high)
    return probabilities @ centers


def class_accuracies(counts: NDArray[np.int64]) -> list[float | None]:
    """Return the share of each class's rows that were found, None for a class without rows.

    Args:
        counts: Of :func:`confusion`.
    """
    rows = counts.sum(axis=1)
    found = zip(np.diag(counts), rows, strict=True)
    return [float(right / count) if count else None for right, count in found]


def pearson(predicted: NDArray[np.float64], scores: NDArray[np.float64]) -> float | None:
    """Return Pearson's correlation; None where one side does not vary."""
    if len(scores) < 2 or not np.ptp(predicted) > 0.0 or not np.ptp(scores) > 0.0:
        return None
    return float(np.corrcoef(predicted, scores)[0, 1])


def spearman(predicted: NDArray[np.float64], scores: NDArray[np.float64]) -> float | None:
    """Return Spearman's correlation, of ranks with ties shared; None where one side is flat."""
    return pearson(stats.rankdata(predicted), stats.rankdata(scores))


def answer_scores(counts: NDArray[np.int64]) -> dict[str, Any]:
    """Score which class was answered.

    Args:
        counts: Of :func:`confusion`, of one row at least.

    Returns:
        ``accuracy``, ``macro_f1``, ``balanced_accuracy``, ``class_accuracy`` (a list),
        ``confusion`` (nested lists, labels down) and ``rows``.
    """
    rows = int(counts.sum())
    return {
        "accuracy": int(np.trace(counts)) / rows,
        "macro_f1": macro_f1(counts),
        "balanced_accuracy": balanced_accuracy(counts),
        "class_accuracy": class_accuracies(counts),
        "confusion": counts.tolist(),
        "rows": rows,
    }


def class_scores(
    probabilities: Matrix, labels: NDArray[np.int64], *, temperature: float = 1.0
) -> dict[str, Any]:
    """Score class probabilities.

    Args:
        probabilities: (N, C), N >= 1.
        labels: (N,) true classes.
        temperature: What they were tempered with.

    Returns:
        Everything of :func:`answer_scores`; ``ece``, ``ece_uncalibrated`` and ``log_loss`` of
        :func:`mtl.calibration.calibration_scores`.
    """
    counts = confusion(labels, probabilities.argmax(1), num_classes=probabilities.shape[1])
    believed = calibration_scores(probabilities, labels, temperature=temperature)
    return answer_scores(counts) | believed


def regression_scores(
    predicted: NDArray[np.float64], scores: NDArray[np.float64], task: Task
) -> dict[str, Any]:
    """Score a regression: both correlations, and everything of :func:`answer_scores` by bucket.

    Args:
        predicted: (N,) predicted scores, N >= 1.
        scores: (N,) true ones.
        task: The score task, whose unit buckets are the classes.
    """
    found, true = task.bucket(predicted), task.bucket(scores)
    return {
        "pearson": pearson(predicted, scores),
        "spearman": spearman(predicted, scores),
        "mean_squared_error": float(np.mean((predicted - scores) ** 2)),
        **answer_scores(confusion(true, found, num_classes=task.num_classes)),
    }


def overall_scores(by_task: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Sum the tasks up in the two ways of the papers.

    Args:
        by_task: The scores of each task; ``pearson`` is a task's own score where it has one, 0
            where that is None, else ``accuracy``.

    Returns:
        ``mean``, the mean of the tasks' own scores (Griggs; arXiv 2408.15265), and ``normalized``,
        the same with correlations r as (r + 1) / 2 (He & Zhao, eq. 7).
    """
    own = [
        (float(scores["pearson"] or 0.0), True)
        if "pearson" in scores
        else (float(scores["accuracy"]), False)
        for scores in by_task.values()
    ]
    return {
        "mean": float(np.mean([value for value, _ in own])),
        "normalized": float(np.mean([(v + 1) / 2 if correlation else v for v, correlation in own])),
    }
