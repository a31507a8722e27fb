"""What a run says of its generator: measures, floors, intervals, class by class."""

import json

import numpy as np
import pytest

from acgan_bert.judge import KEYS, LEAST_ROWS, Reference, judge
from acgan_bert.trainer import TrainingRows
from analysis.metrics.summary import MEASURES, WHOLE_ONLY

CENTERS = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])


def draw(rng, labels):
    return (CENTERS[labels] + rng.normal(size=(len(labels), 3))).astype(np.float32)


def judged(rows=120, shift=0.0):
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 2
    texts = [{"id": str(row), "text": "a text", "label": "no"} for row in range(rows)]
    reference = Reference("test", draw(rng, labels), labels, texts)
    seen = np.arange(40) % 2
    training = TrainingRows(draw(rng, seen), np.where(np.arange(40) < 30, seen, -1), ("no", "yes"))
    return judge(reference, draw(rng, labels) + shift, training, seed=3)


@pytest.fixture(scope="module")
def measures():
    return judged()


def test_every_measure_stands_beside_its_floor_and_the_gaussian(measures):
    assert json.loads(json.dumps(measures, allow_nan=False)) == measures
    simple = measures["baselines"]["class_gaussian"]
    for name, short in KEYS.items():
        assert measures[f"{short}_floor"] == simple[f"{short}_floor"]
        assert measures[name] != simple[name]
    assert (measures["on"], measures["rows"]) == ("test", 60)
    assert 0.9 < measures["label_recovery"] <= 1.0
    assert measures["collapse"][-1]["class"] == "overall"


def test_intervals_and_classes_are_told(measures):
    rows = measures["measures"]
    names = [(row["class"], row["measure"]) for row in rows]
    assert names == [
        (of, name)
        for of in ("overall", "no", "yes")
        for name in MEASURES
        if of == "overall" or name not in WHOLE_ONLY
    ]
    for row in rows[: len(MEASURES)]:
        assert row["low"] <= row["value"] <= row["high"]
        assert row["floor_low"] <= row["floor"] <= row["floor_high"]
        if row["measure"] in KEYS:
            assert row["value"] == measures[row["measure"]]
            assert row["floor"] == measures[f"{KEYS[row['measure']]}_floor"]
    few = rows[names.index(("yes", "frechet_distance"))]
    assert few["value"] is None
    assert few["note"] == "30 rows; a Fréchet distance needs 50"
    for row in measures["collapse"]:
        for name in ("rank_ratio", "spread_ratio", "vendi_ratio", "distinct_ratio"):
            assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]
            assert row[f"{name}_floor_low"] < row[f"{name}_floor"] < row[f"{name}_floor_high"]
    p_values = {row["measure"]: row["p_value"] for row in rows if row["class"] == "overall"}
    assert p_values["energy_distance"] > 0.01
    assert p_values["coverage"] is None


def test_a_generator_that_is_off_is_found_out(measures):
    off = judged(shift=1.0)
    for row in off["measures"]:
        if row["measure"] == "energy_distance":
            assert row["p_value"] == 0.005
            assert row["low"] > row["floor_high"]
    assert off["frechet_distance"] > measures["frechet_distance"] + 1.0


def test_too_few_rows_are_not_measured():
    assert judged(rows=LEAST_ROWS - 1) == {}
    assert judged(rows=LEAST_ROWS)["rows"] == LEAST_ROWS // 2
