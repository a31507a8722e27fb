import json

import numpy as np
import pytest
import torch

from mtl.bert.heads import HeadSettings
from mtl.bert.model import ModelSettings, MultitaskModel, pair_input
from mtl.bert.toy import toy_encoder
from mtl.calibration import expected_calibration_error, fit_temperature, log_loss, tempered
from mtl.errors import InputError
from mtl.evaluate import calibrate, evaluate, predict_rows
from mtl.files import CHECKSUMS, sha256, write_json
from mtl.saved import CONFIG
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus

TASKS = {
    "mood": Task(name="mood", arity=1, output="classes", classes=("bad", "so", "good")),
    "same": Task(name="same", arity=2, output="classes", classes=("no", "yes")),
    "near": Task(name="near", arity=2, output="score", classes=tuple("012345"), low=0.0, high=5.0),
}
HEADS = {
    "mood": HeadSettings(),
    "same": HeadSettings(kind="binary", pair="cross"),
    "near": HeadSettings(kind="cosine-affine"),
}
TEXTS = ["a good film", "", "dull"] * 30
OTHERS = ["a great movie with a plot", "so", ""] * 30


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return MultitaskModel(toy_encoder(), TASKS, HEADS, ModelSettings())


def seconds(name):
    return OTHERS if TASKS[name].arity == 2 else None


@pytest.mark.parametrize("name", TASKS)
def test_every_text_is_predicted_in_its_place(model, name):
    predicted = model.predict_texts(name, TEXTS, seconds(name))
    shape = (90,) if name == "near" else (90, TASKS[name].num_classes)
    assert predicted.shape == shape
    assert np.isfinite(predicted).all()
    if name == "near":
        assert ((predicted >= 0) & (predicted <= 5)).all()
    else:
        np.testing.assert_allclose(predicted.sum(1), 1, rtol=1e-6)
    for row in range(3):
        other = None if seconds(name) is None else [OTHERS[row]]
        alone = model.predict_texts(name, [TEXTS[row]], other)
        np.testing.assert_allclose(predicted[row::3], np.repeat(alone, 30, axis=0), atol=1e-5)
    assert len(np.unique(predicted.round(4), axis=0)) == 3


def labeled(name, count=40):
    """Return rows with labels that the untrained model knows nothing of."""
    labels = np.random.default_rng(0).integers(0, TASKS[name].num_classes, count)
    texts = tuple(f"{TEXTS[n % 3]} {'film ' * (n % 7)}" for n in range(count))
    pairs = tuple(OTHERS[:count]) if TASKS[name].arity == 2 else None
    corpus = Corpus(TASKS[name], "here", tuple(map(str, range(count))), texts, pairs, labels, None)
    pair = pair_input(HEADS[name])
    return TokenizedCorpus(corpus, toy_encoder().tokenizer, pair_input=pair, max_length=16)


def test_a_temperature_changes_probabilities_of_its_task_and_no_answer(model, tmp_path):
    before = {name: model.predict_texts(name, TEXTS, seconds(name)) for name in TASKS}
    model.temperatures["mood"] = 2.5
    model.save_pretrained(tmp_path / "model")
    loaded = MultitaskModel.from_pretrained(tmp_path / "model")
    found = {name: model.predict_texts(name, TEXTS, seconds(name)) for name in TASKS}
    model.temperatures["mood"] = 1.0
    assert loaded.temperatures == {"mood": 2.5, "same": 1.0}
    np.testing.assert_array_equal(loaded.predict_texts("mood", TEXTS), found["mood"])
    np.testing.assert_allclose(found["mood"], tempered(before["mood"], 2.5), rtol=1e-5)
    np.testing.assert_array_equal(found["mood"].argmax(1), before["mood"].argmax(1))
    for name in ("same", "near"):
        np.testing.assert_array_equal(found[name], before[name])


def test_the_temperature_is_fitted_to_the_rows_and_remembered(model, monkeypatch):
    rows = labeled("same")
    raw = predict_rows(model, "same", rows)
    monkeypatch.setitem(model.temperatures, "same", 7.0)  # an older one takes no part
    found = calibrate(model, "same", rows)
    temperature = fit_temperature(np.log(raw), rows.corpus.labels)
    assert temperature != 1.0
    assert model.temperatures == {"mood": 1.0, "same": temperature}
    again = evaluate(model, "same", rows)
    assert again.keys() == found.keys()
    assert again["confusion"] == found["confusion"]
    for key in ("accuracy", "ece", "ece_uncalibrated", "log_loss"):
        assert again[key] == pytest.approx(found[key], rel=1e-4), key
    assert found["accuracy"] == np.mean(raw.argmax(1) == rows.corpus.labels)
    assert found["ece_uncalibrated"] == pytest.approx(
        expected_calibration_error(raw, rows.corpus.labels)
    )
    assert found["log_loss"] < log_loss(raw, rows.corpus.labels)


def test_a_model_without_temperatures_has_those_of_one(model, tmp_path):
    folder = tmp_path / "model"
    model.save_pretrained(folder)
    content = json.loads((folder / CONFIG).read_text("utf-8"))
    assert content.pop("temperatures") == {"mood": 1.0, "same": 1.0}
    write_json(folder / CONFIG, content)
    sums = json.loads((folder / CHECKSUMS).read_text("utf-8"))
    write_json(folder / CHECKSUMS, sums | {CONFIG: sha256(folder / CONFIG)})
    assert MultitaskModel.from_pretrained(folder).temperatures == model.temperatures


@pytest.mark.parametrize("name", TASKS)
def test_no_text_gives_no_prediction(model, name):
    shape = (0,) if name == "near" else (0, TASKS[name].num_classes)
    assert model.predict_texts(name, [], seconds(name) and []).shape == shape


def test_any_sequence_of_strings_will_do_and_the_mode_stays(model):
    expected = model.predict_texts("mood", TEXTS)
    model.train()
    np.testing.assert_array_equal(model.predict_texts("mood", np.array(TEXTS)), expected)
    assert model.training
    model.eval()


@pytest.mark.parametrize(
    ("name", "texts", "pairs", "said"),
    [
        ("topic", ["a"], None, "task 'topic': the model does not have it; use mood, same, near"),
        ("mood", ["a"], ["b"], r"task 'mood': it is about 1 text a row; give texts only"),
        ("near", ["a"], None, r"task 'near': it is about 2 texts a row; give both lists"),
        ("near", ["a", "b"], ["c"], "pairs: 1 for 2 texts; give one for each"),
        ("mood", "a good film", None, "texts: 'a good film' is one text; give a list"),
        ("same", ["a"], "b", "pairs: 'b' is one text"),
        ("mood", ["a", None], None, "texts: row 1 is None; every row must be a string"),
    ],
)
def test_what_the_task_is_not_about_is_refused(model, name, texts, pairs, said):
    with pytest.raises(InputError, match=said):
        model.predict_texts(name, texts, pairs)
