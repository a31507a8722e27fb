"""Scores of predicted probabilities against labels, with an interval and a paired test; rejection.

Source: Wilson 1927 (interval of a share); McNemar 1947, in its exact form (paired test);
Bonett & Price 2012 (interval of a paired difference); Geifman & El-Yaniv 2017, arXiv 1705.08500
(risk and coverage).
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import accuracy_interval
from mtl.calibration import LEAST_ROWS, calibration_scores
from mtl.scores import balanced_accuracy, confusion, expected_score, macro_f1, pearson
from mtl.text.data import Corpus

Matrix = NDArray[np.float64]
Vector = NDArray[np.float64]

COVERAGE = 0.8
"""Share of the rows that is answered where rejection is summed up in one accuracy."""


def score(
    probabilities: Matrix, corpus: Corpus, *, temperature: float | None = None
) -> dict[str, Any]:
    """Score the predictions for a labelled part.

    Args:
        probabilities: (N, C), a row per row of the corpus.
        corpus: N ≥ 1 labelled rows.
        temperature: What they were tempered with; None where none is meant to be.

    Returns:
        ``accuracy`` with its 95 % interval ``accuracy_low`` to ``accuracy_high``, ``macro_f1``,
        ``balanced_accuracy``, ``rows``; ``ece``, ``log_loss`` and, with a temperature,
        ``ece_uncalibrated`` of :func:`mtl.calibration.calibration_scores`; for a score task also
        ``pearson``, which is None where predictions or scores do not vary.
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
        **calibration_scores(probabilities, corpus.labels, temperature=temperature),
    }
    if corpus.scores is not None:
        scores["pearson"] = pearson(expected_score(probabilities, corpus.task), corpus.scores)
    return scores


def rejection(
    probabilities: Matrix, p_fake: Vector, labels: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Compare two reasons to leave a row unanswered: it is taken for a fake, its class is in doubt.

    Args:
        probabilities: (N, C), N ≥ 1.
        p_fake: (N,) larger for rows that are rather taken for fakes.
        labels: (N,) true classes.

    Returns:
        For ``p_fake`` and for ``confidence``, by which the rows of least max p are rejected first:
        ``aurc`` of :func:`risk_coverage_area` and ``accuracy_at_80`` of :func:`accuracy_at`.
    """
    wrong = probabilities.argmax(axis=1) != labels
    doubts = {"p_fake": p_fake, "confidence": 1 - probabilities.max(axis=1)}
    return {
        name: {
            "aurc": risk_coverage_area(doubt, wrong),
            "accuracy_at_80": accuracy_at(doubt, wrong, coverage=COVERAGE),
        }
        for name, doubt in doubts.items()
    }


def rejection_notes(found: Mapping[str, Any]) -> list[str]:
    """Say so where p(fake) finds wrong answers less well than the probabilities do.

    Args:
        found: What :func:`rejection` returned, and ``on``, the part; empty without one.
    """
    if not found or found["p_fake"]["aurc"] <= found["confidence"]["aurc"]:
        return []
    fake, confidence = (found[name]["aurc"] for name in ("p_fake", "confidence"))
    return [
        f"to leave doubtful rows unanswered, use the probabilities and not p_fake: the area under "
        f"the risk-coverage curve on {found['on']} is {fake:.3f} by p_fake, {confidence:.3f} by "
        "1 - max p (less is better)"
    ]


def risk_coverage_area(doubt: Vector, wrong: NDArray[np.bool_]) -> float:
    """Average the share of wrong answers over the n rows of least doubt, for n = 1 to N.

    It is the share of all wrong answers, in the mean, where doubt knows nothing, and less where the
    wrong ones are doubted. Rows of equal doubt count as if they came in any order.

    Args:
        doubt: (N,) N ≥ 1.
        wrong: (N,) whether the answer is.

    Example:
        >>> wrong = np.array([False, False, True])
        >>> risk_coverage_area(np.array([0.1, 0.2, 0.9]), wrong)  # (0 + 0 + 1/3) / 3
        0.1111111111111111
    """
    return float(np.mean(_risks(doubt, wrong)))


def accuracy_at(doubt: Vector, wrong: NDArray[np.bool_], *, coverage: float) -> float:
    """Return the accuracy on the rows of least doubt, ⌈coverage · N⌉ of N ≥ 1.

    Rows of equal doubt count as if they came in any order.
    """
    kept = max(1, math.ceil(round(coverage * len(wrong), 9)))
    return float(1 - _risks(doubt, wrong)[kept - 1])


def _risks(doubt: Vector, wrong: NDArray[np.bool_]) -> Vector:
    """Return the expected share of wrong answers among the n rows of least doubt, (N,)."""
    _, place, counts = np.unique(doubt, return_inverse=True, return_counts=True)
    shares = np.bincount(place, weights=wrong) / counts
    return np.asarray(np.cumsum(np.repeat(shares, counts)) / np.arange(1, len(wrong) + 1))


def calibration_note(temperature: float, *, dev_rows: int, tested: bool) -> str:
    """Say whether the probabilities were calibrated, and on which rows that can be checked.

    Args:
        temperature: Of the model.
        dev_rows: Labelled dev rows that there were to fit it to.
        tested: Whether there is a test part.
    """
    if not dev_rows:
        return "probabilities are not calibrated: there are no dev rows to fit a temperature to"
    if temperature == 1:
        return (
            f"probabilities are not calibrated: {dev_rows} dev rows give no temperature (at least "
            f"{LEAST_ROWS}, of which some are answered wrong, and better than by chance)"
        )
    honest = "that of test is the honest one" if tested else "no test part tells the honest one"
    return (
        f"probabilities are calibrated with the temperature {temperature:.3g}, fitted to dev, "
        f"whose calibration error is therefore flattered; {honest}"
    )
