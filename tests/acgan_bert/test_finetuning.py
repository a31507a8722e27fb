import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from acgan_bert import ACGANBertClassifier, cli
from acgan_bert.rundir import read_metrics
from mtl.batches import TaskRows
from mtl.bert.adapters import add_experts, merge_experts, use_expert
from mtl.errors import InputError
from mtl.files import sha256
from mtl.text.collate import TokenBatch
from tests.acgan_bert.task_files import write_tasks

SHORT = (
    *("--training.members", "1", "--training.steps", "6", "--training.batch_size", "8"),
    *("--training.eval_every_steps", "3", "--training.checkpoint_every_steps", "2"),
    *("--multitask.encoder_learning_rate", "1e-3", "--multitask.precision", "no"),
    *("--encoder.lora_rank", "2", "--report.figures", "false", "--report.baselines", "[]"),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder with the files of the tasks. Do not write into it."""
    folder = tmp_path_factory.mktemp("text")
    write_tasks(folder)
    return folder


def command(files, encoder, out, mode="finetune", *more):
    sources = [f"--data.{part}={files}/sentiment-{part}.csv" for part in ("train", "dev")]
    few = ("--data.label_fraction", "0.5")
    start = ["train", "default", *sources, *few, "--encoder.name", str(encoder), *SHORT]
    return [*start, "--encoder.mode", mode, *more, "--out", str(out)]


@pytest.fixture(scope="module")
def finished(files, encoder_folder, tmp_path_factory):
    """Run of a task whose encoder is trained along. Do not write into it."""
    out = tmp_path_factory.mktemp("finetune") / "run"
    assert cli.main(command(files, encoder_folder, out)) == 0
    return out


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_a_run_keeps_the_encoder_that_it_has_trained(finished, tmp_path):
    result = read(finished / "result.json")
    assert result["labels"] == {"labeled": 9, "unlabeled": 9}
    assert 0 <= result["dev"]["accuracy"] <= 1
    new = tmp_path / "new.csv"
    new.write_text("sentence\na good film\nthe plot was dull\n", encoding="utf-8")
    out = tmp_path / "labels.csv"
    assert cli.main(["predict", str(finished), str(new), "--out", str(out)]) == 0
    table = pd.read_csv(out)
    np.testing.assert_allclose(table[["p_0", "p_1", "p_2"]].sum(axis=1), 1.0, atol=1e-6)


def test_records_hold_losses_and_the_movement_of_the_real_rows(finished):
    records = read_metrics(finished / "metrics.jsonl")
    assert [row["step"] for row in records] == [3, 6]
    assert {"source_loss", "loss_generator", "dev_mean"} <= set(records[0])
    assert 0 < records[0]["moved_sentiment"] < records[1]["moved_sentiment"]


@pytest.mark.parametrize("mode", ["finetune", "lora"])
def test_resuming_from_any_checkpoint_gives_the_same_weights(
    mode, files, encoder_folder, tmp_path, monkeypatch
):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert cli.main(command(files, encoder_folder, whole, mode)) == 0

    def stop(self, losses):
        if self.done == 4:
            raise KeyboardInterrupt
        return apply(self, losses)

    from mtl.optim import Optimization

    apply = Optimization.apply
    with monkeypatch.context() as patch:
        patch.setattr(Optimization, "apply", stop)
        assert cli.main(command(files, encoder_folder, killed, mode)) == 130
    assert [p.name for p in (killed / "checkpoint" / "training").iterdir()] == ["step-00000004"]
    assert cli.main(["resume", str(killed)]) == 0
    for file in ("model.safetensors", "encoder/model.safetensors"):
        assert sha256(whole / "model" / file) == sha256(killed / "model" / file)
    shutil.rmtree(killed)


def test_a_merged_adapter_computes_what_it_did_apart(encoder):
    add_experts(encoder, ["shared"], rank=2, alpha=2)
    with torch.no_grad():
        for name, value in encoder.named_parameters():
            if "lora_B" in name:
                value.normal_()
    tokens = encoder.tokenizer(["a good film", "bad"], padding=True, return_tensors="pt")
    keys = ("input_ids", "attention_mask", "token_type_ids")
    batch = TokenBatch(*(tokens.get(key) for key in keys), np.arange(2))
    with torch.no_grad(), use_expert(encoder, "shared"):
        expected = encoder(batch)
    with torch.no_grad():
        assert not torch.allclose(encoder(batch), expected, atol=1e-3)
    merge_experts(encoder)
    assert not [name for name, _ in encoder.named_parameters() if "lora" in name or "base" in name]
    with torch.no_grad():
        torch.testing.assert_close(encoder(batch), expected, atol=1e-5, rtol=1e-5)


def test_several_adapters_are_not_merged(encoder):
    add_experts(encoder, ["one", "two"], rank=2, alpha=2)
    with pytest.raises(InputError, match="2 experts cannot be merged"):
        merge_experts(encoder)


TEXTS = ["a good film", "a fine story", "a bad film", "a dull plot"] * 3
KNOWN = ["good", "good", "bad", "bad"] + [None] * 8


@pytest.mark.parametrize("tasks", [None, {"paraphrase": "paraphrase-train.csv"}])
def test_the_estimator_trains_the_encoder_along_and_keeps_it(
    tasks, files, encoder_folder, tmp_path
):
    tasks = tasks and {name: f"{files}/{file}" for name, file in tasks.items()}
    model = ACGANBertClassifier(
        str(encoder_folder), mode="finetune", tasks=tasks, steps=2, random_state=0
    )
    model.fit(TEXTS, KNOWN)
    frozen = model.encoder_.fingerprint()
    assert model.moved_.fingerprint() != frozen
    found = model.predict_proba(TEXTS[:4])
    assert found.shape == (4, 2)
    model.save(tmp_path / "model")
    loaded = ACGANBertClassifier.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.predict_proba(TEXTS[:4]), found, atol=1e-6)


def test_mode_alone_means_the_recipe_that_was_tuned_for_it(encoder_folder):
    """It was the recipe for frozen embeddings, whose class heads are too slow."""
    settings = {"steps": 2, "random_state": 0}
    first = ACGANBertClassifier(str(encoder_folder), mode="lora", **settings).fit(TEXTS, KNOWN)
    named = ACGANBertClassifier(str(encoder_folder), mode="lora", recipe="finetune", **settings)
    plain = ACGANBertClassifier(str(encoder_folder), mode="lora", recipe="default", **settings)
    found = [model.fit(TEXTS, KNOWN).predict_proba(TEXTS[:4]) for model in (named, plain)]
    np.testing.assert_array_equal(first.predict_proba(TEXTS[:4]), found[0])
    assert not np.allclose(found[0], found[1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "finetun"}, "encoder.mode"),
        ({"mode": "finetune", "tasks": {"paraphrases": "x.csv"}}, "did you mean 'paraphrase'"),
        ({"tasks": {"paraphrase": "x.csv"}}, "use mode finetune"),
        ({"mode": "finetune", "members": 3}, "training.members: 3"),
    ],
)
def test_what_the_estimator_cannot_do_is_one_line(settings, message, encoder_folder):
    with pytest.raises(InputError, match=message):
        ACGANBertClassifier(str(encoder_folder), **settings).fit(TEXTS, KNOWN)


@pytest.mark.parametrize(("share", "rows"), [(1.0, {8: 0}), (0.95, {8: 0}), (0.5, {4: 4})])
def test_a_batch_has_its_share_of_labelled_rows(
    share, rows, files, encoder_folder, tmp_path, monkeypatch
):
    """At a share of 1, rows without a label were drawn as if they had one."""
    seen = []
    parts = TaskRows.parts

    def look(self, index, **how):
        known = self.known_N[self.batch(index)]
        seen.append((int(known.sum()), int((~known).sum())))
        return parts(self, index, **how)

    monkeypatch.setattr(TaskRows, "parts", look)
    more = ("--semisupervised.labeled_share", str(share))
    assert cli.main(command(files, encoder_folder, tmp_path / "run", "finetune", *more)) == 0
    assert dict(seen) == rows


@pytest.mark.parametrize("column", ["type", "star.rating"])
def test_labels_may_be_called_like_a_part_of_a_module(column, files, encoder_folder, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for part in ("train", "dev"):
        text = (files / f"sentiment-{part}.csv").read_text()
        head, rest = text.split("\n", 1)
        assert "sentiment" in head
        (data / f"sentiment-{part}.csv").write_text(head.replace("sentiment", column) + "\n" + rest)
    more = ("--data.label", column, "--training.steps", "2")
    assert cli.main(command(data, encoder_folder, tmp_path / "run", "finetune", *more)) == 0
    assert read(tmp_path / "run" / "result.json")["task"]["name"] == column


def test_rows_that_cannot_be_trained_on_are_refused_before_the_encoder_moves(
    files, encoder_folder, tmp_path, capsys
):
    out = tmp_path / "run"
    flags = ("--data.train", f"{files}/paraphrase-train.csv", "--adaptation.updates", "3")
    start = ["train", "default", *flags, "--encoder.name", str(encoder_folder), *SHORT]
    assert cli.main([*start, "--encoder.mode", "finetune", "--out", str(out)]) == 2
    assert "use --encoder.pair cross" in capsys.readouterr().err
    assert not out.exists()


def test_a_matrix_cannot_move_an_encoder():
    with pytest.raises(InputError, match="needs texts"):
        ACGANBertClassifier(mode="finetune").fit(np.eye(4), [0, 0, 1, 1])
