"""Snapshots of a generator: those that were asked for, and no trace of them in the training."""

import json

import numpy as np
import pytest
import torch

from acgan_bert.draw import draw
from acgan_bert.snapshots import Snapshots, snapshot_steps
from acgan_bert.trainer import TrainingRows, train_gan
from analysis import read_maps, read_run
from tests.properties import assert_same_bits
from tests.toy import blobs, tiny_recipe

VECTORS, TRUTH, LABELS = blobs()
ROWS = TrainingRows(VECTORS, LABELS, ("down", "up"))
RECIPE = tiny_recipe(training__members=2, generator__dropout=0.2)


def snapshots(folder):
    return Snapshots(folder, TRUTH, classes=ROWS.classes, recipe=RECIPE)


def weights(model):
    return {
        **model.generator.state_dict(),
        **{f"d.{k}": v for k, v in model.discriminator.state_dict().items()},
    }


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Train with snapshots; returns the model and their folder. Do not write into it."""
    folder = tmp_path_factory.mktemp("watched") / "series"
    return train_gan(ROWS, RECIPE, watch=snapshots(folder)), folder


def test_looking_changes_nothing(watched):
    before = torch.random.get_rng_state()
    assert_same_bits(weights(watched[0]), weights(train_gan(ROWS, RECIPE)))
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_last_one_is_what_the_finished_generator_makes(watched):
    from safetensors.numpy import load_file

    model, folder = watched
    assert sorted(contents(folder)) == [f"step-{s:08d}.safetensors" for s in (0, 2, 4, 6)]
    last = load_file(folder / "step-00000006.safetensors")
    np.testing.assert_array_equal(last["vectors"], model.sample(TRUTH, seed=RECIPE.seed))
    np.testing.assert_array_equal(last["labels"], TRUTH)
    first = load_file(folder / "step-00000000.safetensors")
    assert not np.array_equal(first["vectors"], last["vectors"])


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_resumed_run_has_the_same_ones(watched, tmp_path, after):
    def progress(step, _):
        if step == after:
            raise Killed

    folder, checkpoint = tmp_path / "series", tmp_path / "checkpoint"
    with pytest.raises(Killed):
        train_gan(ROWS, RECIPE, checkpoint=checkpoint, progress=progress, watch=snapshots(folder))
    train_gan(ROWS, RECIPE, checkpoint=checkpoint, watch=snapshots(folder))
    assert contents(folder) == contents(watched[1])


@pytest.mark.parametrize(("steps", "every"), [(1, 10), (10, 10), (25, 10), (5000, 50), (70, 10)])
def test_steps_are_evaluations_few_and_end_at_the_end(steps, every):
    found = snapshot_steps(steps, every)
    assert found[0] == 0
    assert found[-1] == steps
    assert len(found) <= 7
    assert found == sorted(set(found))
    assert all(step % every == 0 for step in found[:-1])


def test_a_run_keeps_them_and_draws_the_series(small_run):
    run = read_run(small_run)
    frames = run.generated[0].series
    assert list(frames) == ["step 0", "step 10", "step 20", "step 30", "step 40"]
    np.testing.assert_array_equal(
        frames["step 40"], run.generated[0].fake.vectors[: len(frames["step 40"])]
    )
    maps = read_maps(small_run / "figures" / "maps.json")
    drawn = [found.frame for found in maps if found.method == "tsne-joint" and found.frame]
    assert drawn == list(frames)
    stems = {stem for stem, _ in run.figures}
    assert {"map", "maps-by-class", "maps-series"} <= stems


def test_drawing_again_gives_the_same_bytes(small_run, tmp_path):
    import shutil

    again = tmp_path / "again"
    shutil.copytree(small_run, again)
    draw(again, seed=json.loads((again / "result.json").read_text()).get("seed", 0))
    for name in ("maps.json", "maps-series.svg", "maps-by-class.png"):
        assert (again / "figures" / name).read_bytes() == (
            small_run / "figures" / name
        ).read_bytes(), name


@pytest.mark.parametrize("content", [b"", b"\x00" * 40])
def test_a_damaged_one_is_named(tmp_path, content):
    from analysis.runs import _series

    (tmp_path / "step-00000010.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"step-00000010.safetensors: damaged"):
        _series(tmp_path)
