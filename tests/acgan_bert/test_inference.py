import json
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open

import acgan_bert.inference as module
from acgan_bert.inference import embed, predict, sample
from acgan_bert.model import GANModel
from acgan_bert.recipe_io import apply
from acgan_bert.run import train
from mtl.bert.toy import write_toy
from mtl.errors import InputError
from mtl.text.data import Columns


@pytest.fixture
def copied_run(small_run, tmp_path):
    """A copy of the run to damage."""
    return shutil.copytree(small_run, tmp_path / "copy")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_predictions_are_probabilities_of_the_named_class(small_run, tmp_path):
    source = write(tmp_path / "new.csv", "sentence\na good happy film\nbad dull boring\n")
    table = predict(small_run, source)
    assert list(table) == ["id", "text", "label", "p_negative", "p_positive", "p_fake"]
    assert table["text"].tolist() == ["a good happy film", "bad dull boring"]
    shares = table[["p_negative", "p_positive"]]
    assert np.allclose(shares.sum(axis=1), 1)
    assert (shares.idxmax(axis=1) == "p_" + table["label"]).all()
    assert table["p_fake"].between(0, 1).all()


def test_predictions_are_those_that_were_scored(small_run, sentences_csv):
    result = json.loads((small_run / "result.json").read_text())
    ids = json.loads((small_run / "split.json").read_text())["test"]
    table = predict(small_run, str(sentences_csv)).set_index("id").loc[ids]
    truth = pd.read_csv(sentences_csv)["label"]
    hits = [row["label"] == truth[int(row_id) - 1] for row_id, row in table.iterrows()]
    assert np.mean(hits) == pytest.approx(result["test"]["accuracy"])


def test_a_class_called_fake_is_told_from_the_reject_score(small_recipe, sentences_csv, tmp_path):
    """The score stood in the place of the class's probability."""
    news = tmp_path / "news.csv"
    texts = sentences_csv.read_text().replace("negative", "fake").replace("positive", "real")
    news.write_text(texts)
    keys = {"data.train": str(news), "training.members": 1, "training.steps": 2}
    keys |= {"training.eval_every_steps": 1, "report.baselines": []}
    table = predict(train(apply(small_recipe, keys), tmp_path / "run"), str(news))
    assert list(table)[2:] == ["label", "p_fake (class)", "p_real", "p_fake"]
    np.testing.assert_allclose(table["p_fake (class)"] + table["p_real"], 1)


def test_empty_long_emoji_and_right_to_left_texts_are_predicted(small_run, tmp_path):
    texts = ["", "   ", "word " * 10_000, "🎬🎬 😀", "הסרט היה טוב", "a\u2028b\x00c"]
    lines = [json.dumps({"text": text}) for text in texts]
    table = predict(small_run, write(tmp_path / "new.jsonl", "\n".join(lines)))
    assert table["text"].tolist() == texts
    assert np.isfinite(table[["p_negative", "p_positive", "p_fake"]]).all(axis=None)


def test_columns_are_the_given_ones_else_inferred(small_run, tmp_path):
    both = "review,body\nbad boring dull,a good happy film\n"
    source = write(tmp_path / "new.csv", both)
    table = predict(small_run, source, columns=Columns(text="body"))
    assert table["text"].tolist() == ["a good happy film"]
    with pytest.raises(InputError, match="no column 'bdoy'"):
        predict(small_run, source, columns=Columns(text="bdoy"))


def test_trained_column_names_are_looked_for_first(small_run, tmp_path):
    copy = shutil.copytree(small_run, tmp_path / "copy")
    text = (copy / "recipe.yaml").read_text().replace("text: ''", "text: body", 1)
    (copy / "recipe.yaml").write_text(text)
    named = write(tmp_path / "a.csv", "text,body\nbad boring dull film,a good film\n")
    assert predict(copy, named)["text"].tolist() == ["a good film"]
    other = write(tmp_path / "b.csv", "text\nbad boring dull film\n")
    assert predict(copy, other)["text"].tolist() == ["bad boring dull film"]


def test_another_encoder_is_noticed(copied_run, small_recipe, tmp_path):
    write_toy(tmp_path / "other", seed=1)
    text = (copied_run / "recipe.yaml").read_text()
    (copied_run / "recipe.yaml").write_text(
        text.replace(small_recipe.encoder.name, str(tmp_path / "other"))
    )
    source = write(tmp_path / "new.csv", "text\na good film\n")
    with pytest.raises(InputError, match=r"trained on the encoder with fingerprint"):
        predict(copied_run, source)


def test_an_unsmall_run_predicts_nothing(copied_run, tmp_path):
    (copied_run / "result.json").unlink()
    with pytest.raises(InputError, match=r"not finished.*resume"):
        predict(copied_run, write(tmp_path / "new.csv", "text\na good film\n"))


@pytest.mark.parametrize("name", ["task.json", "encoder.json", "model.safetensors"])
def test_a_damaged_model_is_noticed(copied_run, tmp_path, name):
    (copied_run / "model" / name).write_bytes(b"{}")
    with pytest.raises(InputError):
        predict(copied_run, write(tmp_path / "new.csv", "text\na good film\n"))


def test_samples_are_the_models_and_say_what_they_are_near(small_run):
    fakes = sample(small_run, "positive", 5, seed=3)
    model = GANModel.from_pretrained(small_run / "model")
    assert np.array_equal(fakes.vectors, model.sample(np.ones(5, dtype=np.int64), seed=3))
    assert fakes.vectors.shape == (5, 16)
    for row in fakes.rows:
        assert row["label"] == "positive"
        assert row["memorized"] is False
        assert 0 < row["typicality"] <= 1
        distances = [near["distance"] for near in row["neighbors"]]
        assert distances == sorted(distances)
        assert all(near["text"] for near in row["neighbors"])
    other = sample(small_run, "positive", 5, seed=4)
    assert not np.array_equal(fakes.vectors, other.vectors)


def test_a_fake_that_repeats_a_training_row_is_flagged(small_run, small_recipe, monkeypatch):
    ids = json.loads((small_run / "split.json").read_text())["unlabeled"]
    everything = embed(small_recipe)
    row = everything.corpus.ids.index(ids[0])
    copied = np.array(everything.embeddings.vectors[[row]])
    monkeypatch.setattr(GANModel, "sample", lambda *_, **__: copied)
    assert sample(small_run, "negative", 1).rows[0]["memorized"] is True


def test_samples_of_an_unknown_class_name_the_nearest(small_run):
    with pytest.raises(InputError, match=r"'postive' is unknown; did you mean 'positive'\?"):
        sample(small_run, "postive", 3)
    with pytest.raises(InputError, match="the classes are: negative, positive"):
        sample(small_run, "zzz", 3)
    with pytest.raises(InputError, match="count is 0"):
        sample(small_run, "positive", 0)


def test_samples_come_without_the_training_data(small_run, monkeypatch, caplog):
    def gone(*_, **__):
        raise InputError("sentences.csv: no such file")

    monkeypatch.setattr(module, "read_parts", gone)
    fakes = sample(small_run, "positive", 2)
    assert [row["memorized"] for row in fakes.rows] == [None, None]
    assert "is not known: sentences.csv: no such file" in caplog.text


def test_samples_of_a_damaged_run_are_refused(copied_run):
    (copied_run / "embeddings" / "real.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"embeddings: real.jsonl does not have the SHA-256"):
        sample(copied_run, "positive", 2)


def test_embeddings_are_written_with_their_ids(small_recipe, tmp_path):
    embedded = embed(small_recipe, out=tmp_path / "e.npy")
    vectors = embedded.embeddings.vectors
    assert vectors.shape == (240, 16)
    assert np.array_equal(np.load(tmp_path / "e.npy"), vectors)
    assert json.loads((tmp_path / "e.ids.json").read_text()) == [str(n) for n in range(1, 241)]
    again = embed(small_recipe, out=tmp_path / "e.safetensors")
    assert again.embeddings.cached
    assert str(again).startswith("240 vectors of width 16, read from the cache: ")
    with safe_open(tmp_path / "e.safetensors", "np") as file:
        assert np.array_equal(file.get_tensor("vectors"), vectors)
        assert json.loads(file.metadata()["ids"]) == list(embedded.corpus.ids)
        classes = json.loads(file.metadata()["classes"])
        assert [classes[label] for label in file.get_tensor("labels")[:2]] == classes


def test_text_without_labels_is_embedded(small_recipe, tmp_path):
    source = write(tmp_path / "new.csv", "text\na good film\n\nbad\n")
    changed = apply(small_recipe, {"data.train": source})
    assert len(embed(changed).embeddings.vectors) == 2


@pytest.mark.parametrize("name", ["e.csv", "e", "."])
def test_embeddings_go_to_a_known_format(small_recipe, tmp_path, name):
    with pytest.raises(InputError, match=r"\.npy or \.safetensors|folder"):
        embed(small_recipe, out=tmp_path / name)
    assert list(tmp_path.iterdir()) == []
