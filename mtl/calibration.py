"""Probabilities that mean what they say: a temperature fitted to held-out rows, and what is left.

*Source:* Guo et al. 2017, arXiv 1706.04599 (temperature scaling, section 4.2; expected calibration
error, equation 3). Shapes: N rows, C classes. Everything is float64.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax

Matrix = NDArray[np.float64]

LEAST_ROWS = 30
"""Rows below which no temperature is fitted: it would be off by a third or so."""
LEAST, MOST = 0.1, 10.0
"""Between these a temperature is believed; beyond, the rows are all right or tell nothing."""
BINS = 15
"""Bins of the calibration error, as many as in the paper."""
_SMALLEST = float(np.finfo(np.float64).tiny)


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """Find the temperature T whose softmax(logits / T) has the least negative log-likelihood.

    That is convex in 1/T, so the one root of the derivative is looked for:
    mean over rows of E_p[logits] - logits[label] = 0 under p = softmax(logits / T).

    Args:
        logits: (N, C), or log-probabilities, which are logits too; -inf is a probability of 0.
        labels: (N,) true classes; rows with -1 are left out.

    Returns:
        T, or 1 where fewer than :data:`LEAST_ROWS` rows are labelled or T would be less than
        :data:`LEAST` (every row is right, say) or more than :data:`MOST` (no better than chance).

    Raises:
        ValueError: The shapes do not fit, or a logit is NaN or +inf, or all of a row are -inf.

    Example:
        >>> logits = np.log([[0.9, 0.1]] * 40)
        >>> labels = np.arange(40) % 4 == 0  # 75 % are of class 0, not 90 %
        >>> round(fit_temperature(logits, labels.astype(int)), 6)
        2.0
    """
    logits_NC, labels_N = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if logits_NC.ndim != 2 or labels_N.shape != (len(logits_NC),):
        raise ValueError(
            f"logits: found shape {logits_NC.shape} and labels {labels_N.shape}; want (N, C), (N,)"
        )
    if not np.isfinite(logits_NC.max(axis=1)).all():
        raise ValueError("logits: found NaN, +inf or a row of -inf; want numbers")
    known = labels_N >= 0
    if known.sum() < LEAST_ROWS:
        return 1.0
    logits_NC, labels_N = log_softmax(logits_NC[known], axis=1), labels_N[known].astype(np.int64)
    logits_NC = np.maximum(logits_NC, np.log(_SMALLEST))
    own_N = logits_NC[np.arange(len(labels_N)), labels_N]

    def slope(sharpness: float) -> float:
        expected_N = np.einsum("nc,nc->n", softmax(logits_NC * sharpness, axis=1), logits_NC)
        return float(np.mean(expected_N - own_N))

    if slope(1 / MOST) >= 0 or slope(1 / LEAST) <= 0:
        return 1.0
    return 1 / float(brentq(slope, 1 / MOST, 1 / LEAST, xtol=1e-12, rtol=1e-12))


def tempered(probabilities: Matrix, temperature: float) -> Matrix:
    """Return the probabilities at another temperature: p^(1/T), normalized.

    The likeliest class stays the likeliest; T and then 1/T gives back what was there.

    Args:
        probabilities: (N, C).
        temperature: T > 0; above 1 flattens, below 1 sharpens.

    Raises:
        ValueError: T is no positive number.

    Example:
        >>> tempered(np.array([[0.9, 0.1]]), 2.0).round(6)
        array([[0.75, 0.25]])
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature: found {temperature}; want a positive number")
    if temperature == 1:
        return probabilities
    logs = np.log(np.maximum(probabilities, _SMALLEST))
    return np.asarray(softmax(logs / temperature, axis=1))


def expected_calibration_error(
    probabilities: Matrix, labels: NDArray[np.int64], *, bins: int = BINS
) -> float:
    """Average the distance between confidence and accuracy: Σ_b N_b/N |accuracy_b - confidence_b|.

    The confidence of a row is its largest probability; bin b of B holds those in ((b-1)/B, b/B].

    Few rows give large values whatever the model: one that is calibrated perfectly, right in a
    share a of N rows that fill B bins evenly, is expected to show about sqrt(2 B a (1-a) / (π N)),
    which is 0.12 for 100 rows, 15 bins and a = 0.8, and 0.04 for 1,000. Compare values at equal N.

    Args:
        probabilities: (N, C), N ≥ 1.
        labels: (N,) true classes.
        bins: B.

    Example:
        >>> always = np.array([[0.8, 0.2]] * 4)
        >>> round(expected_calibration_error(always, np.array([0, 0, 1, 1])), 6)
        0.3
    """
    confidence_N = probabilities.max(axis=1)
    right_N = probabilities.argmax(axis=1) == labels
    place_N = np.clip(np.ceil(confidence_N * bins).astype(np.int64) - 1, 0, bins - 1)
    gap_B = np.bincount(place_N, weights=right_N - confidence_N, minlength=bins)
    return float(np.abs(gap_B).sum() / len(labels))


def log_loss(probabilities: Matrix, labels: NDArray[np.int64]) -> float:
    """Return the mean of -ln p(label), in nats; p counts as 2.2e-16 at least, so it is finite.

    Args:
        probabilities: (N, C), N ≥ 1.
        labels: (N,) true classes.
    """
    own_N = probabilities[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(own_N, np.finfo(np.float64).eps))))


def calibration_scores(
    probabilities: Matrix, labels: NDArray[np.int64], *, temperature: float | None
) -> dict[str, float]:
    """Say how far probabilities are to be believed.

    Args:
        probabilities: (N, C), N ≥ 1.
        labels: (N,) true classes.
        temperature: What they were tempered with; None where none is meant to be.

    Returns:
        ``ece``, ``log_loss`` and, but for None, ``ece_uncalibrated``, of what they were before.
    """
    scores = {"ece": expected_calibration_error(probabilities, labels)}
    if temperature is not None:
        before = tempered(probabilities, 1 / temperature)
        scores["ece_uncalibrated"] = expected_calibration_error(before, labels)
    return scores | {"log_loss": log_loss(probabilities, labels)}
