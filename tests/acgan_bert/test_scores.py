import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acgan_bert.scores import (
    accuracy_at,
    calibration_note,
    rejection,
    rejection_notes,
    risk_coverage_area,
    score,
)
from analysis.statistics import accuracy_interval
from mtl.calibration import tempered
from mtl.text.data import Corpus
from mtl.text.tasks import Task

SENTIMENT = Task(name="sentiment", arity=1, output="classes", classes=("a", "b", "c"))
SIMILARITY = Task(
    name="similarity", arity=1, output="score", classes=tuple("012345"), low=0.0, high=5.0
)


def corpus(labels, *, task=SENTIMENT, scores=None):
    rows = tuple(map(str, range(len(labels))))
    return Corpus(task, "here", rows, rows, None, np.asarray(labels), scores)


def one_hot(predicted, classes):
    return np.eye(classes)[np.asarray(predicted)]


answers = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=1, max_size=40).map(np.array)


def test_score_of_a_case_worked_by_hand():
    scores = score(one_hot([0, 1, 1, 2], 3), corpus([0, 1, 2, 2]))
    interval = accuracy_interval(3, 4)
    assert scores == {
        "accuracy": 0.75,
        "macro_f1": pytest.approx((1 + 2 / 3 + 2 / 3) / 3),
        "balanced_accuracy": pytest.approx((1 + 1 + 0.5) / 3),
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "rows": 4,
        "ece": 0.25,
        "log_loss": pytest.approx(-np.log(2.0**-52) / 4),
    }


def test_a_temperature_is_what_the_error_before_is_told_by():
    before = np.random.default_rng(0).dirichlet([1, 1, 1], size=30)
    part = corpus(np.arange(30) % 3)
    plain, found = score(before, part), score(tempered(before, 3.0), part, temperature=3.0)
    assert found["ece_uncalibrated"] == pytest.approx(plain["ece"])
    assert found["ece"] != plain["ece"]
    assert found["accuracy"] == plain["accuracy"]
    assert "ece_uncalibrated" not in plain


def test_a_score_task_is_also_scored_by_correlation():
    true = np.array([0.0, 2.0, 5.0])
    part = corpus([0, 2, 5], task=SIMILARITY, scores=true)
    assert score(one_hot([0, 2, 5], 6), part)["pearson"] == pytest.approx(1.0)
    assert score(one_hot([5, 3, 0], 6), part)["pearson"] == pytest.approx(-1.0)
    # A correlation with a constant is no number; JSON has a word for that.
    assert score(one_hot([1, 1, 1], 6), part)["pearson"] is None


rows_of_doubt = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=5)


@given(rows_of_doubt)
def test_risk_and_coverage_are_the_mean_over_every_order_of_ties(rows):
    doubt, wrong = (np.array(column) for column in zip(*rows, strict=True))
    doubt = doubt / 4
    areas, kept = [], math.ceil(0.8 * len(rows))
    accuracies = []
    for order in itertools.permutations(range(len(rows))):
        if (np.diff(doubt[list(order)]) < 0).any():
            continue
        errors = wrong[list(order)]
        areas.append(np.mean([errors[:n].mean() for n in range(1, len(rows) + 1)]))
        accuracies.append(1 - errors[:kept].mean())
    assert risk_coverage_area(doubt, wrong) == pytest.approx(np.mean(areas))
    assert accuracy_at(doubt, wrong, coverage=0.8) == pytest.approx(np.mean(accuracies))


def test_the_best_and_the_worst_doubt_bound_the_area():
    wrong = np.arange(10) >= 7  # three of ten
    best = risk_coverage_area(np.arange(10.0), wrong)
    worst = risk_coverage_area(-np.arange(10.0), wrong)
    assert best == pytest.approx((1 / 8 + 2 / 9 + 3 / 10) / 10)
    assert worst == pytest.approx((3 + sum(3 / n for n in range(4, 11))) / 10)
    assert risk_coverage_area(np.zeros(10), wrong) == pytest.approx(0.3)
    assert accuracy_at(np.arange(10.0), wrong, coverage=0.8) == pytest.approx(7 / 8)
    assert accuracy_at(np.arange(10.0), wrong, coverage=1.0) == pytest.approx(0.7)


def test_rejection_says_which_doubt_is_worse():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.7, 0.3]])
    labels = np.array([0, 0, 1, 0])
    found = rejection(probabilities, np.array([0.9, 0.5, 0.1, 0.3]), labels)
    # By confidence the wrong row is the last to be kept, by p_fake the first.
    assert found["confidence"] == {"aurc": pytest.approx(1 / 16), "accuracy_at_80": 0.75}
    assert found["p_fake"]["aurc"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    (note,) = rejection_notes(found | {"on": "test"})
    assert "on test is 0.521 by p_fake, 0.062 by 1 - max p" in note
    same = rejection(probabilities, 1 - probabilities.max(axis=1), labels)
    assert rejection_notes(same | {"on": "test"}) == rejection_notes({}) == []


@pytest.mark.parametrize(
    ("temperature", "dev_rows", "tested", "said"),
    [
        (1.0, 0, True, "not calibrated: there are no dev rows"),
        (1.0, 12, True, "not calibrated: 12 dev rows give no temperature"),
        (1.5, 99, True, "temperature 1.5, fitted to dev, .*; that of test is the honest one"),
        (1.5, 99, False, "flattered; no test part tells the honest one"),
    ],
)
def test_calibration_is_told(temperature, dev_rows, tested, said):
    assert re.search(said, calibration_note(temperature, dev_rows=dev_rows, tested=tested))
