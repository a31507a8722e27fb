import json
import logging
import os
import signal
import subprocess
import sys

import pytest

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, dump_recipe
from acgan_bert.rundir import (
    CHECKPOINT,
    LOCK,
    MetricsLog,
    check_sources,
    claimed,
    logged,
    read_json,
    read_metrics,
    read_recipe,
    refuse_occupied,
)
from mtl.errors import InputError


@pytest.mark.parametrize("name", ["recipe.yaml", "result.json"])
def test_a_directory_with_a_run_is_refused(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(InputError, match=r"already holds a run.*resume.*--out"):
        refuse_occupied(tmp_path)


def test_a_file_is_refused_and_an_unrelated_directory_is_not(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    with pytest.raises(InputError, match="this is a file"):
        refuse_occupied(file)
    refuse_occupied(tmp_path)
    refuse_occupied(tmp_path / "new")


def test_the_lock_names_its_holder_and_goes_with_it(tmp_path):
    out = tmp_path / "a" / "run"
    with claimed(out):
        with pytest.raises(InputError, match=f"process {os.getpid()};"), claimed(out):
            pass
        assert (out / LOCK).exists()
    assert list(out.iterdir()) == []
    with claimed(out):
        pass


def test_a_refused_process_removes_nothing(tmp_path):
    with claimed(tmp_path):
        (tmp_path / "metrics.jsonl").write_text("")
        with pytest.raises(InputError, match="being written"), claimed(tmp_path):
            pass
        assert (tmp_path / "metrics.jsonl").exists()


@pytest.mark.processes
def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom acgan_bert.rundir import claimed\n"
        f"with claimed(Path({str(tmp_path)!r})):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {child.pid};"), claimed(tmp_path):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert (tmp_path / LOCK).exists()
    with claimed(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"


def end_with(error, out, *names):
    """Claim a directory, write these files, and end with an error."""
    with claimed(out):
        for name in names:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text("{}")
        raise error


@pytest.mark.parametrize("mistake", [InputError("wrong"), OSError(28, "No space left on device")])
def test_a_mistake_leaves_nothing_behind(tmp_path, mistake):
    with pytest.raises(type(mistake)):
        end_with(mistake, tmp_path / "deep" / "run", "env.json", "model/config.json")
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_leaves_what_was_there(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError):
        end_with(InputError("wrong"), tmp_path, "env.json")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), RuntimeError("diverged")])
def test_an_interrupted_run_stays(tmp_path, stop):
    with pytest.raises(type(stop)):
        end_with(stop, tmp_path, "env.json")
    assert [path.name for path in tmp_path.iterdir()] == ["env.json"]


def test_a_full_disk_keeps_what_can_be_continued(tmp_path):
    with pytest.raises(OSError, match="No space"):
        end_with(OSError(28, "No space left on device"), tmp_path, f"{CHECKPOINT}/state")
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_a_full_disk_keeps_the_checkpoint_of_a_run_within(tmp_path):
    """Rows of a study that train alone are runs in the folder of their pack."""
    with pytest.raises(OSError, match="No space"):
        end_with(OSError(28, "No space left on device"), tmp_path, f"r0/run/{CHECKPOINT}/state")
    assert (tmp_path / "r0" / "run" / CHECKPOINT / "state").exists()


def test_the_log_holds_what_is_said_while_it_lasts(tmp_path):
    logger = logging.getLogger("acgan_bert.somewhere")
    logger.info("before")
    with logged(tmp_path):
        logger.info("during, with ünïcode")
    logger.info("after")
    text = (tmp_path / "log.txt").read_text("utf-8")
    assert "INFO acgan_bert.somewhere: during, with ünïcode" in text
    assert "before" not in text
    assert "after" not in text


def test_metrics_go_on_where_training_does(tmp_path):
    path = tmp_path / "metrics.jsonl"
    first = MetricsLog(path)
    for step in (10, 20, 30):
        first({"step": step, "loss": float(step)})
    with path.open("a") as stream:
        stream.write('{"step": 40, "lo')
    second = MetricsLog(path)
    for step in (30, 40):
        second({"step": step, "loss": -1.0})
    records = read_metrics(path)
    assert [record["step"] for record in records] == [10, 20, 30, 40]
    assert [record["loss"] for record in records] == [10.0, 20.0, -1.0, -1.0]
    seconds = [record["seconds"] for record in records]
    assert seconds == sorted(seconds)


def test_metrics_of_a_run_that_starts_over_begin_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 50, "seconds": 9.0}\n')
    record = MetricsLog(path)
    assert record.seconds() >= 9.0
    record({"step": 50, "loss": 1.0})
    assert record.seconds() < 9.0
    assert [row["step"] for row in read_metrics(path)] == [50]


def test_metrics_hold_no_nan(tmp_path):
    MetricsLog(tmp_path / "m")({"step": 1, "loss": float("nan"), "dev_accuracy": float("inf")})
    line = json.loads((tmp_path / "m").read_text())
    assert line["loss"] is None
    assert line["dev_accuracy"] is None


def test_no_run_and_a_damaged_one_are_told_apart(tmp_path):
    with pytest.raises(InputError, match=r"not a run \(recipe.yaml is missing\)"):
        read_recipe(tmp_path / "nowhere")
    (tmp_path / "recipe.yaml").write_text(dump_recipe(Recipe()))
    with pytest.raises(InputError, match=r"env.json: missing"):
        read_recipe(tmp_path)
    (tmp_path / "env.json").write_text('{"directory": ')
    with pytest.raises(InputError, match=r"env.json: damaged"):
        read_json(tmp_path / "env.json")


def test_relative_sources_are_found_where_the_run_was_started(tmp_path, monkeypatch):
    start, run = tmp_path / "start", tmp_path / "run"
    start.mkdir()
    run.mkdir()
    (start / "a.csv").write_text("text,label\n")
    recipe = apply(Recipe(), {"data.train": "a.csv", "encoder.name": "offline"})
    (run / "recipe.yaml").write_text(dump_recipe(recipe))
    (run / "env.json").write_text(json.dumps({"directory": str(start)}))
    monkeypatch.chdir(tmp_path)
    found = read_recipe(run)
    assert found.data.train == str(start / "a.csv")
    assert (found.data.dev, found.encoder.name) == ("", "offline")
    monkeypatch.chdir(start)
    assert read_recipe(run) == recipe


def test_changed_data_is_noticed(tmp_path):
    (tmp_path / "env.json").write_text(json.dumps({"data": {"train": {"sha256": "a"}}}))
    check_sources(tmp_path, {"train": {"source": "x.csv", "sha256": "a"}})
    with pytest.raises(InputError, match=r"x.csv: changed since"):
        check_sources(tmp_path, {"train": {"source": "x.csv", "sha256": "b"}})
