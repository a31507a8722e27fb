"""Few-labels: a run with an encoder of its own is used, resumed and saved like any other."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from acgan_bert import run
from acgan_bert.adapted import ENCODER_FOLDER, adapted_encoder, encoder_of, guess_classes
from acgan_bert.estimator import ACGANBertClassifier
from acgan_bert.inference import predict, sample
from acgan_bert.model import GANModel
from acgan_bert.parts import read_parts
from acgan_bert.recipe_io import apply, check_recipe, load_recipe
from acgan_bert.rundir import MetricsLog, read_metrics
from acgan_bert.setfit_peer import check_setfit, setfit_probabilities
from mtl.bert.encoder import load_encoder
from mtl.errors import InputError
from mtl.text.tasks import Task

STAGE = {
    "adaptation.updates": 4,
    "adaptation.rounds": 2,
    "adaptation.round_updates": 3,
    "adaptation.batch_size": 8,
    "adaptation.candidates": 20,
    "adaptation.learning_rate": 1e-3,
    "adaptation.checkpoint_every_updates": 3,
}


@pytest.fixture(scope="module")
def recipe(small_recipe):
    """The small recipe with an encoder that moves."""
    return apply(small_recipe, STAGE)


@pytest.fixture(scope="module")
def moved_run(recipe, tmp_path_factory):
    """Directory of its run. Do not write into it."""
    out = tmp_path_factory.mktemp("moved") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACGAN_BERT_CACHE", str(out.parent / "cache"))
        return run.train(recipe, out)


def read(path):
    return json.loads(path.read_text("utf-8"))


def files(directory):
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_shipped_recipe_moves_the_encoder_and_default_does_not():
    check_recipe(load_recipe("few-labels"))
    assert load_recipe("few-labels").adaptation.updates > 0
    assert load_recipe("default").adaptation.updates == 0


def test_run_keeps_the_encoder_that_it_moved(moved_run, recipe):
    kept = encoder_of(moved_run / "model", recipe.encoder)
    identity = read(moved_run / "model" / "encoder.json")
    base = read(moved_run / "env.json")["encoder"]["fingerprint"]
    assert kept.fingerprint() == identity["fingerprint"] != base
    assert load_encoder(recipe.encoder.name).fingerprint() == base


def test_predictions_are_those_that_were_scored(moved_run, sentences_csv):
    result = read(moved_run / "result.json")
    ids = read(moved_run / "split.json")["test"]
    table = predict(moved_run, str(sentences_csv)).set_index("id").loc[ids]
    truth = pd.read_csv(sentences_csv)["label"]
    hits = [row["label"] == truth[int(row_id) - 1] for row_id, row in table.iterrows()]
    assert np.mean(hits) == pytest.approx(result["test"]["accuracy"])


def test_baselines_stand_on_the_encoder_as_it_was(moved_run, small_run):
    ours, plain = (read(path / "result.json")["baselines"] for path in (moved_run, small_run))
    name = "logistic_regression"
    assert ours[name]["accuracy"] == plain[name]["accuracy"]
    assert ours[name]["macro_f1"] == plain[name]["macro_f1"]


def test_sampling_looks_for_training_rows_in_the_moved_space(moved_run):
    drawn = sample(moved_run, "positive", 4)
    assert drawn.vectors.shape == (4, 16)
    assert all(isinstance(row["memorized"], bool) for row in drawn.rows)


def test_a_damaged_or_missing_encoder_is_noticed(moved_run, sentences_csv, tmp_path):
    copy = shutil.copytree(moved_run, tmp_path / "copy")
    weights = copy / "model" / ENCODER_FOLDER / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(InputError, match=r"encoder: damaged model"):
        predict(copy, str(sentences_csv))
    shutil.rmtree(copy / "model" / ENCODER_FOLDER)
    with pytest.raises(InputError, match=r"trained on the encoder with fingerprint"):
        predict(copy, str(sentences_csv))


@pytest.mark.parametrize(("log", "step"), [("adaptation.jsonl", 6), ("metrics.jsonl", 30)])
def test_a_resumed_run_equals_the_uninterrupted_one(
    moved_run, recipe, tmp_path, monkeypatch, log, step
):
    write = MetricsLog.__call__

    def stop(self, record):
        write(self, record)
        if self.path.name == log and record["step"] >= step:
            raise KeyboardInterrupt

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(MetricsLog, "__call__", stop)
        with pytest.raises(KeyboardInterrupt):
            run.train(recipe, out)
    run.resume(out)
    assert files(out / "model") == files(moved_run / "model")
    results = [read(path / "result.json") for path in (out, moved_run)]
    for key in ("test", "dev", "baselines", "generator"):
        assert results[0][key] == results[1][key]
    steps = [row["step"] for row in read_metrics(out / "adaptation.jsonl")]
    assert steps == [3, 6, 9, 10]


def test_hidden_labels_are_never_read(recipe):
    parts = read_parts(recipe.data, seed=recipe.seed)
    rows = parts.hidden().select(parts.rows())
    assert (rows.labels < 0).sum() == len(parts.split.unlabeled) > 0
    seen = []

    def guess(vectors, labels):
        seen.append(labels)
        return guess_classes(vectors, labels)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acgan_bert.adapted.guess_classes", guess)
        adapted_encoder(recipe, rows, load_encoder(recipe.encoder.name))
    labeled = len(parts.split.labeled)
    assert [(labels >= 0).sum() for labels in seen] == [labeled, labeled]


def test_guesses_are_probabilities_over_all_classes():
    vectors = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 0.1], [0.1, 1.0]], dtype=np.float32)
    guessed = guess_classes(vectors, np.array([0, 2, -1, -1]))
    assert guessed.shape == (4, 3)
    np.testing.assert_allclose(guessed.sum(1), 1)
    assert guessed.argmax(1).tolist() == [0, 2, 0, 2]


def test_classifier_keeps_its_encoder(recipe, sentences_csv, tmp_path):
    table = pd.read_csv(sentences_csv)
    texts = table["sentence"].tolist()[:60]
    y = [label if row < 20 else None for row, label in enumerate(table["label"][:60])]
    path = tmp_path / "mine.yaml"
    path.write_text("# Mine.\n" + "".join(f"{key}: {value}\n" for key, value in STAGE.items()))
    own = ACGANBertClassifier(
        recipe.encoder.name, recipe=str(path), members=1, steps=4, random_state=0
    ).fit(texts, y)
    assert own.moved_.fingerprint() != load_encoder(recipe.encoder.name).fingerprint()
    own.save(tmp_path / "saved")
    loaded = ACGANBertClassifier.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.predict_proba(texts), own.predict_proba(texts))
    with pytest.raises(InputError, match=r"encoder is moved, for which it needs texts"):
        own.fit(np.zeros((4, 16)), [0, 0, 1, 1])


def test_model_in_the_run_is_a_model_of_its_own(moved_run):
    assert GANModel.from_pretrained(moved_run / "model").classes == ("negative", "positive")


def test_setfit_is_asked_for_before_anything_is_done(recipe, tmp_path, monkeypatch):
    wanted = apply(recipe, {"report.baselines": ["setfit"]})
    monkeypatch.setattr("acgan_bert.setfit_peer.importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"setfit is not installed; run pip install"):
        run.train(wanted, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    pairs = Task(name="p", arity=2, output="classes", classes=("a", "b"))
    with pytest.raises(InputError, match=r"setfit reads single texts"):
        check_setfit(pairs)


@pytest.mark.filterwarnings("ignore")  # those of its many libraries
def test_setfit_learns_from_the_labels_quietly(recipe, capfd):
    pytest.importorskip("setfit")
    parts = read_parts(recipe.data, seed=recipe.seed)
    rows, encoder = parts.train.select(parts.split.labeled), load_encoder(recipe.encoder.name)
    capfd.readouterr()
    judged = setfit_probabilities(rows, parts.test, encoder, recipe)
    assert judged.shape == (len(parts.test), 2)
    np.testing.assert_allclose(judged.sum(1), 1)
    assert (judged.argmax(1) == parts.test.labels).mean() > 0.6
    assert capfd.readouterr() == ("", "")


def test_adaptation_is_of_the_gan_alone():
    mixed = apply(load_recipe("mtl-best"), {"adaptation.updates": 5})
    with pytest.raises(InputError, match=r"adaptation\.updates is of the GAN"):
        check_recipe(mixed)
