import json
import shutil

import pytest
import torch

from acgan_bert import ACGANBertClassifier, run
from acgan_bert.model import GANModel
from acgan_bert.recipe_io import apply, check_recipe, dump_recipe
from acgan_bert.studies.grid import Grid
from acgan_bert.studies.study import Means, resume, start
from acgan_bert.transfer import Start
from mtl.errors import InputError
from tests.acgan_bert.test_resume import interrupt_at, read, weights
from tests.toy import blobs


@pytest.fixture(scope="module")
def recipe(small_recipe, small_run):
    """Return the small recipe, other labels drawn, that begins at the small run."""
    few = {"training.steps": 20, "training.checkpoint_every_steps": 10, "report.baselines": []}
    values = {"seed": 1, "training.start_from": str(small_run), "report.fakes": 20} | few
    return apply(small_recipe, values)


def test_a_resumed_run_begins_at_the_same_players(recipe, small_run, tmp_path, monkeypatch):
    """Its weights are those of one that was not stopped, and it says what it began at."""
    whole = run.train(recipe, tmp_path / "whole")
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        interrupt_at(patch, 20)
        with pytest.raises(KeyboardInterrupt):
            run.train(recipe, out)
    assert (out / "checkpoint").exists()
    run.resume(out)
    assert weights(out) == weights(whole)
    spaces = [GANModel.from_pretrained(path / "model").space for path in (whole, small_run)]
    assert torch.equal(spaces[0].axes_DD, spaces[1].axes_DD)
    (note,) = [note for note in read(whole / "result.json")["notes"] if "began at" in note]
    assert "classes taken over: negative, positive; linear skips" in note
    assert note in (whole / "log.txt").read_text("utf-8")
    began = read(whole / "env.json")["data"]["start_from"]
    assert began["source"] == str(small_run)
    assert len(began["sha256"]) == 64


def test_a_changed_source_is_noticed_on_resuming(recipe, small_run, tmp_path, monkeypatch):
    """It was trained again meanwhile."""
    moving = tmp_path / "moving"
    shutil.copytree(small_run, moving)
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        interrupt_at(patch, 10)
        with pytest.raises(KeyboardInterrupt):
            run.train(apply(recipe, {"training.start_from": str(moving)}), out)
    retrain(moving)
    with pytest.raises(InputError, match="moving: changed since"):
        run.resume(out)


def retrain(folder):
    """Change a weight of a run's model, as training it again would."""
    begun_at = Start.read(str(folder), ("negative", "positive")).model
    begun_at.generator.output.bias_E1O.add_(1)
    identity = {
        name: (folder / "model" / name).read_bytes() for name in ("task.json", "encoder.json")
    }
    begun_at.save_pretrained(folder / "model")
    for name, content in identity.items():
        (folder / "model" / name).write_bytes(content)


def broken(small_run, folder, case):
    """Make a run that nothing can begin at."""
    copied = folder / "runs"
    shutil.copytree(small_run, copied)
    if case == "unfinished":
        (copied / "result.json").unlink()
    if case == "of several tasks":
        (copied / "model" / "encoder.json").unlink()
    if case == "damaged":
        (copied / "model" / "model.safetensors").write_bytes(b"no weights")
    if case == "missing":
        shutil.rmtree(copied)
    return copied


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("missing", "no such folder"),
        ("unfinished", "not finished; first: acgan-bert resume"),
        ("of several tasks", "no GAN of one task"),
        ("damaged", "damaged model"),
        ("other encoder", "encoder.max_length 256 there, 20 here"),
        ("other depth", "set --generator.depth 1"),
    ],
)
def test_what_cannot_be_begun_at_is_told_before_anything_is_written(
    recipe, small_run, tmp_path, case, said
):
    values = {"training.start_from": str(broken(small_run, tmp_path, case))}
    if case == "other encoder":
        values["encoder.max_length"] = 20
    if case == "other depth":
        values["generator.depth"] = 2
    with pytest.raises(InputError, match=said) as caught:
        run.train(apply(recipe, values), tmp_path / "out")
    assert str(caught.value).startswith("training.start_from: ")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"encoder.mode": "finetune", "training.members": 1},
        {"adaptation.updates": 5},
    ],
)
def test_an_encoder_that_moves_has_no_vectors_that_the_players_know(recipe, values):
    with pytest.raises(InputError, match=r"training\.start_from: .* moves the encoder"):
        check_recipe(apply(recipe, values))


def test_the_estimator_begins_at_a_run_with_texts_only(recipe, small_run, sentences_csv, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(dump_recipe(recipe))
    made = {"recipe": str(path), "encoder": recipe.encoder.name, "members": 2, "random_state": 0}
    texts = [line.rpartition(",")[0] for line in sentences_csv.read_text().splitlines()[1:41]]
    labels = ["negative", "positive"] * 4 + [None] * 32
    fitted = ACGANBertClassifier(**made).fit(texts, labels)
    there = Start.read(str(small_run), ("negative", "positive")).model
    assert torch.equal(fitted.model_.space.axes_DD, there.space.axes_DD)
    with pytest.raises(InputError, match=r"training\.start_from needs texts"):
        ACGANBertClassifier(**made).fit(*blobs()[:2])


def test_a_study_has_what_rows_begin_at_as_an_axis(
    recipe, small_run, sentences_csv, tmp_path, monkeypatch
):
    """Rows of one start share a program, others do not, and a changed start is noticed."""
    monkeypatch.setattr("acgan_bert.studies.study.write_report", lambda _: None)
    moving = tmp_path / "moving"
    shutil.copytree(small_run, moving)
    own = {"data.test_fraction": 0, "data.dev_fraction": 0, "data.test": str(sentences_csv)}
    steps = {"training.steps": 4, "training.members": 3, "training.start_from": ""}
    grid = Grid(
        kind="depth",
        recipes={"default": apply(recipe, own | steps)},
        axes={"training.start_from": ["", str(moving)]},
        seeds=2,
        control=False,
    )
    means = Means(workers=1)
    study = start(grid, tmp_path / "study", means=means, watch=lambda _: None)
    packs = [{study.rows[row].axes["training.start_from"] for row in p.rows} for p in study.packs]
    assert packs == [{""}, {str(moving)}]
    row = next(r for r in study.rows.values() if r.axes["training.start_from"] and r.seed == 2)
    alone = run.train(study.recipe_of(row.id), tmp_path / "alone")
    found = json.loads((study.folder / "rows" / f"{row.id}.json").read_text("utf-8"))["measures"]
    result = read(alone / "result.json")
    assert found["frechet_distance"] == pytest.approx(
        result["generator"]["frechet_distance"], abs=1e-5
    )
    assert found["accuracy"] == pytest.approx(result["test"]["accuracy"])
    (study.folder / "rows" / f"{row.id}.json").unlink()
    retrain(moving)
    with pytest.raises(InputError, match="moving: changed since"):
        resume(study.folder, means=means, watch=lambda _: None)
