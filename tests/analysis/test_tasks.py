"""Scores and conflicts of several tasks: what is read from a run's files, and what is not there."""

import numpy as np
import pytest

from analysis import accuracy_interval, best_scores, correlation_interval, task_scores
from analysis.conflicts import pair_conflicts
from tests.analysis.multitask_run import conflicts, result_of


@pytest.fixture
def result():
    return result_of(np.random.default_rng(0))


def test_each_task_has_its_own_score_with_an_interval(result):
    sentiment, paraphrase, similarity = best_scores(result)
    assert [s.measure for s in (sentiment, paraphrase, similarity)] == [
        "accuracy",
        "accuracy",
        "pearson",
    ]
    right = int(np.trace(paraphrase.confusion))
    assert paraphrase.own == right / paraphrase.rows
    assert paraphrase.intervals == {"accuracy": accuracy_interval(right, paraphrase.rows)}
    assert similarity.own == 0.86
    assert similarity.intervals["pearson"] == correlation_interval(0.86, similarity.rows)
    assert sentiment.confusion.shape == (5, 5)
    assert {score.part for score in best_scores(result)} == {"test"}


def test_dev_stands_in_for_a_test_part_that_is_missing(result):
    result["test"] = {}
    assert {score.part for score in best_scores(result)} == {"dev"}
    result["dev"] = None
    assert best_scores(result) == []


def test_a_task_without_rows_in_a_part_is_left_out(result):
    del result["test"]["paraphrase"]
    assert [score.name for score in best_scores(result)] == ["sentiment", "similarity"]


def test_a_correlation_that_is_null_stays_the_own_score(result):
    result["test"]["similarity"]["pearson"] = None
    similarity = best_scores(result)[2]
    assert similarity.measure == "pearson"
    assert np.isnan(similarity.own)
    assert "pearson" not in similarity.intervals


def test_classes_without_names_are_numbered(result):
    result["tasks"]["paraphrase"]["classes"] = []
    assert list(task_scores(result, "dev")[1].classes) == ["0", "1"]


def test_a_run_of_one_classifier_has_no_tasks():
    assert best_scores({"test": {"accuracy": 0.5, "rows": 10}}) == []


def line(step, group="all", **more):
    fields = {"task_a": "a", "task_b": "b", "steps": 10, "conflict_share": 0.5, "mean_cosine": 0.1}
    return {"step": step, "group": group} | fields | more


def test_totals_weigh_evaluations_by_their_steps():
    few = line(5, steps=1, conflict_share=1.0, mean_cosine=-0.8, min_cosine=-0.9)
    many = line(20, steps=3, conflict_share=0.0, mean_cosine=0.4, min_cosine=0.1)
    [pair] = pair_conflicts([few, many])
    assert pair.total() == (4, 0.25, pytest.approx(0.1), -0.9)


def test_groups_follow_the_flow_of_data_whatever_order_they_were_written_in():
    names = ["rest", "layer 10", "layer 2", "all", "embeddings"]
    [pair] = pair_conflicts([line(1, name) for name in names])
    assert pair.groups == ["all", "embeddings", "layer 2", "layer 10", "rest"]


def test_what_was_not_recorded_is_unknown():
    [pair] = pair_conflicts([line(1), line(2), line(1, "rest")])
    np.testing.assert_array_equal(pair.counts, [[10, 10], [10, 0]])
    np.testing.assert_array_equal(np.isnan(pair.cosines), [[False, False], [False, True]])
    assert pair.total("rest")[:2] == (10, 0.5)
    assert np.isnan(pair.total()[3])
    assert pair_conflicts([line(1, "rest")])[0].total()[0] == 0


def test_pairs_share_groups_and_steps():
    lines = conflicts(4, np.random.default_rng(0))
    pairs = pair_conflicts(lines[:-3])
    assert [pair.name.split()[0] for pair in pairs] == ["sentiment", "sentiment", "paraphrase"]
    assert {pair.cosines.shape for pair in pairs} == {(8, 4)}
