"""Classifier two-sample test: can anything tell fakes from real rows?

Source: Lopez-Paz & Oquab 2017, arXiv 1610.06545. Deviations: a kernel ridge classifier instead of a
network, because its cross-validated answers are linear in the labels; so the p-value comes from
permuted labels, each cross-validated anew at the price of one matrix product. Answers of one
cross-validation depend on each other, which makes the source's normal approximation too bold here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve

from analysis.distances import Matrix, as_sample_pair
from analysis.metrics.diversity import similarity_width, squared_distances
from analysis.statistics import Interval, accuracy_interval, middle

MOST_ROWS = 500
FOLDS = 5
PERMUTATIONS = 999
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class ClassifierTest:
    """How well a classifier tells fakes from real rows that it was not fitted to.

    Attributes:
        accuracy: share of right answers over both kinds; ½ where they cannot be told apart.
        interval: of that share, Wilson's; it takes the answers as independent.
        null: mean accuracy under permuted labels, the floor at these sizes.
        null_interval: where 95 % of the accuracies under permuted labels lie.
        p_value: one-sided permutation test, exact.
        rows: rows of each kind.
    """

    accuracy: float
    interval: Interval
    null: float
    null_interval: Interval
    p_value: float
    rows: int


def classifier_two_sample(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    folds: int = FOLDS,
    permutations: int = PERMUTATIONS,
    rng: int | np.random.Generator = 0,
) -> ClassifierTest:
    """Test whether a cross-validated classifier tells fakes from real rows.

    Args:
        real: shape (N, D); as many rows of each kind are taken, at most 500.
        fake: shape (M, D).
        folds: parts of the cross-validation; the smaller set has at least as many rows.
        permutations: of the labels.
        rng: seed or generator of rows, folds and permutations.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, or folds do not fit.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    equal = min(len(real_ND), len(fake_MD), MOST_ROWS)
    if not 2 <= folds <= equal:
        raise ValueError(f"folds: found {folds} with {equal} rows of each kind; want 2 to {equal}")
    generator = np.random.default_rng(rng)
    rows = [part[generator.permutation(len(part))[:equal]] for part in (real_ND, fake_MD)]
    answers = _cross_validation(np.concatenate(rows), folds, generator)
    labels = np.repeat([1.0, -1.0], equal)
    permuted = np.stack([generator.permutation(labels) for _ in range(permutations)], axis=1)
    hits = (answers @ labels > 0.0) == (labels > 0.0)
    accuracy = float(hits.mean())
    null = ((answers @ permuted > 0.0) == (permuted > 0.0)).mean(axis=0)
    return ClassifierTest(
        accuracy=accuracy,
        interval=accuracy_interval(int(hits.sum()), len(hits)),
        null=float(null.mean()),
        null_interval=middle(null),
        p_value=float((1 + (null >= accuracy).sum()) / (1 + permutations)),
        rows=equal,
    )


def _cross_validation(rows: Matrix, folds: int, rng: np.random.Generator) -> Matrix:
    """Return the matrix (n, n) that maps labels ±1 to answers by rows of other folds.

    It knows nothing of the labels: neither folds nor the kernel's width change with them.
    """
    squared = squared_distances(rows, rows)
    kernel = np.exp(squared / (-2.0 * similarity_width(squared) ** 2))
    # Centered: one direction, that of the mean, would else outweigh all that tells rows apart.
    kernel -= kernel.mean(axis=0)
    kernel -= kernel.mean(axis=1, keepdims=True)
    answers = np.zeros_like(kernel)
    fold = rng.permutation(len(rows)) % folds
    for number in range(folds):
        out, fit = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        inner = kernel[np.ix_(fit, fit)] + RIDGE * np.eye(len(fit))
        answers[np.ix_(out, fit)] = cho_solve(cho_factor(inner), kernel[np.ix_(fit, out)]).T
    return answers
