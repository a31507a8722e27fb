"""Tasks: what their output implies, buckets of scores, JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtl.errors import InputError
from mtl.text.tasks import Task

SIMILARITY = Task(
    name="similarity",
    arity=2,
    output="score",
    classes=("0", "1", "2", "3", "4", "5"),
    low=0.0,
    high=5.0,
)
SENTIMENT = Task(name="sentiment", arity=1, output="classes", classes=("bad", "good"))


def test_loss_and_metric_follow_the_output():
    assert (SENTIMENT.loss, SENTIMENT.metric) == ("cross_entropy", "accuracy")
    assert (SIMILARITY.loss, SIMILARITY.metric) == ("mean_squared_error", "pearson")
    assert (SENTIMENT.num_classes, SIMILARITY.num_classes) == (2, 6)


@given(st.floats(0, 5))
def test_bucket_is_at_most_half_a_unit_away(score):
    bucket = int(SIMILARITY.bucket([score])[0])
    assert abs(bucket - score) <= 0.5


def test_bucket_rounds_halves_up_clips_and_keeps_missing_scores_apart():
    found = SIMILARITY.bucket([0.5, 1.5, 2.5, -3.0, 7.0, math.nan])
    assert found.tolist() == [1, 2, 3, 0, 5, -1]
    assert found.dtype == np.int64


def test_bucket_counts_from_the_low_end():
    task = Task(name="mood", arity=1, output="score", classes=("-1", "0", "1"), low=-1.0, high=1.0)
    assert task.bucket([-1.0, -0.2, 0.9]).tolist() == [0, 1, 2]


@pytest.mark.parametrize("task", [SENTIMENT, SIMILARITY])
def test_json_round_trips(task):
    assert Task.from_json(json.loads(json.dumps(task.to_json()))) == task


@pytest.mark.parametrize(
    "change",
    [
        {"classes": None},
        {"unheard_of": 1},
        {"arity": 3},
        {"output": "rank"},
        {"classes": ["a", "a"]},
    ],
)
def test_json_that_is_no_task_is_an_input_error(change):
    with pytest.raises(InputError, match="task"):
        Task.from_json({**SENTIMENT.to_json(), **change})


def test_an_empty_score_range_is_an_input_error():
    with pytest.raises(InputError, match="empty"):
        Task(name="s", arity=1, output="score", classes=("1",), low=1.0, high=1.0)
