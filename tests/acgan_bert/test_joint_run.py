import copy
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from acgan_bert import cli, joint_rows, multitask_run
from acgan_bert.joint_run import PLAYERS, text_vectors, unlabeled_rows
from acgan_bert.model import GANModel
from acgan_bert.multitask_run import MultitaskJob
from acgan_bert.progress import Stages
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.rundir import read_metrics
from mtl import MultitaskModel
from mtl.batches import TaskRows
from mtl.files import sha256
from mtl.optim import Optimization
from tests.acgan_bert.task_files import small, write_tasks

TASKS = ("sentiment", "paraphrase", "similarity")
FEW = ("--tasks.sentiment.label_fraction", "0.5")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, encoder_folder):
    """Run of all tasks and the GAN, with pairing and PCGrad. Do not write into it."""
    folder = tmp_path_factory.mktemp("joint")
    command = ["train", "joint-pairing", *write_tasks(folder), *small(encoder_folder), *FEW]
    assert cli.main([*command, "--out", str(folder / "run")]) == 0
    return folder / "run"


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_one_run_leaves_the_multitask_model_and_a_gan_for_each_task(finished):
    model = MultitaskModel.from_pretrained(finished / "model")
    assert set(model.tasks) == set(TASKS)
    for task in TASKS:
        gan = GANModel.from_pretrained(finished / "model" / PLAYERS / task)
        assert gan.classes == model.tasks[task].classes
        fakes = gan.sample(np.zeros(3, dtype=np.int64), seed=0)
        assert fakes.shape == (3, model.encoder.dimension)
        assert np.isfinite(fakes).all()


def test_records_name_every_objective_and_say_how_far_the_rows_moved(finished):
    records = read_metrics(finished / "metrics.jsonl")
    assert {"source_loss", "sentiment_loss", "sentiment.class_loss"} <= set(records[0])
    for task in TASKS:
        assert records[-1][f"moved_{task}"] > 0
    lines = (finished / "conflicts.jsonl").read_text("utf-8").splitlines()
    pairs = [json.loads(line) for line in lines]
    assert {"source", "paraphrase.class"} <= {pair["task_b"] for pair in pairs}


def test_the_result_has_scores_of_tasks_and_measures_of_the_generator(finished):
    result = read(finished / "result.json")
    assert result["labels"]["sentiment"] == {"labeled": 9, "unlabeled": 9}
    assert set(result["generator"]) == set(TASKS)
    assert set(result["dev"]) == {*TASKS, "overall"}


def test_answers_of_the_heads_are_rejected_by_what_the_gan_takes_for_fakes(finished):
    measures = read(finished / "result.json")["generator"]
    assert "rejection" not in measures["similarity"]
    for task in ("sentiment", "paraphrase"):
        found = measures[task]["rejection"]
        assert found["on"] == "dev"
        assert {0 <= found[by]["aurc"] <= 1 for by in ("p_fake", "confidence")} == {True}


def test_predictions_have_the_reject_score_of_the_tasks_gan(finished, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("sentence\na good film\na bad film\n", encoding="utf-8")
    out = tmp_path / "labels.csv"
    command = ["predict", str(finished), str(new), "--task", "sentiment", "--out", str(out)]
    assert cli.main(command) == 0
    table = pd.read_csv(out)
    assert table["p_fake"].between(0, 1).all()
    assert table.filter(like="p_").shape == (2, 4)


def test_resuming_from_a_checkpoint_gives_the_same_weights(
    finished, encoder_folder, tmp_path, monkeypatch
):
    apply_step = Optimization.apply

    def stop(self, losses):
        if self.done == 4:
            raise KeyboardInterrupt
        return apply_step(self, losses)

    out = tmp_path / "run"
    command = ["train", "joint-pairing", *write_tasks(tmp_path), *small(encoder_folder), *FEW]
    with monkeypatch.context() as patch:
        patch.setattr(Optimization, "apply", stop)
        assert cli.main([*command, "--out", str(out)]) == 130
    kept = [path.name for path in (out / "checkpoint" / "training").iterdir()]
    assert kept == ["step-00000003"]
    assert cli.main(["resume", str(out)]) == 0
    for file in ("model.safetensors", f"{PLAYERS}/sentiment/model.safetensors"):
        assert sha256(out / "model" / file) == sha256(finished / "model" / file)


def job_of(folder, encoder_folder, *more):
    """Return the job of a small run, as the command line would read it."""
    keys = [*write_tasks(folder), *small(encoder_folder), *FEW, *more]
    flags = {key[2:]: value for key, value in zip(keys[::2], keys[1::2], strict=True)}
    return MultitaskJob.read(apply(load_recipe("joint"), flags))


def poisoned(parts):
    """Turn every label and score that was not drawn into another one."""
    corpus, hidden = parts.train, np.setdiff1d(np.arange(len(parts.train)), parts.split.labeled)
    labels = corpus.labels.copy()
    labels[hidden] = (labels[hidden] + 1) % corpus.task.num_classes
    scores = None if corpus.scores is None else corpus.scores.copy()
    if scores is not None:
        scores[hidden] = 5.0 - scores[hidden]
    assert len(hidden)
    return replace(parts, train=replace(corpus, labels=labels, scores=scores))


def test_labels_that_were_not_drawn_are_never_read(encoder_folder, tmp_path):
    shares = [word for task in TASKS for word in (f"--tasks.{task}.label_fraction", "0.5")]
    job = job_of(tmp_path, encoder_folder, *shares)
    other = {name: poisoned(parts) for name, parts in job.parts.items()}
    other = replace(job, parts=other, encoder=copy.deepcopy(job.encoder))
    found = []
    for each, name in ((job, "one"), (other, "two")):
        folder = tmp_path / name
        folder.mkdir()
        each.work(folder, Stages(None), None)
        models = [folder / "model", *(folder / "model" / PLAYERS / task for task in TASKS)]
        records = [
            {key: value for key, value in row.items() if key != "seconds"}
            for row in read_metrics(folder / "metrics.jsonl")
        ]
        result = read(folder / "result.json")
        scores = [result[key] for key in ("dev", "generator", "labels", "best_update")]
        found.append([records, scores, [sha256(path / "model.safetensors") for path in models]])
    assert found[0] == found[1]


def test_judged_rows_keep_their_texts_where_only_some_are_looked_at(
    encoder_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(joint_rows, "START_ROWS", 7)
    cold = ("--generator.warm_start", "false", "--discriminator.warm_start", "false")
    cold = (*cold, "--discriminator.spectra", "[0]")  # seven rows have not all six buckets
    cold = (*cold, "--encoder.precision", "float32")
    job = job_of(tmp_path, encoder_folder, "--tasks.sentiment.dev", "", *cold)
    job.work(tmp_path, Stages(None), None)
    folder = tmp_path / "embeddings" / "sentiment"
    rows = [json.loads(line) for line in (folder / "real.jsonl").read_text("utf-8").splitlines()]
    corpus = job.parts["sentiment"].train
    chosen = [corpus.ids.index(row["id"]) for row in rows]
    assert len(set(chosen)) == 7 < len(job.parts["sentiment"].split.labeled)
    assert [row["text"] for row in rows] == [corpus.texts[row] for row in chosen]
    model = MultitaskModel.from_pretrained(tmp_path / "model")
    expected = text_vectors(
        model, "sentiment", corpus.select(np.array(chosen)), precision="float32"
    )
    found = load_file(folder / "real.safetensors")["vectors"]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("share", "beside"), [("1", 0), ("0.5", 4), ("0.25", 12)])
def test_rows_without_a_label_are_their_share_of_a_batch(
    share, beside, encoder_folder, tmp_path, monkeypatch
):
    seen = []

    def spy(model, data, recipe):
        seen.append(TaskRows(data["sentiment"], 4, seed=0))
        raise InterruptedError

    monkeypatch.setattr(multitask_run, "JointGAN", spy)
    job = job_of(tmp_path, encoder_folder, "--semisupervised.labeled_share", share)
    with pytest.raises(InterruptedError):
        job.work(tmp_path, Stages(None), None)
    assert unlabeled_rows(job.recipe) == beside
    for index in range(5):
        labels_B = seen[0].parts(index)[0].batch.labels_B
        assert (labels_B[:4] >= 0).all()
        assert labels_B[4:].tolist() == [-1] * beside


def test_fakes_of_a_task_come_with_their_nearest_real_sentences(finished, tmp_path):
    out = tmp_path / "fakes.npy"
    command = ["sample", str(finished), "--label", "1", "-n", "3", "--out", str(out)]
    assert cli.main(command) == 2  # which task?
    assert cli.main([*command, "--task", "paraphrase"]) == 0
    assert np.load(out).shape[0] == 3
    rows = [json.loads(line) for line in out.with_suffix(".jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        assert row["label"] == "1"
        assert row["memorized"] in (True, False)
        assert {"text", "text_pair", "distance"} <= set(row["neighbors"][0])
