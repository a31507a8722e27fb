"""Temperature, calibration error, log loss: closed forms, a grid, scikit-learn, synthetic data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn import metrics

from mtl.calibration import (
    BINS,
    LEAST_ROWS,
    calibration_scores,
    expected_calibration_error,
    fit_temperature,
    log_loss,
    tempered,
)


def drawn(rows, *, classes=3, spread=2.0, seed=0):
    """Return logits, and labels drawn from their softmax: calibrated by construction."""
    rng = np.random.default_rng(seed)
    logits = spread * rng.normal(size=(rows, classes))
    shares = softmax(logits, axis=1).cumsum(axis=1)
    return logits, (rng.random((rows, 1)) > shares[:, :-1]).sum(axis=1)


def test_two_classes_of_one_confidence_have_a_closed_form():
    """Share a right at log-odds z: the best temperature gives log-odds log(a / (1 - a))."""
    z, right, rows = 3.0, 70, 100
    logits = np.tile([z, 0.0], (rows, 1))
    labels = (np.arange(rows) >= right).astype(int)
    assert fit_temperature(logits, labels) == pytest.approx(z / np.log(0.7 / 0.3), rel=1e-9)


@pytest.mark.parametrize("stretch", [0.5, 1.0, 3.0])
def test_is_the_minimum_of_scikit_learns_log_loss_on_a_grid(stretch):
    logits, labels = drawn(300)
    found = fit_temperature(stretch * logits, labels)
    grid = np.geomspace(0.3, 5, 100)
    losses = [metrics.log_loss(labels, softmax(stretch * logits / t, axis=1)) for t in grid]
    best = metrics.log_loss(labels, softmax(stretch * logits / found, axis=1))
    assert best <= min(losses)
    assert found == pytest.approx(grid[np.argmin(losses)], rel=0.03)


@given(st.floats(0.3, 4), st.integers(0, 2**32 - 1))
def test_logits_times_k_have_k_times_the_temperature(k, seed):
    logits, labels = drawn(200, seed=seed)
    offsets = np.random.default_rng(seed).normal(size=(200, 1))
    once = fit_temperature(logits, labels)
    assert fit_temperature(k * logits, labels) == pytest.approx(k * once, rel=1e-6)
    assert fit_temperature(logits + offsets, labels) == pytest.approx(once, rel=1e-6)


def test_calibrated_rows_keep_their_temperature_and_log_probabilities_will_do():
    logits, labels = drawn(20_000)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(1.0, abs=0.03)
    with np.errstate(divide="ignore"):
        as_logs = np.log(softmax(logits, axis=1))
    assert fit_temperature(as_logs, labels) == pytest.approx(found, rel=1e-9)
    certain = as_logs.copy()
    certain[0] = np.log([1.0, 1e-320, 1e-320])  # float64 hardly holds them
    certain[1] = [0.0, -np.inf, -np.inf]
    assert np.isfinite(fit_temperature(certain, np.where(np.arange(20_000) < 2, 0, labels)))


def test_unlabelled_rows_are_left_out():
    logits, labels = drawn(400)
    hidden = np.where(np.arange(400) < 300, labels, -1)
    assert fit_temperature(logits, hidden) == fit_temperature(logits[:300], labels[:300])


def test_too_few_rows_and_optima_out_of_bounds_give_one():
    logits, labels = drawn(LEAST_ROWS)
    assert fit_temperature(logits, labels) != 1.0
    assert fit_temperature(logits[1:], labels[1:]) == 1.0
    logits, labels = drawn(100)
    assert fit_temperature(logits, logits.argmax(axis=1)) == 1.0  # all right: T would be 0
    assert fit_temperature(logits, logits.argmin(axis=1)) == 1.0  # all wrong: T would be infinite
    assert fit_temperature(np.zeros((100, 3)), labels) == 1.0  # says nothing
    assert fit_temperature(np.empty((0, 3)), np.empty(0)) == 1.0


def test_what_is_no_logit_is_refused():
    with pytest.raises(ValueError, match=r"found shape \(3, 2\) and labels \(2,\)"):
        fit_temperature(np.zeros((3, 2)), [0, 1])
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="found NaN"):
            fit_temperature([[0.0, 0.0], [bad, bad]], [0, 1])
    with pytest.raises(ValueError, match="temperature: found 0"):
        tempered(np.ones((1, 1)), 0.0)


@given(st.floats(0.2, 8), st.integers(0, 2**32 - 1))
def test_tempering_is_that_of_the_logits_and_can_be_undone(temperature, seed):
    logits = 3 * np.random.default_rng(seed).normal(size=(20, 4))
    probabilities = softmax(logits, axis=1)
    found = tempered(probabilities, temperature)
    np.testing.assert_allclose(found, softmax(logits / temperature, axis=1), rtol=1e-9)
    np.testing.assert_array_equal(found.argmax(axis=1), probabilities.argmax(axis=1))
    np.testing.assert_allclose(tempered(found, 1 / temperature), probabilities, rtol=1e-9)
    assert tempered(probabilities, 1.0) is probabilities


def test_calibration_error_by_hand():
    # Two bins of 15 are filled: 0.8 right in 1 of 2 rows, 1.0 right in 1 of 2.
    probabilities = np.array([[0.8, 0.2], [0.2, 0.8], [1.0, 0.0], [0.0, 1.0]])
    labels = np.array([0, 0, 0, 0])
    expected = 0.5 * abs(0.5 - 0.8) + 0.5 * abs(0.5 - 1.0)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(expected)
    # In one bin, being too sure of one row and too unsure of another makes up for each other.
    mixed = expected_calibration_error(probabilities, labels, bins=1)
    assert mixed == pytest.approx(abs(0.5 - 0.9))


def test_bins_hold_their_upper_ends():
    edges = np.arange(1, BINS + 1) / BINS
    for edge in edges[edges > 0.5]:
        row = np.array([[edge, 1 - edge]])
        inside = np.array([[edge - 0.01, 1 - edge + 0.01]])
        both = np.concatenate([row, inside])
        # One right, one wrong: in one bin the gaps cancel but for the confidence.
        found = expected_calibration_error(both, np.array([0, 1]))
        assert found == pytest.approx(abs(1 - 2 * edge + 0.01) / 2)


def test_error_of_calibrated_rows_falls_with_their_number_as_documented():
    rng = np.random.default_rng(0)
    for rows in (150, 15_000):
        found = []
        for _ in range(40):
            confidence = rng.uniform(0.5, 1.0, rows)
            labels = (rng.random(rows) > confidence).astype(int)
            probabilities = np.stack([confidence, 1 - confidence], axis=1)
            found.append(expected_calibration_error(probabilities, labels))
        filled, variance = 8, np.mean(confidence * (1 - confidence))
        expected = np.sqrt(2 * filled * variance / (np.pi * rows))
        assert np.mean(found) == pytest.approx(expected, rel=0.2)


def test_calibrating_lowers_the_error_of_overconfident_rows():
    logits, labels = drawn(4000)
    sure = softmax(3 * logits, axis=1)
    temperature = fit_temperature(3 * logits, labels)
    found = calibration_scores(tempered(sure, temperature), labels, temperature=temperature)
    assert found["ece_uncalibrated"] == pytest.approx(expected_calibration_error(sure, labels))
    assert found["ece"] < 0.03 < 0.1 < found["ece_uncalibrated"]
    assert found["log_loss"] < log_loss(sure, labels)
    assert "ece_uncalibrated" not in calibration_scores(sure, labels, temperature=None)


def test_log_loss_is_scikit_learns_and_finite():
    logits, labels = drawn(50)
    probabilities = softmax(logits, axis=1)
    assert log_loss(probabilities, labels) == pytest.approx(metrics.log_loss(labels, probabilities))
    assert log_loss(np.eye(2), np.array([1, 1])) == pytest.approx(-np.log(2.0**-52) / 2)
