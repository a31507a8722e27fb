import json
import math

import numpy as np
import pytest
from safetensors.numpy import load_file

import acgan_bert.encoding
from acgan_bert import run
from acgan_bert.inference import embed
from acgan_bert.model import GANModel
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.rundir import claimed, read_metrics
from acgan_bert.scores import rejection
from mtl.calibration import expected_calibration_error, fit_temperature, log_loss
from mtl.errors import InputError
from mtl.files import damage

SCORES = {
    *("accuracy", "macro_f1", "balanced_accuracy", "accuracy_low", "accuracy_high", "rows"),
    *("ece", "log_loss"),
}
MEASURES = {
    *("frechet_distance", "frechet_floor", "kernel_distance", "kernel_floor"),
    *("precision", "recall", "density", "coverage"),
}


def with_figures(recipe):
    return apply(recipe, {"report.figures": True})


def read(path):
    return json.loads(path.read_text("utf-8"))


class Recorder:
    """Keeps what a run reports."""

    def __init__(self):
        self.stages, self.done = [], {}

    def stage(self, name, total):
        self.stages.append((name, total))
        self.done[name] = 0

    def advance(self, done, total=None):
        name = self.stages[-1][0]
        assert done >= self.done[name]
        self.done[name] = done


def test_a_run_directory_holds_what_is_promised(small_run):
    files = {str(path.relative_to(small_run)) for path in small_run.rglob("*")}
    assert {
        *("recipe.yaml", "env.json", "metrics.jsonl", "result.json", "split.json", "log.txt"),
        *("model/model.safetensors", "model/config.json", "checkpoint", "report.html"),
        *("embeddings/real.safetensors", "embeddings/real.jsonl"),
        *("embeddings/fake.safetensors", "embeddings/fake.jsonl"),
        *(f"figures/{name}.{kind}" for name in ("curves", "map", "comparison")
          for kind in ("png", "svg")),
    } <= files  # fmt: skip
    hidden = [name for name in files if name.split("/")[-1].startswith(".")]
    assert not hidden
    assert not [name for name in files if name.endswith((".pkl", ".pt", ".bin"))]


def test_the_result_has_the_promised_keys_and_finite_numbers(small_run):
    result = read(small_run / "result.json")
    assert set(result) == {
        *("name", "task", "test", "dev", "baselines", "generator", "labels", "seconds", "notes"),
        *("temperature", "rejection"),
    }
    assert result["name"] == "small"
    assert set(result["test"]) == set(result["dev"]) == SCORES | {"ece_uncalibrated"}
    baseline = result["baselines"]["logistic_regression"]
    assert set(baseline) >= SCORES | {"on", "p_value"}
    assert "ece_uncalibrated" not in baseline
    assert baseline["on"] == "test"
    assert set(result["generator"]) >= MEASURES | {"baselines"}
    assert set(result["generator"]["baselines"]["class_gaussian"]) >= MEASURES
    numbers = [result["generator"][key] for key in MEASURES] + [baseline[key] for key in SCORES]
    assert all(math.isfinite(number) for number in numbers)
    # 240 rows: 72 test, 48 dev; a fifth of the other 120 keeps its labels.
    assert (result["test"]["rows"], result["dev"]["rows"]) == (72, 48)
    assert result["labels"] == {"labeled": 24, "unlabeled": 96}
    assert {"embed", "train"} <= set(result["seconds"])
    assert any("inferred" in note for note in result["notes"])


def test_the_model_learned_and_scores_what_the_result_says(small_run):
    result = read(small_run / "result.json")
    assert result["test"]["accuracy_low"] > 0.5
    assert result["test"]["accuracy_low"] < result["test"]["accuracy"]
    real = load_file(small_run / "embeddings" / "real.safetensors")
    model = GANModel.from_pretrained(small_run / "model")
    hits = model.predict_proba(real["vectors"]).argmax(1) == real["labels"]
    assert len(hits) == 72
    assert hits.mean() == pytest.approx(result["test"]["accuracy"])


def test_the_temperature_is_that_of_the_dev_rows(small_run, small_recipe):
    result = read(small_run / "result.json")
    model = GANModel.from_pretrained(small_run / "model")
    assert model.temperature == result["temperature"]
    everything = embed(small_recipe)
    split = read(small_run / "split.json")
    rows = {row_id: row for row, row_id in enumerate(everything.corpus.ids)}
    for part in ("dev", "test"):
        chosen = [rows[row_id] for row_id in split[part]]
        labels, vectors = everything.corpus.labels[chosen], everything.embeddings.vectors[chosen]
        raw = model.member_probabilities(vectors).mean(0)
        if part == "dev":
            assert model.temperature == pytest.approx(fit_temperature(np.log(raw), labels))
        before, after = result[part]["ece_uncalibrated"], result[part]["ece"]
        assert before == pytest.approx(expected_calibration_error(raw, labels))
        found = model.predict_proba(vectors)
        assert after == pytest.approx(expected_calibration_error(found, labels))
        assert result[part]["log_loss"] == pytest.approx(log_loss(found, labels))
    doubts = rejection(found, model.p_fake(vectors), labels)
    assert result["rejection"] == {"on": "test", "rows": 72} | {
        name: pytest.approx(entry) for name, entry in doubts.items()
    }
    assert any("probabilities are" in note for note in result["notes"])


def test_ids_are_saved_and_disjoint(small_run):
    split = read(small_run / "split.json")
    assert [len(split[key]) for key in ("labeled", "unlabeled", "dev", "test")] == [24, 96, 48, 72]
    assert len({row_id for ids in split.values() for row_id in ids}) == 240


def test_embeddings_have_a_line_a_row(small_run):
    folder = small_run / "embeddings"
    assert not damage(folder)
    test_ids = set(read(small_run / "split.json")["test"])
    for kind in ("real", "fake"):
        tensors = load_file(folder / f"{kind}.safetensors")
        rows = [json.loads(line) for line in (folder / f"{kind}.jsonl").read_text().splitlines()]
        assert tensors["vectors"].shape == (72, 16)
        assert tensors["vectors"].dtype == np.float32
        names = [("negative", "positive")[label] for label in tensors["labels"]]
        assert [row["label"] for row in rows] == names
        if kind == "real":
            assert {row["id"] for row in rows} == test_ids
            continue
        assert all(sum(row["posterior"].values()) == pytest.approx(1) for row in rows)
        assert all(isinstance(row["memorized"], bool) for row in rows)
        assert all(0 < row["typicality"] <= 1 for row in rows)
        assert {near["id"] for row in rows for near in row["neighbors"]} <= test_ids


def test_the_recipe_and_the_environment_are_complete(small_run, small_recipe):
    stored = load_recipe(str(small_run / "recipe.yaml"))
    assert stored == with_figures(small_recipe)
    environment = read(small_run / "env.json")
    assert environment["command"] == ["acgan-bert", "train"]
    assert environment["seed"] == 0
    assert {"python", "torch", "transformers", "numpy"} <= set(environment["versions"])
    assert len(environment["data"]["train"]["sha256"]) == 64
    assert len(environment["encoder"]["fingerprint"]) == 64
    steps = [record["step"] for record in read_metrics(small_run / "metrics.jsonl")]
    assert steps == sorted(set(steps))
    assert steps[-1] == 40


def test_the_same_recipe_gives_the_same_run(small_run, small_recipe, tmp_path):
    again = run.train(with_figures(small_recipe), tmp_path / "small")
    same = ("figures/map.png", "figures/comparison.svg", "embeddings/fake.jsonl", "split.json")
    for name in ("model/model.safetensors", *same):
        assert (again / name).read_bytes() == (small_run / name).read_bytes(), name


def test_stages_come_in_order_and_end(small_recipe, tmp_path):
    progress = Recorder()
    run.train(small_recipe, tmp_path / "run", progress=progress)
    names = [name for name, _ in progress.stages]
    assert names == ["read", "embed", "train", "compare", "measure"]
    assert progress.done["embed"] == dict(progress.stages)["embed"] == 240
    assert progress.done["train"] == dict(progress.stages)["train"] == 40
    assert not (tmp_path / "run" / "report.html").exists()


def test_without_held_out_parts_nothing_is_scored(small_recipe, tmp_path):
    changed = apply(small_recipe, {"data.dev_fraction": 0, "data.test_fraction": 0})
    result = read(run.train(changed, tmp_path / "run") / "result.json")
    assert result["test"] == result["dev"] == result["baselines"] == result["rejection"] == {}
    assert result["temperature"] == 1.0
    assert any("not calibrated: there are no dev rows" in note for note in result["notes"])
    assert result["generator"]["on"] == "train"
    assert any("rows that it was trained on" in note for note in result["notes"])


def test_baselines_are_scored_on_dev_where_there_is_no_test(small_recipe, tmp_path):
    changed = apply(small_recipe, {"data.test_fraction": 0})
    result = read(run.train(changed, tmp_path / "run") / "result.json")
    assert result["test"] == {}
    assert result["baselines"]["logistic_regression"]["on"] == "dev"
    assert result["generator"]["on"] == "dev"


def test_too_few_held_out_rows_leave_the_generator_unmeasured(small_recipe, tmp_path):
    values = {"data.dev_fraction": 0, "data.test_fraction": 0.01, "report.figures": True}
    out = run.train(apply(small_recipe, values), tmp_path / "run")
    result = read(out / "result.json")
    assert result["generator"] == {}
    assert any("too few to measure" in note for note in result["notes"])
    assert (out / "report.html").exists()
    assert not (out / "figures" / "map.png").exists()


def test_a_score_task_of_pairs_runs(small_recipe, tmp_path):
    source = tmp_path / "pairs.csv"
    lines = ["sentence1,sentence2,similarity"]
    lines += [f"a good film {n},a bad film {n % 7},{n % 11 / 2}" for n in range(90)]
    source.write_text("\n".join(lines))
    out = run.train(apply(small_recipe, {"data.train": str(source)}), tmp_path / "run")
    result = read(out / "result.json")
    assert result["task"]["output"] == "score"
    assert "pearson" in result["test"]
    table = run.predict(out, str(source))
    assert table["score"].between(result["task"]["low"], result["task"]["high"]).all()
    assert "text_pair" in table


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data.train": "nowhere.csv"}, "nowhere.csv: no such file"),
        ({"data.label_fraction": 1.5}, "label_fraction"),
        ({"data.labels_per_class": 1000}, "labels_per_class"),
        ({"data.dev_fraction": 0.6, "data.test_fraction": 0.6}, "leave nothing to train on"),
        ({"encoder.name": "nowhere/encoder"}, "nowhere/encoder"),
        ({"generator.depth": 99}, "generator.depth"),
    ],
)
def test_a_mistake_leaves_no_directory_behind(small_recipe, tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        run.train(apply(small_recipe, values), tmp_path / "deep" / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_that_shows_later_leaves_no_directory_behind(small_recipe, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise InputError("vectors that are not finite")

    monkeypatch.setattr(acgan_bert.encoding, "embed_corpus", fail)
    with pytest.raises(InputError, match="not finite"):
        run.train(small_recipe, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_never_overwritten(small_run, small_recipe):
    before = {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}
    with pytest.raises(InputError, match="already holds a run"):
        run.train(small_recipe, small_run)
    assert before == {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}


def test_a_directory_that_another_process_writes_is_refused(small_recipe, tmp_path):
    with claimed(tmp_path):
        with pytest.raises(InputError, match="being written by process"):
            run.train(small_recipe, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]
