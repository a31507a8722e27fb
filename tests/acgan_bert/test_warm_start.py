import tracemalloc

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from acgan_bert import warm_start
from acgan_bert.warm_start import (
    SHARPNESS,
    SHRINKAGE,
    STRENGTHS,
    fit_class_gaussian,
    fit_logistic,
    for_uniform_noise,
    gaussian_logits,
    held_out_likelihoods,
    shrinkage,
)
from tests.toy import blobs

PLAIN = np.ones((1, 6))


def unit(vectors):
    vectors = vectors.astype(np.float64)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3])
def test_one_gain_and_penalty_are_scikit_learns_logistic_regression(classes, monkeypatch):
    monkeypatch.setattr(warm_start, "STRENGTHS", (3.0,))
    vectors, truth, _ = blobs(classes=classes, distance=1.0)
    gain = np.linspace(0.5, 2.0, 6)
    linear = fit_logistic(unit(vectors), truth, gains=gain[None], prior=[1.0], seed=0)
    oracle = LogisticRegression(C=3.0, max_iter=1000).fit(unit(vectors) * gain, truth)
    assert linear.weights.shape == (6, classes)
    assert linear.strength == pytest.approx(3.0)
    np.testing.assert_allclose(
        linear.predict_proba(unit(vectors)), oracle.predict_proba(unit(vectors) * gain), atol=1e-9
    )


def test_the_same_rows_are_fitted_once(monkeypatch):
    vectors, truth, _ = blobs(rows=7, seed=11)
    settings = {"gains": PLAIN, "prior": [1.0], "seed": 0}
    first = fit_logistic(vectors, truth, **settings)
    monkeypatch.setattr(warm_start, "LogisticRegression", None)
    assert fit_logistic(vectors.copy(), truth, **settings) is first
    for other in ({"seed": 1}, {"gains": 2 * PLAIN}):
        with pytest.raises(TypeError):
            fit_logistic(vectors, truth, **settings | other)
    with pytest.raises(TypeError):
        fit_logistic(vectors, 1 - truth, **settings)


def test_rows_are_not_copied_to_tell_them_from_others():
    vectors = np.zeros((2000, 100))
    tracemalloc.start()
    names = [warm_start._digest(rows) for rows in (vectors, vectors.reshape(100, 2000))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert names[0] != names[1]
    assert peak < vectors.nbytes / 2


def test_fits_count_by_prior_and_held_out_likelihood(monkeypatch):
    vectors, truth, _ = blobs(classes=3, distance=1.0)
    vectors, gains = unit(vectors), np.array([np.ones(6), np.linspace(0.5, 2.0, 6)])
    given = iter(np.log([[0.4, 0.0002, 0.1, 0.3], [0.1, 0.4, 0.2, 0.1]]))
    monkeypatch.setattr(warm_start, "held_out_likelihoods", lambda *_, **__: next(given))
    linear = fit_logistic(vectors, truth, gains=gains, prior=[1.0, 2.0], seed=0)
    shares = np.array([[0.4, 0.0, 0.1, 0.3], [0.2, 0.8, 0.4, 0.2]])  # one is negligible
    shares = shares / shares.sum()
    logits = np.zeros((len(vectors), 3))
    for gain, row in zip(gains, shares, strict=True):
        for share, strength in zip(row, STRENGTHS, strict=True):
            fit = LogisticRegression(C=strength, max_iter=1000).fit(vectors * gain, truth)
            logits += share * fit.decision_function(vectors * gain)
    np.testing.assert_allclose(vectors @ linear.weights + linear.bias, logits, atol=1e-9)
    np.testing.assert_allclose(linear.shares, shares.sum(1))
    assert linear.strength == pytest.approx(np.prod(np.array(STRENGTHS) ** shares.sum(0)))


def test_probabilities_of_extreme_logits_are_numbers():
    linear = warm_start.LinearClassifier(np.eye(2), np.zeros(2), 1.0, np.ones(1))
    probabilities = linear.predict_proba(np.array([[1e4, -1e4], [0.0, 0.0]]))
    np.testing.assert_array_equal(probabilities, [[1.0, 0.0], [0.5, 0.5]])


def test_labels_choose_the_gain_that_shows_their_classes():
    vectors, truth, _ = blobs(rows=30, distance=0.0)
    vectors = vectors.astype(np.float64)
    vectors[:, 0] += np.where(truth == 1, 2.0, -2.0)
    gains = np.array([[1.0, 0, 0, 0, 0, 0], [0, 1.0, 1.0, 1.0, 1.0, 1.0]])
    shares = fit_logistic(vectors, truth, gains=gains, prior=[1.0, 1.0], seed=0).shares
    assert shares[0] > 0.99


def test_strong_signal_gets_a_weak_penalty_and_noise_a_strong_one():
    vectors, truth, _ = blobs(rows=60, distance=4.0)
    noise = np.random.default_rng(0).permutation(truth)
    for labels, best in ((truth, len(STRENGTHS) - 1), (noise, 0)):
        likelihoods = held_out_likelihoods(unit(vectors), labels, STRENGTHS, seed=0)
        assert likelihoods.argmax() == best


def test_one_row_in_a_class_leaves_nothing_to_hold_out():
    vectors, truth, _ = blobs(rows=3)
    assert not held_out_likelihoods(vectors[:4], truth[:4], STRENGTHS, seed=0).any()
    linear = fit_logistic(unit(vectors[:4]), truth[:4], gains=PLAIN, prior=[1.0], seed=0)
    assert linear.strength == pytest.approx(np.prod(STRENGTHS) ** (1 / len(STRENGTHS)))


def test_a_class_of_one_row_does_not_end_cross_validation():
    """One rare label left every penalty as likely as any other."""
    vectors, truth, _ = blobs(rows=20, classes=3, distance=4.0)
    kept = np.r_[np.flatnonzero(truth < 2), np.flatnonzero(truth == 2)[:1]]
    found = held_out_likelihoods(unit(vectors)[kept], truth[kept], STRENGTHS, seed=0)
    assert np.ptp(found) > 1.0
    # As scikit-learn has it, with the one row in every training part.
    part, last = unit(vectors)[kept], len(kept) - 1
    expected = 0.0
    splits = StratifiedKFold(5, shuffle=True, random_state=0).split(part[:last], truth[kept][:last])
    for inside, outside in splits:
        model = LogisticRegression(C=STRENGTHS[0], max_iter=200, tol=1e-3)
        model.fit(part[[*inside, last]], truth[kept][[*inside, last]])
        expected += model.predict_log_proba(part[outside])[
            np.arange(len(outside)), truth[kept][outside]
        ].sum()
    assert found[0] == pytest.approx(expected)


def test_rare_classes_stay_when_rows_are_thinned(monkeypatch):
    vectors, truth, _ = blobs(rows=200)
    truth[5:] = 1  # five rows of 400
    monkeypatch.setattr(warm_start, "MOST_ROWS", 30)
    for seed in range(5):
        assert held_out_likelihoods(unit(vectors), truth, STRENGTHS, seed=seed).any()


def test_folds_are_those_of_the_seed():
    vectors, truth, _ = blobs(rows=6, distance=0.5)
    found = [held_out_likelihoods(unit(vectors), truth, STRENGTHS, seed=s) for s in (3, 3, 4)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).any()


def test_many_rows_are_thinned_and_a_rare_class_may_be_gone_then(monkeypatch):
    """With 2000 rows of 10,000 left and one class among them, the fit raised."""
    vectors, truth, _ = blobs(rows=40)
    monkeypatch.setattr(warm_start, "MOST_ROWS", 30)
    assert held_out_likelihoods(unit(vectors), truth, STRENGTHS, seed=0).any()
    truth[1:40] = 1
    for seed in range(5):
        assert not held_out_likelihoods(unit(vectors), truth, STRENGTHS, seed=seed).any()


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


def test_gaussians_of_known_classes_classify_as_shrunk_linear_discriminant_analysis():
    vectors, truth, _ = blobs(rows=30, classes=3, distance=1.0)
    vectors = vectors[:75].astype(np.float64)  # unequal classes
    truth = truth[:75]
    gaussian = fit_class_gaussian(vectors, np.eye(3)[truth], noise_width=6)
    weights, bias = gaussian_logits(gaussian, np.bincount(truth) / len(truth), rows=75)
    oracle = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE).fit(vectors, truth)
    logits, expected = vectors @ weights + bias, oracle.decision_function(vectors)
    np.testing.assert_allclose(np.diff(logits), np.diff(expected), atol=1e-9)


def test_uniform_noise_gives_the_same_mean_and_covariance():
    gaussian = np.random.default_rng(0).normal(size=(4 + 2, 3))
    changed = for_uniform_noise(gaussian, classes=2)
    noise = np.random.default_rng(1).uniform(size=(200_000, 4))
    drawn = np.hstack([noise, np.tile([0.0, 1.0], (len(noise), 1))]) @ changed
    np.testing.assert_allclose(drawn.mean(0), gaussian[5], atol=0.02)
    np.testing.assert_allclose(np.cov(drawn.T), gaussian[:4].T @ gaussian[:4], atol=0.05)


def test_fewer_rows_than_columns_lean_on_the_identity():
    assert shrinkage(10_000, 100) == SHRINKAGE
    assert shrinkage(100, 100) == 0.5
    assert shrinkage(2, 384) > 0.99
