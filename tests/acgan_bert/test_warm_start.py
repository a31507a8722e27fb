import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from acgan_bert import warm_start
from acgan_bert.warm_start import (
    SHARPNESS,
    STRENGTHS,
    choose_strength,
    fit_class_gaussian,
    fit_logistic,
)
from tests.toy import blobs


def unit(vectors):
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_fit_is_scikit_learns_logistic_regression(classes):
    vectors, truth, _ = blobs(classes=classes, distance=1.0)
    linear = fit_logistic(unit(vectors), truth, seed=0)
    oracle = LogisticRegression(C=linear.strength, max_iter=1000).fit(unit(vectors), truth)
    assert linear.weights.shape == (6, classes)
    np.testing.assert_allclose(
        linear.predict_proba(unit(vectors)), oracle.predict_proba(unit(vectors)), atol=1e-9
    )


def test_probabilities_of_extreme_logits_are_numbers():
    linear = warm_start.LinearClassifier(np.eye(2), np.zeros(2), 1.0)
    probabilities = linear.predict_proba(np.array([[1e4, -1e4], [0.0, 0.0]]))
    np.testing.assert_array_equal(probabilities, [[1.0, 0.0], [0.5, 0.5]])


def test_strong_signal_gets_a_weak_penalty_and_noise_a_strong_one():
    vectors, truth, _ = blobs(rows=60, distance=4.0)
    noise = np.random.default_rng(0).permutation(truth)
    assert choose_strength(unit(vectors), truth, seed=0) == max(STRENGTHS)
    assert choose_strength(unit(vectors), noise, seed=0) == min(STRENGTHS)


def test_one_row_in_a_class_gives_the_middle_of_the_range():
    vectors, truth, _ = blobs(rows=3)
    assert choose_strength(vectors[:4], truth[:4], seed=0) == STRENGTHS[1]
    assert fit_logistic(unit(vectors[:4]), truth[:4], seed=0).strength == STRENGTHS[1]


def test_choice_is_that_of_the_seed():
    vectors, truth, _ = blobs(rows=6, distance=0.5)
    chosen = {choose_strength(unit(vectors), truth, seed=3) for _ in range(3)}
    assert len(chosen) == 1
    assert chosen <= set(STRENGTHS)


def test_many_rows_are_thinned_before_the_choice(monkeypatch):
    vectors, truth, _ = blobs(rows=40)
    monkeypatch.setattr(warm_start, "MOST_ROWS", 30)
    assert choose_strength(unit(vectors), truth, seed=0) in STRENGTHS


def test_rare_class_may_be_gone_after_thinning(monkeypatch):
    """With 2000 rows of 10,000 left and one class among them, the fit raised."""
    vectors, truth, _ = blobs(rows=40)
    truth[1:40] = 1
    monkeypatch.setattr(warm_start, "MOST_ROWS", 30)
    assert {choose_strength(unit(vectors), truth, seed=seed) for seed in range(5)} == {STRENGTHS[1]}


def test_class_gaussian_of_known_classes_has_their_means_and_pooled_covariance():
    vectors, truth, _ = blobs(rows=30, classes=3)
    start = fit_class_gaussian(vectors.astype(np.float64), np.eye(3)[truth], noise_width=9)
    spread, means = start[:9], start[9:]
    np.testing.assert_allclose(means, [vectors[truth == c].mean(0) for c in range(3)], rtol=1e-5)
    rest = vectors - means[truth]
    np.testing.assert_allclose(spread.T @ spread, rest.T @ rest / len(rest), atol=1e-6)


def test_class_gaussian_keeps_the_largest_components_where_noise_is_narrow():
    vectors, truth, _ = blobs(rows=30)
    vectors = vectors.astype(np.float64) * np.array([9.0, 5.0, 0.1, 0.1, 0.1, 0.1])
    whole, narrow = (fit_class_gaussian(vectors, np.eye(2)[truth], noise_width=z) for z in (6, 2))
    lost = np.trace(whole[:6].T @ whole[:6]) - np.trace(narrow[:2].T @ narrow[:2])
    variances = np.linalg.eigvalsh(whole[:6].T @ whole[:6])
    assert lost == pytest.approx(variances[:4].sum(), rel=1e-6)


def test_class_gaussian_of_guesses_is_a_step_of_expectation_maximization():
    vectors, _, _ = blobs(rows=10)
    vectors = vectors.astype(np.float64)
    guesses = np.random.default_rng(0).dirichlet([1.0, 1.0], size=20)
    start = fit_class_gaussian(vectors, guesses, noise_width=6)
    guesses = guesses**SHARPNESS / (guesses**SHARPNESS).sum(1, keepdims=True)
    means, covariance = start[6:], np.zeros((6, 6))
    for row, posterior in zip(vectors, guesses, strict=True):
        for c in (0, 1):
            covariance += posterior[c] * np.outer(row - means[c], row - means[c]) / 20
    np.testing.assert_allclose(start[:6].T @ start[:6], covariance, atol=1e-9)
    np.testing.assert_allclose(means[0], np.average(vectors, axis=0, weights=guesses[:, 0]))
