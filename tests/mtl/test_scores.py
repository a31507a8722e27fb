import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, f1_score

from mtl.scores import (
    balanced_accuracy,
    class_accuracies,
    class_scores,
    confusion,
    expected_score,
    macro_f1,
    overall_scores,
    pearson,
    regression_scores,
    spearman,
)
from mtl.text.tasks import Task

SIMILARITY = Task(
    name="similarity", arity=2, output="score", classes=tuple("012345"), low=0.0, high=5.0
)
answers = st.lists(st.tuples(*[st.integers(0, 3)] * 2), min_size=1, max_size=40).map(np.array)


@given(answers)
def test_macro_f1_is_sklearns(rows):
    labels, predicted = rows.T
    counts = confusion(labels, predicted, num_classes=4)
    expected = f1_score(labels, predicted, average="macro", zero_division=0)
    assert macro_f1(counts) == pytest.approx(expected)


def test_balanced_accuracy_is_sklearns():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    expected = balanced_accuracy_score(labels, predicted)
    assert balanced_accuracy(confusion(labels, predicted, num_classes=4)) == pytest.approx(expected)


def test_balanced_accuracy_leaves_out_classes_without_rows():
    counts = confusion(np.array([0, 0, 1]), np.array([0, 2, 1]), num_classes=3)
    assert balanced_accuracy(counts) == pytest.approx((0.5 + 1) / 2)


def test_expected_score_stays_in_the_range_and_meets_its_ends():
    values = expected_score(np.array([[1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]]), SIMILARITY)
    assert values.tolist() == [0.0, 5.0]


def test_class_accuracies_are_recalls_and_say_where_there_are_no_rows():
    counts = confusion(np.array([0, 0, 1]), np.array([0, 2, 1]), num_classes=3)
    assert class_accuracies(counts) == [0.5, 1.0, None]


def test_class_scores_of_a_case_worked_by_hand():
    found = class_scores(np.eye(3)[[0, 1, 1, 2]], np.array([0, 1, 2, 2]))
    assert found["accuracy"] == 0.75
    assert found["class_accuracy"] == [1.0, 1.0, 0.5]
    assert found["confusion"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert found["rows"] == 4


def test_correlations_are_scipys_and_none_where_one_side_is_flat():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=30), rng.integers(0, 4, 30).astype(float)
    assert pearson(first, second) == pytest.approx(stats.pearsonr(first, second).statistic)
    assert spearman(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)
    flat = np.zeros(30)
    assert pearson(first, flat) is spearman(flat, first) is None


def test_regression_is_scored_by_correlation_and_by_its_nearest_buckets():
    predicted, scores = np.array([0.2, 4.6, 9.0]), np.array([0.0, 4.0, 5.0])
    found = regression_scores(predicted, scores, SIMILARITY)
    assert found["pearson"] == pytest.approx(np.corrcoef(predicted, scores)[0, 1])
    assert found["accuracy"] == pytest.approx(2 / 3)  # 4.6 is nearer to 5 than to 4
    assert found["confusion"][4][5] == found["confusion"][5][5] == 1
    assert found["mean_squared_error"] == pytest.approx((0.04 + 0.36 + 16.0) / 3)
    # Scores are no probabilities, so nothing is calibrated.
    assert not found.keys() & {"ece", "ece_uncalibrated", "log_loss"}


def test_overall_scores_are_those_of_the_papers():
    by_task = {"a": {"accuracy": 0.5}, "b": {"accuracy": 0.8}, "c": {"pearson": 0.6, "accuracy": 0}}
    assert overall_scores(by_task) == {
        "mean": pytest.approx((0.5 + 0.8 + 0.6) / 3),
        "normalized": pytest.approx((0.5 + 0.8 + 0.8) / 3),
    }
    assert overall_scores({"c": {"pearson": None}}) == {"mean": 0.0, "normalized": 0.5}
