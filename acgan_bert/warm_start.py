"""Where both players begin: logistic regression, and a class-conditional Gaussian.

The players' linear skips hold these as special cases; starting there means that every further step
has to earn its place. The penalty that cross-validation chose for the regression stays on the
discriminator's skip during training, so that pseudo-labels move it against the same resistance.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

STRENGTHS = (1.0, 3.0, 10.0)
"""Inverse penalties C that cross-validation chooses from, for rows of mean square norm 1."""
SHARPNESS = 2.0
"""Power to which guessed class probabilities are raised before class means are taken."""
MOST_ROWS = 2000
"""Rows that cross-validation looks at; more do not change the choice and cost time."""


@dataclass(frozen=True, slots=True)
class LinearClassifier:
    """Logits x @ weights + bias: weights (D, C), bias (C,), and the inverse penalty C chosen."""

    weights: np.ndarray
    bias: np.ndarray
    strength: float

    def predict_proba(self, vectors: np.ndarray) -> np.ndarray:
        """Return class probabilities, (N, C)."""
        logits = vectors @ self.weights + self.bias
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)


@threadpool_limits.wrap(limits=1)  # small systems: waiting for a second thread costs more
def fit_logistic(vectors: np.ndarray, labels: np.ndarray, *, seed: int) -> LinearClassifier:
    """Fit multinomial logistic regression, its penalty chosen by cross-validated likelihood.

    Args:
        vectors: Labelled rows, (n, D), of mean square norm about 1.
        labels: Their classes, (n,), every class 0 … C-1 present.
        seed: Seed of the folds.

    Returns:
        The classifier; two classes are written as a symmetric pair of logits.
    """
    strength = choose_strength(vectors, labels, seed=seed)
    fitted = LogisticRegression(C=strength, max_iter=1000).fit(vectors, labels)
    weights, bias = fitted.coef_.T, fitted.intercept_
    if weights.shape[1] == 1:
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return LinearClassifier(weights, bias, strength)


@threadpool_limits.wrap(limits=1)
def choose_strength(vectors: np.ndarray, labels: np.ndarray, *, seed: int) -> float:
    """Return the inverse penalty of the highest held-out likelihood over stratified folds.

    With fewer than two rows in some class, or two classes, there is nothing to validate on: the
    middle of the range is returned.
    """
    if len(labels) > MOST_ROWS:
        kept = np.random.default_rng(seed).permutation(len(labels))[:MOST_ROWS]
        vectors, labels = vectors[kept], labels[kept]
    counts = np.unique(labels, return_counts=True)[1]
    folds = min(5, int(counts.min()))
    if folds < 2 or len(counts) < 2:
        return STRENGTHS[len(STRENGTHS) // 2]
    likelihoods = np.zeros(len(STRENGTHS))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for inside, outside in splitter.split(vectors, labels):
        for index, strength in enumerate(STRENGTHS):
            model = LogisticRegression(C=strength, max_iter=200)
            model.fit(vectors[inside], labels[inside])
            columns = np.searchsorted(model.classes_, labels[outside])
            picked = model.predict_log_proba(vectors[outside])[np.arange(len(outside)), columns]
            likelihoods[index] += np.maximum(picked, -30.0).sum()
    return STRENGTHS[int(likelihoods.argmax())]


def fit_class_gaussian(
    vectors: np.ndarray, posterior: np.ndarray, *, noise_width: int
) -> np.ndarray:
    """Fit class means and a common covariance to rows of known or guessed class.

    One step of expectation-maximization from the classifier: every row, labelled or not, takes part
    in each class as far as it is thought to belong to it. The probabilities are sharpened first: a
    regression on few labels is under-confident, and its guesses as they are would pull the class
    means together.

    Args:
        vectors: Embeddings, (N, D).
        posterior: Class probabilities of the rows, (N, C); one-hot where the label is known.
        noise_width: Number Z of principal components that the noise spans.

    Returns:
        Linear map (Z + C, D) from standard normal noise and one-hot class to embeddings.
    """
    posterior = posterior**SHARPNESS
    posterior = posterior / posterior.sum(1, keepdims=True)
    mass = posterior.sum(0)
    means = posterior.T @ vectors / np.maximum(mass, 1e-9)[:, None]
    weighted = np.sqrt(mass / mass.sum())[:, None] * means
    covariance = vectors.T @ vectors / len(vectors) - weighted.T @ weighted
    variances, axes = np.linalg.eigh(covariance)
    kept = np.argsort(variances)[::-1][:noise_width]
    spread = np.zeros((noise_width, vectors.shape[1]))
    spread[: len(kept)] = (axes[:, kept] * np.sqrt(np.maximum(variances[kept], 0.0))).T
    return np.concatenate([spread, means])
