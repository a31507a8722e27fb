"""Scores of predicted probabilities against labels, with an interval and a paired test.

Source: Wilson 1927 (interval of a share); McNemar 1947, in its exact form (paired test);
Bonett & Price 2012 (interval of a paired difference).
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.statistics import Interval, accuracy_interval
from mtl.scores import balanced_accuracy, confusion, expected_score, macro_f1, pearson
from mtl.text.data import Corpus

Matrix = NDArray[np.float64]


def score(probabilities: Matrix, corpus: Corpus) -> dict[str, Any]:
    """Score the predictions for a labelled part.

    Args:
        probabilities: (N, C), a row per row of the corpus.
        corpus: N ≥ 1 labelled rows.

    Returns:
        ``accuracy`` with its 95 % interval ``accuracy_low`` to ``accuracy_high``, ``macro_f1``,
        ``balanced_accuracy``, ``rows``; for a score task also ``pearson``, which is None where
        predictions or scores do not vary.
    """
    predicted = probabilities.argmax(axis=1)
    counts = confusion(corpus.labels, predicted, num_classes=probabilities.shape[1])
    correct = int(np.trace(counts))
    interval = accuracy_interval(correct, len(corpus))
    scores: dict[str, Any] = {
        "accuracy": correct / len(corpus),
        "macro_f1": macro_f1(counts),
        "balanced_accuracy": balanced_accuracy(counts),
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "rows": len(corpus),
    }
    if corpus.scores is not None:
        scores["pearson"] = pearson(expected_score(probabilities, corpus.task), corpus.scores)
    return scores


def exact_mcnemar(
    labels: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> float:
    """Test whether two classifiers err equally often on the same rows; two-sided, exact.

    Args:
        labels: (N,) true classes.
        first: (N,) predictions of one classifier.
        second: (N,) predictions of the other.

    Returns:
        The p-value; 1 where they are right and wrong on the same rows.
    """
    only_first, only_second = _discordant(labels, first, second)
    if only_first + only_second == 0:
        return 1.0
    return float(stats.binomtest(only_first, only_first + only_second, 0.5).pvalue)


def paired_interval(
    labels: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> Interval:
    """Return the 95 % interval of first minus second accuracy on the same rows.

    Args:
        labels: (N,) true classes.
        first: (N,) predictions of one classifier.
        second: (N,) predictions of the other.

    References:
        Bonett & Price 2012, adjusted Wald interval of a difference of paired proportions.
    """
    only_first, only_second = _discordant(labels, first, second)
    rows = len(labels) + 2
    gain, loss = (only_first + 1) / rows, (only_second + 1) / rows
    margin = float(stats.norm.ppf(0.975)) * math.sqrt((gain + loss - (gain - loss) ** 2) / rows)
    return Interval(max(gain - loss - margin, -1.0), min(gain - loss + margin, 1.0))


def _discordant(
    labels: NDArray[np.int64], first: NDArray[np.int64], second: NDArray[np.int64]
) -> tuple[int, int]:
    """Count the rows that the first alone has right, and the second alone."""
    first_right, second_right = first == labels, second == labels
    return int(np.sum(first_right & ~second_right)), int(np.sum(second_right & ~first_right))
