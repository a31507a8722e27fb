"""What a user would pick instead, under the same protocol: same ids, same embeddings, same steps.

Classifiers return probabilities for the rows to score; :class:`ClassGaussian` is the generator
that a conditional GAN has to beat.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier
from threadpoolctl import threadpool_limits

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import load_recipe
from acgan_bert.trainer import TrainingRows, train_gan
from acgan_bert.warm_start import held_out_likelihoods
from mtl.rows import Rows, blocks

Probabilities = Callable[[Rows], np.ndarray]
STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Inverse penalties C that cross-validation chooses from."""
SPREADING_ROWS = 20_000
"""Rows that label spreading can hold: its neighbor graph keeps them all."""
SELF_TRAINING_ROWS = 100_000
"""Rows that self-training is taught, whose regression needs all of them in memory, several times;
a multiple of what pins down its few numbers."""

SCRATCH_LEARNING_RATE = 1e-3
"""Step size of networks that start from nothing: at the published 5e-5 a few hundred steps would
leave them untrained, and the comparison would flatter the GAN."""


def classifier_baselines(
    names: Sequence[str],
    rows: TrainingRows,
    recipe: Recipe,
    vectors_to_score: Mapping[str, Rows],
) -> dict[str, dict[str, np.ndarray]]:
    """Train each baseline once and let it judge every part.

    Args:
        names: Keys of :data:`BASELINES`.
        rows: The same embeddings and visible labels that the GAN saw.
        recipe: The run's recipe: its seed, and the step budget where a baseline has steps.
        vectors_to_score: Embeddings (N, D) by part name.

    Returns:
        Class probabilities (N, C) by baseline and part.
    """
    trained = {name: BASELINES[name](rows, recipe) for name in names}
    return {
        name: {part: judge(vectors) for part, vectors in vectors_to_score.items()}
        for name, judge in trained.items()
    }


@threadpool_limits.wrap(limits=1)  # see warm_start
def _logistic_regression(rows: TrainingRows, recipe: Recipe) -> Probabilities:
    """Logistic regression on unit-norm embeddings, its penalty chosen by cross-validation."""
    known = rows.labels >= 0
    vectors, labels = _unit(rows.vectors[known]), rows.labels[known]
    strength = _strength(vectors, labels, seed=recipe.seed)
    return _probabilities(LogisticRegression(C=strength, max_iter=1000).fit(vectors, labels), rows)


@threadpool_limits.wrap(limits=1)
def _self_training(rows: TrainingRows, recipe: Recipe) -> Probabilities:
    """The same classifier, taught its own predictions above 0.75 (scikit-learn's default)."""
    used = _some_rows(rows, SELF_TRAINING_ROWS, seed=recipe.seed)
    unit, labels = _unit(rows.vectors[used]), rows.labels[used]
    known = labels >= 0
    strength = _strength(unit[known], labels[known], seed=recipe.seed)
    if known.all():
        return _probabilities(LogisticRegression(C=strength, max_iter=1000).fit(unit, labels), rows)
    model = SelfTrainingClassifier(LogisticRegression(C=strength, max_iter=1000))
    return _probabilities(model.fit(unit, labels), rows)


@threadpool_limits.wrap(limits=1)
def _label_spreading(rows: TrainingRows, recipe: Recipe) -> Probabilities:
    """Label spreading on the 10-neighbor graph; every labelled row, and unlabelled ones to fill."""
    used = _some_rows(rows, SPREADING_ROWS, seed=recipe.seed)
    model = LabelSpreading(kernel="knn", n_neighbors=min(10, len(used) - 1), max_iter=100, tol=1e-2)
    return _probabilities(model.fit(_unit(rows.vectors[used]), rows.labels[used]), rows)


def _supervised_mlp(rows: TrainingRows, recipe: Recipe) -> Probabilities:
    """The discriminator alone, on the labelled rows alone, for as many steps."""
    plain = load_recipe("gan-bert")
    alone = replace(
        plain,
        objective=replace(plain.objective, adversarial=0.0),
        semisupervised=replace(plain.semisupervised, labeled_share=1.0),
        discriminator=recipe.discriminator,
    )
    alone = replace(
        alone,
        discriminator=replace(
            alone.discriminator, linear_skip=False, input_noise=0.0, spectra=(0.0,)
        ),
    )
    return train_gan(rows, _same_budget(alone, recipe)).predict_proba


def _gan_bert(rows: TrainingRows, recipe: Recipe) -> Probabilities:
    """The published objective (Croce et al. 2020): recipe ``gan-bert``, for as many steps."""
    return train_gan(rows, _same_budget(load_recipe("gan-bert"), recipe)).predict_proba


def _same_budget(baseline: Recipe, recipe: Recipe) -> Recipe:
    """Give a baseline the run's seed, steps and batches, and rates that reach an end in them."""
    training = replace(
        baseline.training,
        steps=recipe.training.steps,
        batch_size=recipe.training.batch_size,
        discriminator_learning_rate=SCRATCH_LEARNING_RATE,
        generator_learning_rate=SCRATCH_LEARNING_RATE,
    )
    return replace(baseline, seed=recipe.seed, training=training)


BASELINES: dict[str, Callable[[TrainingRows, Recipe], Probabilities]] = {
    "logistic_regression": _logistic_regression,
    "self_training": _self_training,
    "label_spreading": _label_spreading,
    "supervised_mlp": _supervised_mlp,
    "gan_bert": _gan_bert,
}


class ClassGaussian:
    """One Gaussian per class: its mean, and one covariance of all rows about their class means.

    The covariance is shrunk toward a multiple of the identity (Ledoit & Wolf 2004), so that it
    exists with fewer rows than dimensions.

    Args:
        means: Class means, (C, D).
        covariance: Shared covariance, (D, D).
    """

    def __init__(self, means: np.ndarray, covariance: np.ndarray) -> None:
        self.means = means
        variances, axes = np.linalg.eigh(covariance)
        self.root = axes * np.sqrt(np.maximum(variances, 0.0))

    @classmethod
    def fit(cls, vectors: np.ndarray, labels: np.ndarray, num_classes: int) -> "ClassGaussian":
        """Fit to labelled rows (n, D); rows labelled -1 are left out."""
        vectors, labels = vectors[labels >= 0].astype(np.float64), labels[labels >= 0]
        overall = vectors.mean(0)
        means = np.stack(
            [
                vectors[labels == c].mean(0) if (labels == c).any() else overall
                for c in range(num_classes)
            ]
        )
        covariance, _ = ledoit_wolf(vectors - means[labels], assume_centered=True)
        return cls(means, covariance)

    def sample(self, labels: np.ndarray, seed: int) -> np.ndarray:
        """Draw one embedding per label, (M, D) float32."""
        noise = np.random.default_rng(seed).standard_normal((len(labels), self.root.shape[1]))
        return (self.means[labels] + noise @ self.root.T).astype(np.float32)


def _some_rows(rows: TrainingRows, most: int, *, seed: int) -> np.ndarray:
    """Return every labelled row, and unlabelled ones to fill, in order."""
    known = np.flatnonzero(rows.labels >= 0)
    others = np.flatnonzero(rows.labels < 0)
    room = max(0, most - len(known))
    kept = np.random.default_rng(seed).permutation(others)[:room]
    return np.sort(np.concatenate([known, kept]))


def _strength(vectors: np.ndarray, labels: np.ndarray, *, seed: int) -> float:
    """Choose the penalty by held-out likelihood; the middle one where there is none."""
    likelihoods = held_out_likelihoods(vectors, labels, STRENGTHS, seed=seed)
    return STRENGTHS[int(likelihoods.argmax()) if likelihoods.any() else len(STRENGTHS) // 2]


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(norms, 1e-12)


def _probabilities(model: LogisticRegression, rows: TrainingRows) -> Probabilities:
    """Spread a model's columns over all classes; a class that it never saw has probability 0.

    A row that no label spread to has no probabilities at all: it gets equal ones.
    """

    def judge(vectors: Rows) -> np.ndarray:
        spread = np.zeros((len(vectors), len(rows.classes)))
        with np.errstate(invalid="ignore"):  # LabelSpreading divides 0 by 0 on such a row
            for start, block in blocks(vectors):
                place = np.ix_(range(start, start + len(block)), model.classes_)
                spread[place] = model.predict_proba(_unit(block))
        spread[np.isnan(spread).any(axis=1)] = 1.0 / len(rows.classes)
        return spread

    return judge
