import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acgan_bert.scores import exact_mcnemar, paired_interval, score
from analysis.statistics import accuracy_interval
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
    }


def test_a_score_task_is_also_scored_by_correlation():
    true = np.array([0.0, 2.0, 5.0])
    part = corpus([0, 2, 5], task=SIMILARITY, scores=true)
    assert score(one_hot([0, 2, 5], 6), part)["pearson"] == pytest.approx(1.0)
    assert score(one_hot([5, 3, 0], 6), part)["pearson"] == pytest.approx(-1.0)
    # A correlation with a constant is no number; JSON has a word for that.
    assert score(one_hot([1, 1, 1], 6), part)["pearson"] is None


def test_exact_mcnemar_by_hand():
    labels = np.zeros(8, dtype=np.int64)
    first, second = np.zeros(8, dtype=np.int64), np.zeros(8, dtype=np.int64)
    assert exact_mcnemar(labels, first, second) == 1.0
    second[:5] = 1
    # Five rows for the one, none for the other: two-sided, 2 × 2⁻⁵.
    assert exact_mcnemar(labels, first, second) == pytest.approx(2 / 32)
    assert exact_mcnemar(labels, second, first) == pytest.approx(2 / 32)


@given(answers)
def test_paired_interval_holds_the_difference_and_turns_with_the_pair(rows):
    labels, first, second = rows.T
    interval = paired_interval(labels, first, second)
    difference = float(np.mean(first == labels) - np.mean(second == labels))
    assert -1 <= interval.low <= difference + 1e-9
    assert difference - 1e-9 <= interval.high <= 1
    turned = paired_interval(labels, second, first)
    assert (turned.low, turned.high) == (
        pytest.approx(-interval.high),
        pytest.approx(-interval.low),
    )


def test_paired_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    shared = rng.random((2000, 80))
    labels = np.ones(80, dtype=np.int64)
    hits = 0
    for row in shared:
        first, second = (row < 0.8).astype(int), (row > 0.3).astype(int)
        interval = paired_interval(labels, first, second)
        hits += interval.low <= 0.8 - 0.7 <= interval.high
    assert 0.93 <= hits / 2000 <= 0.98
