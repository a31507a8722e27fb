import json
import math
import shutil

import numpy as np
import pandas as pd
import pytest

from acgan_bert import cli
from acgan_bert.recipe_io import load_recipe, shipped
from acgan_bert.rundir import MetricsLog, read_metrics
from mtl import MultitaskModel
from mtl.files import damage
from tests.acgan_bert.task_files import small, write_tasks

TASKS = ("sentiment", "paraphrase", "similarity")
RECIPES = [name for name, _ in shipped() if name.startswith("mtl-")]


def read(path):
    return json.loads(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder with the files of the tasks. Do not write into it."""
    folder = tmp_path_factory.mktemp("tasks")
    write_tasks(folder)
    return folder


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory, encoder_folder):
    """Run of PCGrad behind a contrastive stage, with figures. Do not write into it."""
    out = tmp_path_factory.mktemp("multitask") / "run"
    assert cli.main(command(folder, encoder_folder, out, *PCGRAD, "--report.figures", "true")) == 0
    return out


PCGRAD = ("--contrastive.kind", "both", "--multitask.eval_every_updates", "2")


def command(folder, encoder, out, *more, recipe="mtl-pcgrad"):
    return ["train", recipe, *write_tasks(folder), *small(encoder), *more, "--out", str(out)]


def test_a_run_directory_holds_what_is_promised(finished):
    files = {str(path.relative_to(finished)) for path in finished.rglob("*")}
    assert {
        *("recipe.yaml", "env.json", "split.json", "metrics.jsonl", "conflicts.jsonl"),
        *("contrastive.jsonl", "result.json", "log.txt", "report.html", "model/config.json"),
        *(f"figures/{name}.{kind}" for kind in ("png", "svg")
          for name in ("contrastive", "curves", "classes", "confusion", "conflicts")),
    } <= files  # fmt: skip
    assert not [name for name in files if name.endswith((".pkl", ".pt", ".bin"))]
    assert not damage(finished / "model")


def test_the_result_has_the_promised_keys(finished):
    result = read(finished / "result.json")
    assert set(result) == {
        *("name", "tasks", "dev", "test", "best_update", "parameters", "labels", "seconds"),
        *("notes", "temperature"),
    }
    assert set(result["dev"]) == {*TASKS, "overall"}
    assert result["test"] == {}
    assert result["labels"] == {task: {"labeled": 18, "unlabeled": 0} for task in TASKS}
    assert {"pearson", "spearman", "confusion", "class_accuracy"} <= set(
        result["dev"]["similarity"]
    )
    for task in ("sentiment", "paraphrase"):
        assert {"ece", "ece_uncalibrated", "log_loss"} <= set(result["dev"][task])
    # Six dev rows are too few to fit a temperature to, and a score has none.
    assert result["temperature"] == {"sentiment": 1.0, "paraphrase": 1.0}
    assert [n for n in result["notes"] if "not calibrated: 6 dev rows" in n] == result["notes"][-2:]
    assert result["parameters"]["trained"] == result["parameters"]["total"] > 0
    assert set(read(finished / "split.json")) == set(TASKS)
    assert {key.partition(".")[0] for key in read(finished / "env.json")["data"]} == set(TASKS)


def test_every_evaluation_is_recorded_once(finished):
    records = read_metrics(finished / "metrics.jsonl")
    assert [record["step"] for record in records] == [2, 4, 6]
    assert all(math.isfinite(record["sentiment_loss"]) for record in records)
    assert {"dev_sentiment_accuracy", "dev_similarity_pearson", "dev_mean"} <= set(records[-1])
    conflicts = read_metrics(finished / "conflicts.jsonl")
    assert {record["step"] for record in conflicts} == {2, 4, 6}
    assert {(record["task_a"], record["task_b"]) for record in conflicts} == {
        ("sentiment", "paraphrase"),
        ("sentiment", "similarity"),
        ("paraphrase", "similarity"),
    }
    stages = read_metrics(finished / "contrastive.jsonl")
    assert "unsupervised_loss" in stages[0] or "supervised_loss" in stages[0]


@pytest.mark.parametrize("task", TASKS)
def test_each_task_is_predicted_by_one_command(task, finished, folder, tmp_path):
    out, source = tmp_path / "labels.csv", folder / f"{task}-dev.csv"
    words = ["predict", str(finished), str(source), "--task", task, "--out", str(out)]
    assert cli.main(words) == 0
    table = pd.read_csv(out)
    assert len(table) == 6
    model = MultitaskModel.from_pretrained(finished / "model")
    pairs = None if task == "sentiment" else list(table["text_pair"])
    predicted = model.predict_texts(task, list(table["text"]), pairs)
    if task == "similarity":
        np.testing.assert_allclose(table["score"], predicted, atol=1e-4)
        assert table["score"].between(0, 5).all()
    else:
        columns = [f"p_{name}" for name in model.tasks[task].classes]
        np.testing.assert_allclose(table[columns], predicted, atol=1e-5)


@pytest.mark.parametrize(("log", "step"), [("contrastive.jsonl", 2), ("metrics.jsonl", 4)])
def test_a_resumed_run_equals_the_uninterrupted_one(
    log, step, finished, folder, encoder_folder, tmp_path, monkeypatch, capfd
):
    """Stopped in the contrastive stage, and in training."""
    out, write = tmp_path / "run", MetricsLog.__call__

    def stop(self, record):
        write(self, record)
        if self.path.name == log and record["step"] >= step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MetricsLog, "__call__", stop)
        assert cli.main(command(folder, encoder_folder, out, *PCGRAD)) == 130
    assert f"resume {out}" in capfd.readouterr().err
    assert cli.main(["resume", str(out)]) == 0
    for name in ("model/model.safetensors", "conflicts.jsonl"):
        assert (out / name).read_bytes() == (finished / name).read_bytes()
    resumed = read(out / "result.json")
    assert resumed["dev"] == read(finished / "result.json")["dev"]
    stage = read_metrics(out / "contrastive.jsonl")[-1]
    assert resumed["seconds"]["pretrain"] >= stage["seconds"]


def test_unlabelled_rows_take_part_in_the_contrastive_stage_alone(
    folder, encoder_folder, tmp_path, monkeypatch
):
    seen = {}

    def remember(name, function):
        def call(model, data, *rest, **keywords):
            labels = data["sentiment"].train.corpus.labels
            seen[name] = (len(labels), int((labels >= 0).sum()))
            return function(model, data, *rest, **keywords)

        return call

    import acgan_bert.multitask_run as module

    for name in ("pretrain", "train_multitask"):
        monkeypatch.setattr(module, name, remember(name, getattr(module, name)))
    few = ("--tasks.sentiment.labels_per_class", "2", "--contrastive.kind", "unsupervised")
    assert cli.main(command(folder, encoder_folder, tmp_path / "run", *few)) == 0
    assert seen == {"pretrain": (18, 6), "train_multitask": (6, 6)}
    result = read(tmp_path / "run" / "result.json")
    assert result["labels"]["sentiment"] == {"labeled": 6, "unlabeled": 12}


@pytest.mark.encoder
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_shipped_recipe_trains(recipe, folder, tmp_path):
    out = tmp_path / "run"
    names = {task for task in TASKS if getattr(load_recipe(recipe).tasks, task).train}
    files = write_tasks(folder)
    given = [
        word
        for flag, value in zip(files[::2], files[1::2], strict=True)
        if flag.split(".")[1] in names
        for word in (flag, value)
    ]
    words = ["train", recipe, *given, *small("offline"), "--multitask.epochs", "1"]
    assert cli.main([*words, "--out", str(out)]) == 0
    result = read(out / "result.json")
    shutil.rmtree(out)  # a third of a gigabyte
    assert set(result["tasks"]) == names
    assert result["parameters"]["trained"] > 0


def test_a_tracker_is_given_every_record(folder, encoder_folder, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    assert cli.main(command(folder, encoder_folder, out, "--training.log_with", "tensorboard")) == 0
    events = EventAccumulator(str(out / "tracking" / "run"))
    events.Reload()
    logged = [event.value for event in events.Scalars("sentiment_loss")]
    recorded = [record["sentiment_loss"] for record in read_metrics(out / "metrics.jsonl")]
    np.testing.assert_allclose(logged, recorded, rtol=1e-6)
