"""The early warning: it sees a collapse, leaves training alone, and ends it where asked to."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from acgan_bert.ensemble import Ensemble
from acgan_bert.member import Member
from acgan_bert.recipe_io import apply, check_recipe
from acgan_bert.trainer import TrainingRows, train_gan
from acgan_bert.watch import CollapseWatch, together
from mtl.errors import DivergenceError, InputError
from tests.properties import assert_same_bits
from tests.toy import blobs, tiny_recipe

CLASSES = ("down", "up")
VECTORS, _, LABELS = blobs(rows=100, labeled=40)
ROWS = TrainingRows(VECTORS, LABELS, CLASSES)
SETTINGS = {
    "generator__noise_width": 6,
    "training__members": 2,
    "watch__every_steps": 2,
    "watch__rows": 60,
}


@pytest.fixture(scope="module")
def recipe():
    return tiny_recipe(**SETTINGS)


def watched(recipe, **keywords):
    """Train under watch; returns the model and the records."""
    records = []
    watch = keywords.pop("watch", CollapseWatch(CLASSES))
    model = train_gan(ROWS, recipe, record=records.append, watch=watch, **keywords)
    return model, [
        {key: row[key] for key in row if key.startswith("collapse/")} | {"step": row["step"]}
        for row in records
    ]


def weights(model):
    return model.generator.state_dict() | {
        f"d.{name}": value for name, value in model.discriminator.state_dict().items()
    }


def silence(ensemble, member):
    """Let a member's generator ignore its noise: one point a class."""
    width = ensemble.shape.noise_width
    for values in (
        ensemble.players.averages[0],
        dict(ensemble.players.generator.named_parameters()),
    ):
        for name, value in values.items():
            if name.startswith("skip"):
                value.data[member, :width] = 0.0
            elif name.startswith("output"):
                value.data[member] = 0.0


def collapse_at(step, member=1):
    def harm(ensemble):
        if ensemble.step_number == step:
            silence(ensemble, member)
        return {}

    return harm


@pytest.fixture(scope="module")
def healthy(recipe):
    with pytest.MonkeyPatch.context() as patch:
        said = []
        patch.setattr(logging.getLogger("acgan_bert.watch"), "warning", lambda *a: said.append(a))
        model, records = watched(recipe)
    return model, records, said


def test_a_healthy_generator_is_measured_and_not_warned_of(healthy):
    _, records, said = healthy
    assert [row["step"] for row in records] == [2, 4, 6]
    assert said == []
    for row in records:
        assert row["collapse/warnings"] == 0.0
        assert 0.7 < row["collapse/rank_ratio"] < 1.3
        assert 0.8 < row["collapse/spread_ratio"] < 1.2
        assert row["collapse/duplicate_rate"] == 0.0
        assert all(np.isfinite(value) for value in row.values())


def test_training_is_the_same_bit_for_bit_with_the_watch_on_or_off(recipe, healthy):
    torch.manual_seed(3)  # a watch that drew from here would show
    unwatched = train_gan(ROWS, recipe)
    off = apply(recipe, {"watch.every_steps": 0})
    model, records = watched(off)
    assert_same_bits(weights(unwatched), weights(healthy[0]))
    assert_same_bits(weights(unwatched), weights(model))
    assert all(row.keys() == {"step"} for row in records)


def test_a_collapse_of_one_member_is_said_once_with_member_class_and_numbers(recipe, caplog):
    watch = together(collapse_at(4), None, CollapseWatch(CLASSES))
    with caplog.at_level(logging.WARNING, "acgan_bert.watch"):
        _, records = watched(recipe, watch=watch)
    assert [row["collapse/warnings"] > 0 for row in records] == [False, True, True]
    at_4 = records[1]
    assert at_4["collapse/rank_ratio"] < 0.65  # of the worst member, not of the mean
    assert at_4["collapse/duplicate_rate"] > 0.9
    assert at_4["collapse/spread_ratio"] < records[0]["collapse/spread_ratio"]
    (line,) = caplog.messages  # the next look finds the same groups, and says nothing
    assert line.startswith("step 4: the generator may be collapsing: member 1: ")
    assert "member 1, class down: " in line
    assert "duplicate_rate 1.00 (limit 0.10)" in line
    assert "member 0" not in line


def test_a_stop_leaves_the_last_state_before_the_warning(recipe, tmp_path):
    stop = apply(recipe, {"watch.stop": True, "training.checkpoint_every_steps": 3})
    watch = together(collapse_at(4), CollapseWatch(CLASSES))
    model, records = watched(stop, watch=watch, checkpoint=tmp_path)
    assert [row["step"] for row in records] == [2, 4]
    assert records[-1]["collapse/stopped"] == 1.0
    three = apply(recipe, {"training.steps": 3})
    assert_same_bits(weights(model), weights(train_gan(ROWS, three)))
    # A run that died after the stop goes on from the same checkpoint, and stops again.
    again, records = watched(
        stop, watch=together(collapse_at(4), CollapseWatch(CLASSES)), checkpoint=tmp_path
    )
    assert [row["step"] for row in records] == [4]
    assert_same_bits(weights(again), weights(model))


def test_a_stop_with_nothing_kept_is_an_error(recipe):
    """The players as they began were saved as the model, without a word."""
    stop = apply(recipe, {"watch.stop": True, "training.checkpoint_every_steps": 6})
    with pytest.raises(DivergenceError, match=r"step 4: watch\.stop ends training"):
        watched(stop, watch=together(collapse_at(4), CollapseWatch(CLASSES)))


def test_a_resumed_run_sees_what_the_uninterrupted_one_sees(recipe, healthy, tmp_path):
    train_gan(ROWS, apply(recipe, {"training.steps": 4}), checkpoint=tmp_path)
    _, records = watched(recipe, checkpoint=tmp_path)
    assert records == healthy[1][2:]


def test_it_looks_at_the_first_evaluation_since_it_was_time_and_at_the_last(recipe):
    sparse = apply(recipe, {"watch.every_steps": 3, "training.steps": 9})
    _, records = watched(sparse)
    looked = [row["step"] for row in records if len(row) > 1]
    assert [row["step"] for row in records] == [2, 4, 6, 8, 9]
    assert looked == [4, 6, 9]


def test_classes_with_few_labels_are_watched_as_a_whole_alone():
    _, _, few = blobs(rows=100, labeled=5)
    recipe = tiny_recipe(**SETTINGS)
    watch = CollapseWatch(CLASSES)
    ensemble = Ensemble(VECTORS, [Member(recipe, few, 0), Member(recipe, LABELS, 1)], num_classes=2)
    assert watch(ensemble) == {}
    groups = [(group.member, group.name) for group in watch._groups]
    assert groups == [(0, ""), (1, ""), (1, "down"), (1, "up")]
    silence(ensemble, 0)
    found = watch.look(ensemble)
    assert found["collapse/warnings"] == 1.0


@pytest.mark.parametrize(("key", "value"), [("watch.rows", 29), ("watch.every_steps", -1)])
def test_numbers_out_of_range_are_named(recipe, key, value):
    given = replace(recipe, data=replace(recipe.data, train="a.csv"))
    check_recipe(given)
    with pytest.raises(InputError, match=rf"{key}: found {value}, expected"):
        check_recipe(apply(given, {key: value}))
