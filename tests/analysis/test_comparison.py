"""The comparison and the verdict: chance counts, and losing is said."""

import pytest

from analysis import comparison, correlation_interval, verdict
from analysis.scores import scored_part


def result(model, baseline, rows=1000, **more):
    entry = {"accuracy": baseline, "macro_f1": baseline, "on": "test"} | more
    return {
        "name": "demo",
        "test": {"accuracy": model, "macro_f1": model, "rows": rows},
        "baselines": {"logistic_regression": entry, "majority": {"accuracy": 0.1, "on": "test"}},
    }


@pytest.mark.parametrize(
    ("model", "baseline", "rows", "kind"),
    [
        (0.8, 0.6, 1000, "better"),
        (0.6, 0.8, 1000, "worse"),
        (0.62, 0.60, 1000, "noise"),
        (0.60, 0.62, 1000, "noise"),
        (0.8, 0.6, 10, "noise"),
        (0.8, 0.6, None, "noise"),
    ],
)
def test_verdict(model, baseline, rows, kind):
    found = verdict(result(model, baseline, rows))
    assert found.kind == kind
    assert found.baseline == "logistic regression"
    assert found.difference == pytest.approx(model - baseline)
    assert (found.interval is None) == (rows is None)


def test_a_paired_interval_decides_where_it_is_given():
    given = {"difference_low": 0.005, "difference_high": 0.035}
    found = verdict(result(0.62, 0.60, **given))
    assert (found.kind, found.paired) == ("better", True)
    assert (found.interval.low, found.interval.high) == (0.005, 0.035)


def test_sorted_with_wilson_or_written_intervals():
    scores = comparison(result(0.5, 0.6, accuracy_low=0.11, accuracy_high=0.99))
    assert [score.name for score in scores] == [
        "logistic regression",
        "this model (demo)",
        "majority",
    ]
    assert (scores[0].low, scores[0].high) == (0.11, 0.99)
    assert scores[1].low == pytest.approx(0.4690, abs=1e-4)
    assert [score.highlighted for score in scores] == [False, True, False]


def test_scores_of_other_parts_and_broken_entries_stay_out():
    content = result(0.5, 0.6)
    content["baselines"] |= {
        "elsewhere": {"accuracy": 0.9, "on": "dev"},
        "failed": {"accuracy": None},
        "nan": {"accuracy": float("nan")},
        "text": "no scores",
    }
    assert len(comparison(content)) == 3


def test_a_score_task_has_correlations_with_intervals_beside_its_accuracy():
    content = result(0.5, 0.6, pearson=0.2, rows=1000)
    content["test"]["pearson"] = 0.7
    other, model, majority = comparison(content)
    assert (model.value, model.pearson) == (0.5, 0.7)
    assert model.pearson_interval == correlation_interval(0.7, 1000)
    assert other.pearson_interval == correlation_interval(0.2, 1000)
    assert (majority.pearson, majority.pearson_interval) == (None, None)
    assert verdict(content).baseline == "logistic regression"
    content["test"] |= {"rows": 3}
    assert comparison(content)[1].pearson_interval is None


def test_dev_stands_in_for_a_missing_test_and_correlation_for_accuracy():
    content = {"test": None, "dev": {"pearson": 0.7}, "baselines": {"ridge": {"pearson": 0.8}}}
    assert scored_part(content) == ("dev", "pearson")
    assert verdict(content).difference == pytest.approx(-0.1)
    assert scored_part({}) == ("", "")
    assert comparison({}) == []
    assert verdict({}).kind == "untested"
