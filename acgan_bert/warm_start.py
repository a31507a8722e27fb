"""Where both players begin: logistic regression, and a class-conditional Gaussian.

The generator begins at the Gaussian, the discriminator halfway between the regression and the
Gaussian's Bayes rule. The players' linear skips hold these as special cases; starting there means
that every further step has to earn its place. The penalty behind the regression stays on the
discriminator's skip during training, so that pseudo-labels move it against the same resistance.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits

STRENGTHS = (1.0, 3.0, 10.0, 30.0)
"""Inverse penalties C that are weighed against each other, for rows of mean square norm 1."""
NEGLIGIBLE = 1e-3
"""Share below which a fit is not worth its time."""
SHARPNESS = 2.0
"""Power to which guessed class probabilities are raised before class means are taken."""
SHRINKAGE = 0.3
"""Least share of a multiple of the identity in the covariance behind the Gaussians' classifier."""
LEAST_SPREAD = 0.5
"""Least mean variance of that multiple, of coordinates whose mean square is 1."""
FOLDS = 5
"""Parts that rows are held out in; fewer where a class has fewer rows."""
MOST_ROWS = 1000
"""Rows that cross-validation looks at; more do not change the choice and cost time."""
MOST_FITS = 32
"""Fits of a process that are kept for whoever asks for the same again."""


@dataclass(frozen=True, slots=True)
class LinearClassifier:
    """Logits x @ weights + bias, and what they are an average over."""

    weights: np.ndarray
    """(D, C)."""
    bias: np.ndarray
    """(C,)."""
    strength: float
    """Inverse penalty C: the geometric mean over the average."""
    shares: np.ndarray
    """(S,) weight of each gain in the average."""

    def predict_proba(self, vectors: np.ndarray) -> np.ndarray:
        """Return class probabilities, (N, C)."""
        return softmax(vectors @ self.weights + self.bias, axis=1)


@threadpool_limits.wrap(limits=1)  # small systems: waiting for a second thread costs more
def fit_logistic(
    vectors: np.ndarray,
    labels: np.ndarray,
    *,
    gains: np.ndarray,
    prior: Sequence[float],
    seed: int,
) -> LinearClassifier:
    """Fit multinomial logistic regression under several gains and penalties; average the fits.

    With few labels the best gain and penalty are hardly known, and picking one is a gamble. So each
    fit counts by its prior times its held-out likelihood, as a model's posterior weight would be
    (Bayesian model averaging, the cross-validated likelihood in place of the evidence).

    Args:
        vectors: Labelled rows, (n, D).
        labels: Their classes, (n,), every class 0 … C-1 present.
        gains: Factors on the columns, (S, D), each giving rows of mean square norm about 1.
        prior: Prior weight of each gain.
        seed: Seed of the folds.

    Returns:
        The average, which is linear in the vectors as they are. Two classes are written as a
        symmetric pair of logits.
    """
    # The programs of a study begin at the same few fits, one after another in the same process.
    key = _digest(vectors, labels, gains, np.array([*prior, *STRENGTHS, seed], dtype=np.float64))
    if key not in _fits:
        if len(_fits) == MOST_FITS:
            del _fits[next(iter(_fits))]
        _fits[key] = _fit(vectors, labels, gains, prior, seed)
    return _fits[key]


_fits: dict[str, LinearClassifier] = {}
"""By all that decides them, the oldest first."""


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for part in arrays:
        digest.update(str((part.shape, part.dtype)).encode())
        digest.update(np.ascontiguousarray(part).data)  # as it is: a copy may not fit
    return digest.hexdigest()


def _fit(
    vectors: np.ndarray, labels: np.ndarray, gains: np.ndarray, prior: Sequence[float], seed: int
) -> LinearClassifier:
    likelihoods = np.stack(
        [held_out_likelihoods(vectors * gain, labels, STRENGTHS, seed=seed) for gain in gains]
    )
    shares = softmax(likelihoods + np.log(prior)[:, None])
    shares = np.where(shares < NEGLIGIBLE, 0.0, shares)
    shares = shares / shares.sum()
    weighted = [
        (shares[s, c], gains[s], LogisticRegression(C=STRENGTHS[c], max_iter=1000))
        for s, c in zip(*np.nonzero(shares), strict=True)
    ]
    fits = [(share, gain, model.fit(vectors * gain, labels)) for share, gain, model in weighted]
    weights = np.sum([share * gain[:, None] * fit.coef_.T for share, gain, fit in fits], axis=0)
    bias = np.sum([share * fit.intercept_ for share, _, fit in fits], axis=0)
    if weights.shape[1] == 1:
        weights, bias = np.hstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    strength = float(np.exp(shares.sum(0) @ np.log(STRENGTHS)))
    return LinearClassifier(weights, bias, strength, shares.sum(1))


def _some_of_each(labels: np.ndarray, *, seed: int) -> np.ndarray:
    """Choose about :data:`MOST_ROWS` rows by chance, and one a fold of classes that are rare."""
    if len(labels) <= MOST_ROWS:
        return np.arange(len(labels))
    order = np.random.default_rng(seed).permutation(len(labels))
    wanted = np.arange(len(labels)) < MOST_ROWS
    for label in np.unique(labels):
        wanted[np.flatnonzero(labels[order] == label)[:FOLDS]] = True
    return order[wanted]


@threadpool_limits.wrap(limits=1)
def held_out_likelihoods(
    vectors: np.ndarray, labels: np.ndarray, strengths: Sequence[float], *, seed: int
) -> np.ndarray:
    """Return the log-likelihood of logistic regression over stratified folds, by strength.

    A class of one row is in every training part and never held out. With fewer than two classes of
    two rows there is nothing to tell apart: all are 0.
    """
    kept = _some_of_each(labels, seed=seed)
    vectors, labels = vectors[kept], labels[kept]
    classes, counts = np.unique(labels, return_counts=True)
    likelihoods = np.zeros(len(strengths))
    if (counts > 1).sum() < 2:
        return likelihoods
    lone = np.isin(labels, classes[counts == 1])
    vectors = np.concatenate([vectors[~lone], vectors[lone]])
    labels = np.concatenate([labels[~lone], labels[lone]])
    held = int((~lone).sum())
    folds = min(FOLDS, int(counts[counts > 1].min()))
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    for part, outside in splitter.split(vectors[:held], labels[:held]):
        inside = np.concatenate([part, np.arange(held, len(labels))])
        for index, strength in enumerate(strengths):
            model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
            model.fit(vectors[inside], labels[inside])
            columns = np.searchsorted(model.classes_, labels[outside])
            picked = model.predict_log_proba(vectors[outside])[np.arange(len(outside)), columns]
            likelihoods[index] += np.maximum(picked, -30.0).sum()
    return likelihoods


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


def shrinkage(rows: int, width: int) -> float:
    """Return the share of the identity: a covariance of few rows and many columns is noise."""
    return max(SHRINKAGE, width / (width + rows))


def gaussian_logits(
    gaussian: np.ndarray, priors: np.ndarray, *, rows: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (D, C) and bias (C,) of the Gaussians' own Bayes classifier.

    It is linear discriminant analysis, except that all rows, labelled or not, have shaped it. The
    covariance is shrunk toward a multiple of the identity, as its inverse is used.

    Args:
        gaussian: What :func:`fit_class_gaussian` returned, (Z + C, D).
        priors: Class probabilities, (C,).
        rows: Rows that it was fitted to.
    """
    spread, means = np.split(gaussian, [len(gaussian) - len(priors)])
    covariance = spread.T @ spread
    size = len(covariance)
    share = shrinkage(rows, size)
    level = max(float(np.trace(covariance)) / size, LEAST_SPREAD)
    shrunk = (1 - share) * covariance + share * level * np.eye(size)
    weights = np.linalg.solve(shrunk, means.T)
    return weights, np.log(priors) - 0.5 * (means.T * weights).sum(0)


def for_uniform_noise(gaussian: np.ndarray, *, classes: int) -> np.ndarray:
    """Change a map from standard normal noise to one from U(0, 1): mean 1/2, variance 1/12."""
    spread, means = np.split(gaussian, [len(gaussian) - classes])
    spread = spread * np.sqrt(12.0)
    return np.concatenate([spread, means - spread.sum(0) / 2.0])
