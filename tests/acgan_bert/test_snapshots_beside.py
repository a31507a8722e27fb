"""Snapshots beside a trained encoder: real rows and fakes of one time, up to what was kept."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from acgan_bert.gan_run import GANJob
from acgan_bert.joint import JointGAN
from acgan_bert.joint_run import judged_parts
from acgan_bert.multitask_run import MultitaskJob
from acgan_bert.progress import Stages
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.snapshots_beside import end_series, judged_rows, series_beside
from mtl.files import sha256
from mtl.optim import Optimization
from tests.acgan_bert.task_files import small, write_tasks
from tests.acgan_bert.toy_joint import joint_recipe, parted
from tests.properties import assert_same_bits

TASKS = ("sentiment", "paraphrase", "similarity")
ALONE = {
    "training.members": 1,
    "training.steps": 6,
    "training.batch_size": 8,
    "training.eval_every_steps": 1,
    "training.checkpoint_every_steps": 2,
    "multitask.encoder_learning_rate": 1e-3,
    "multitask.precision": "no",
    "multitask.warmup_share": 0,
    "encoder.mode": "finetune",
    "report.baselines": [],
    "data.label_fraction": 0.5,
}


def alone(files, encoder, **changes):
    """Return the recipe of a run of one task."""
    sources = {f"data.{part}": f"{files}/sentiment-{part}.csv" for part in ("train", "dev")}
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return apply(load_recipe("default"), ALONE | sources | {"encoder.name": str(encoder)} | dotted)


def work(recipe, folder):
    """Do a run's work in a folder, without its pictures; returns the result."""
    folder.mkdir(exist_ok=True)
    job = MultitaskJob if recipe.tasks.sentiment.train else GANJob
    job.read(recipe).work(folder, Stages(None), None)
    return json.loads((folder / "result.json").read_text("utf-8"))


def contents(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.rglob("step-*"))}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder with the files of the tasks. Do not write into it."""
    folder = tmp_path_factory.mktemp("text")
    write_tasks(folder)
    return folder


@pytest.fixture(scope="module")
def finished(files, encoder_folder, tmp_path_factory):
    """Run of one task, and its result. Do not write into it."""
    folder = tmp_path_factory.mktemp("finetune") / "run"
    return folder, work(alone(files, encoder_folder), folder)


def test_a_series_ends_with_what_the_kept_generator_is_judged_on(finished):
    folder, result = finished
    frames = {int(file.stem[5:]): load_file(file) for file in (folder / "series").iterdir()}
    kept = result["best_update"]
    assert kept < 6, "nothing was written after it"
    assert sorted(frames) == list(range(kept + 1))
    for kind, name in (("real", "real"), ("fake", "vectors")):
        judged = load_file(folder / "embeddings" / f"{kind}.safetensors")
        np.testing.assert_array_equal(frames[kept][name], judged["vectors"])
        np.testing.assert_array_equal(frames[kept]["labels"], judged["labels"])
        assert not np.allclose(frames[0][name], frames[kept][name], atol=1e-5)


def test_training_does_not_notice(finished, files, encoder_folder, tmp_path):
    work(alone(files, encoder_folder, report__figures=False), tmp_path)
    assert not (tmp_path / "series").exists()
    for file in ("model.safetensors", "encoder/model.safetensors"):
        assert sha256(tmp_path / "model" / file) == sha256(finished[0] / "model" / file)


def test_a_killed_run_has_the_same_ones_once_it_has_gone_on(
    finished, files, encoder_folder, tmp_path, monkeypatch
):
    apply_update = Optimization.apply

    def stop(self, losses):
        if self.done == 3:
            raise KeyboardInterrupt
        return apply_update(self, losses)

    recipe = alone(files, encoder_folder)
    with monkeypatch.context() as patch:
        patch.setattr(Optimization, "apply", stop)
        with pytest.raises(KeyboardInterrupt):
            work(recipe, tmp_path)
    assert "step-00000003.safetensors" in contents(tmp_path / "series")
    work(recipe, tmp_path)
    assert contents(tmp_path / "series") == contents(finished[0] / "series")


def test_every_task_of_a_joint_run_has_a_series(encoder_folder, tmp_path):
    keys = [*write_tasks(tmp_path), *small(encoder_folder), "--report.figures", "true"]
    flags = {key[2:]: value for key, value in zip(keys[::2], keys[1::2], strict=True)}
    result = work(apply(load_recipe("joint"), flags), tmp_path / "run")
    for task in TASKS:
        found = contents(tmp_path / "run" / "series" / task)
        names = [f"step-{step:08d}.safetensors" for step in (0, 3, 6)]
        assert list(found) == [name for name in names if int(name[5:13]) <= result["best_update"]]
        last = load_file(tmp_path / "run" / "series" / task / list(found)[-1])
        judged = load_file(tmp_path / "run" / "embeddings" / task / "fake.safetensors")
        np.testing.assert_array_equal(last["vectors"], judged["vectors"])


@pytest.mark.parametrize("held_out", ["dev", "train"])
def test_rows_are_known_before_there_is_a_vector(held_out, files, encoder_folder, tmp_path):
    changes = {} if held_out == "dev" else {"data__dev": ""}
    recipe = alone(files, encoder_folder, **changes)
    labels, corpus = judged_rows(GANJob.read(recipe).parts, recipe)
    work(recipe, tmp_path)
    lines = (tmp_path / "embeddings" / "real.jsonl").read_text("utf-8").splitlines()
    assert list(corpus.ids) == [json.loads(line)["id"] for line in lines]
    judged = load_file(tmp_path / "embeddings" / "fake.safetensors")
    np.testing.assert_array_equal(labels, judged["labels"])


def test_looking_leaves_weights_and_random_numbers_alone(files, encoder_folder, tmp_path):
    keys = [*write_tasks(tmp_path), *small(encoder_folder)]
    flags = {key[2:]: value for key, value in zip(keys[::2], keys[1::2], strict=True)}
    parts = MultitaskJob.read(apply(load_recipe("joint"), flags)).parts
    model, data = parted()
    gan = JointGAN(model, data, joint_recipe())
    before = {name: value.clone() for name, value in gan.state().items()}
    stream = torch.get_rng_state()
    judged = {name: judged_parts(parts[name], parts[name].hidden(), seed=0) for name in TASKS}
    folders = {name: tmp_path / name for name in TASKS}
    look = series_beside(gan, judged, folders, updates=4, every=2)
    look(2)
    look(3)
    assert_same_bits(before, gan.state())
    assert torch.equal(stream, torch.get_rng_state())
    for name in TASKS:
        found = contents(folders[name])
        assert list(found) == ["step-00000000.safetensors", "step-00000002.safetensors"]
        assert len(set(found.values())) == 1  # nothing was trained in between


def test_without_snapshots_there_is_no_series_to_end(tmp_path):
    end_series(tmp_path / "series", tmp_path, 3)
    assert not list(tmp_path.iterdir())
