"""The early warning beside a trained encoder: rows of every task, at every record."""

import logging

import numpy as np
import pytest

from acgan_bert.joint import JointGAN
from acgan_bert.recipe_io import apply, check_recipe
from acgan_bert.watch_beside import JointWatch, watched
from mtl.errors import InputError
from tests.acgan_bert.toy_joint import joint_recipe, parted


@pytest.fixture(scope="module")
def gan():
    model, data = parted()
    return JointGAN(model, data, joint_recipe())


def test_every_record_gets_the_same_numbers_of_the_same_state(gan):
    rows = []
    record = watched(rows.append, gan)
    streams = {name: value.clone() for name, value in gan.streams.state().items()}
    for step in (1, 2):
        record({"step": step, "norm": 1.0})
    first, second = ({k: v for k, v in row.items() if k != "step"} for row in rows)
    assert first == second
    assert first["norm"] == 1.0
    assert {"collapse/rank_ratio", "collapse/spread_ratio", "collapse/warnings"} <= first.keys()
    assert all(np.isfinite(value) for value in first.values())
    after = gan.streams.state()
    assert all(bool((value == after[name]).all()) for name, value in streams.items())


def test_a_generator_that_ignores_its_noise_is_named_with_its_tasks(gan, caplog):
    width = gan.shape.noise_width
    for name, value in gan.players.averages[0].items():
        if name.startswith("skip"):
            value[0, :width] = 0.0
        elif name.startswith("output"):
            value.zero_()
    watch = JointWatch(gan)
    with caplog.at_level(logging.WARNING, "acgan_bert.watch_beside"):
        found = [watch.look(step) for step in (3, 4)]
    (line,) = caplog.messages
    assert line.startswith("update 3: the generator may be collapsing: task sentiment: ")
    assert "duplicate_rate 1.00" in line
    assert found[0]["collapse/warnings"] >= 2.0  # scores of similarity differ from fake to fake
    assert found[0]["collapse/duplicate_rate"] == 1.0


def test_without_a_gan_or_with_the_watch_off_the_record_is_left_alone(gan):
    rows = []
    record = rows.append
    assert watched(record, None) is record
    assert watched(None, gan) is None
    off = apply(gan.recipe, {"watch.every_steps": 0})
    gan.recipe, kept = off, gan.recipe
    assert watched(record, gan) is record
    gan.recipe = kept


def test_a_stop_is_of_frozen_embeddings():
    changes = {"data.train": "a.csv", "encoder.mode": "finetune", "training.members": 1}
    recipe = apply(joint_recipe(), changes | {"watch.stop": True})
    with pytest.raises(InputError, match=r"^watch\.stop: true, but beside an encoder"):
        check_recipe(recipe)
