"""What a run says of its generator: measures, floors, intervals, class by class."""

import json
from dataclasses import replace

import numpy as np
import pytest

from acgan_bert.judge import KEYS, LEAST_ROWS, Reference, judge
from acgan_bert.recipe import Recipe
from acgan_bert.studies import measuring
from acgan_bert.trainer import TrainingRows
from analysis.metrics.summary import MEASURES, WHOLE_ONLY

CENTERS = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]])


def draw(rng, labels):
    return (CENTERS[labels] + rng.normal(size=(len(labels), 3))).astype(np.float32)


def parts_of(labels, classes=("no", "yes")):
    """Return a reference with these labels, fakes, and the rows that they were trained on."""
    rng, rows = np.random.default_rng(0), len(labels)
    texts = [{"id": str(row), "text": "a text", "label": "no"} for row in range(rows)]
    reference = Reference("test", draw(rng, labels), labels, texts)
    seen = np.arange(40) % 2
    training = TrainingRows(draw(rng, seen), np.where(np.arange(40) < 30, seen, -1), classes)
    return reference, draw(rng, labels), training


def judged(rows=120, shift=0.0, classes=("no", "yes")):
    reference, fake, training = parts_of(np.arange(rows) % 2, classes)
    return judge(reference, fake + shift, training, seed=3)


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


def test_a_class_called_overall_is_not_taken_for_all_of_them(measures):
    named = judged(classes=("no", "overall"))
    for name, short in KEYS.items():
        assert (named[name], named[f"{short}_floor"]) == (
            measures[name],
            measures[f"{short}_floor"],
        )
    rows = [row["class"] for row in named["collapse"]]
    assert rows == ["no", "overall (class)", "overall"]


@pytest.mark.parametrize("labels", [np.arange(60) % 2, np.arange(60) // 59], ids=["two", "rare"])
def test_a_study_has_the_same_numbers_to_the_last_bit(labels, monkeypatch):
    """Of a class with one row there is no other row to tell it by, and no number to write."""
    reference, fake, training = parts_of(labels)
    monkeypatch.setattr(measuring, "reference_for", lambda *_: reference)
    bench = measuring.GeneratorBench(training, {}, None, replace(Recipe(), seed=3))
    found, expected = bench.measure(fake), judge(reference, fake, training, seed=3)
    json.dumps(found, allow_nan=False)
    gaussian = found.pop("baselines")["class_gaussian"]
    del found["use"]
    assert found == {name: expected[name] for name in found}
    simple = expected["baselines"]["class_gaussian"]
    assert gaussian == {name: simple[name] for name in gaussian}
    assert (found["label_recovery"] is None) == (labels.sum() == 1)
