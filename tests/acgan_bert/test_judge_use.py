"""What a run's result says of use and meaning: names, JSON, and what is left out without rows."""

import json
from dataclasses import replace

import numpy as np
import pytest

from acgan_bert import judge_use as judge_use_module
from acgan_bert.judge import Reference
from acgan_bert.judge_use import judge_coherence, judge_use
from acgan_bert.recipe import Recipe
from acgan_bert.studies import measuring
from acgan_bert.trainer import TrainingRows
from tests.toy import blobs

CLASSES = ("bad", "good")
WORDS = ("dull", "fine")


@pytest.fixture(scope="module")
def reference():
    vectors, labels, _ = blobs(rows=30, seed=0)
    rows = [
        {"id": str(i), "text": f"a {WORDS[y]} film", "label": CLASSES[y]}
        for i, y in enumerate(labels)
    ]
    return Reference("test", vectors, labels, rows)


@pytest.fixture(scope="module")
def training():
    vectors, _, shown = blobs(rows=40, labeled=4, seed=0)
    shown[-5:] = -2  # not used
    return TrainingRows(vectors + 0.01, shown, CLASSES)


@pytest.fixture(scope="module")
def fake():
    rng = np.random.default_rng(5)
    return blobs(rows=30, seed=0)[0] + 0.5 * rng.normal(size=(60, 6)).astype(np.float32)


def test_use_is_plain_json_with_the_names_of_classes(reference, training, fake):
    rows = judge_use(reference, fake, training, seed=0)
    assert rows == json.loads(json.dumps(rows, allow_nan=False))
    assert {row["class"] for row in rows} == {"bad", "good", "overall"}
    assert {"train_on_fake", "augmentation", "two_sample", "nearer_to_train"} <= {
        row["measure"] for row in rows
    }
    best = next(row for row in rows if (row["class"], row["measure"]) == ("good", "train_on_fake"))
    assert best["value"] > 0.9
    assert rows == judge_use(reference, fake, training, seed=0)


def test_a_study_finds_the_same_of_as_many_training_rows(reference, training, fake, monkeypatch):
    labeled = replace(training, labels=np.maximum(training.labels, 0))
    monkeypatch.setattr(measuring, "reference_for", lambda *_: reference)
    for module in (judge_use_module, measuring):
        monkeypatch.setattr(module, "MOST_TRAINING_ROWS", 20)
    bench = measuring.GeneratorBench(labeled, {}, None, replace(Recipe(), seed=7))
    assert bench.measure(fake)["use"] == judge_use(reference, fake, labeled, seed=7)


def test_without_held_out_rows_there_is_nothing_to_hold_training_rows_against(training, fake):
    vectors, labels, _ = blobs(rows=30, seed=0)
    own = Reference("train", vectors, labels, [{"text": "a"}] * 60)
    measured = {row["measure"] for row in judge_use(own, fake, training, seed=0)}
    assert measured == {"train_on_fake", "test_on_fake", "two_sample"}


def test_coherence_names_the_words_around_each_class(reference, fake):
    found = judge_coherence(reference, fake, CLASSES)
    assert found == json.loads(json.dumps(found, allow_nan=False))
    assert [row["class"] for row in found["agreement"]] == ["bad", "good", "overall"]
    assert found["agreement"][-1]["agreement"] > 0.9
    first = {row["class"]: row["word"] for row in reversed(found["words"])}
    assert first == dict(zip(CLASSES, WORDS, strict=True))
    one = Reference("test", reference.vectors[:1], reference.labels[:1], reference.rows[:1])
    assert judge_coherence(one, fake[:1], CLASSES) == {"agreement": [], "words": []}
