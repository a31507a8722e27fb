import json
import shutil

import numpy as np
import pandas as pd
import pytest

from acgan_bert import cli
from acgan_bert.joint_run import PLAYERS
from acgan_bert.model import GANModel
from acgan_bert.rundir import read_metrics
from mtl import MultitaskModel
from mtl.files import sha256
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


def test_predictions_have_the_reject_score_of_the_tasks_gan(finished, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("sentence\na good film\na bad film\n", encoding="utf-8")
    out = tmp_path / "labels.csv"
    command = ["predict", str(finished), str(new), "--task", "sentiment", "--out", str(out)]
    assert cli.main(command) == 0
    table = pd.read_csv(out)
    assert table["p_fake"].between(0, 1).all()
    assert table.filter(like="p_").shape == (2, 4)


def test_resuming_after_a_kill_gives_the_same_weights(finished, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    expected = sha256(run / "model" / "model.safetensors")
    (run / "result.json").unlink()
    shutil.rmtree(run / "model")
    checkpoints = run / "checkpoint" / "training"
    assert [path.name for path in checkpoints.iterdir()] == ["step-00000006"]
    shutil.rmtree(checkpoints)
    assert cli.main(["resume", str(run)]) == 0
    assert sha256(run / "model" / "model.safetensors") == expected
