import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from multiprocessing import Pipe

import psutil
import pytest

from acgan_bert import cli
from acgan_bert.recipe_io import dump_recipe
from acgan_bert.studies import engine
from acgan_bert.studies.folder import Study
from acgan_bert.studies.grid import Grid
from acgan_bert.studies.schedule import Schedule
from acgan_bert.studies.study import Means, start

PATIENCE = 300
"""Seconds; a machine that is busy otherwise starts processes slowly."""


@pytest.fixture(scope="module")
def words(small_recipe, tmp_path_factory):
    """Return the words of a study whose seeds set other rows aside, and so are packs each."""
    recipe = tmp_path_factory.mktemp("engines") / "small.yaml"
    recipe.write_text("# A small recipe.\n" + dump_recipe(small_recipe), encoding="utf-8")
    axes = ("--axis", "generator.depth=[1,2]", "--axis", "discriminator.depth=[1]")
    steps = ("--training.steps", "60", "--training.checkpoint_every_steps", "5")
    return ("study", "depth", str(recipe), *axes, *steps, "--seeds", "3", "--control", "false")


@pytest.fixture(scope="module")
def expected(words, tmp_path_factory):
    """Return the table of the study when one process trains it without a stop."""
    out = tmp_path_factory.mktemp("engines") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACGAN_BERT_CACHE", str(out.parent / "cache"))
        patch.setattr("acgan_bert.studies.study.write_report", lambda _: None)
        assert cli.main([*words, "--out", str(out), "--workers", "1"]) == 0
    assert len(Study.read(out).packs) == 3
    return (out / "table.csv").read_bytes()


def heard_interrupts():
    """Undo what a shell does to programs in its background: they do not hear Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def started(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "acgan_bert", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        preexec_fn=heard_interrupts,
    )


def waited_for(found, process):
    """Return what ``found`` returns once it is something; fails where the process ends before."""
    deadline = time.monotonic() + PATIENCE
    while not (something := found()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return something


@pytest.mark.processes
def test_killed_at_work_and_resumed_the_table_is_the_same(
    words, expected, tmp_path, capsys, monkeypatch
):
    """Workers that lost their parent end by themselves, and leave checkpoints to go on from."""
    monkeypatch.setattr("acgan_bert.studies.study.write_report", lambda _: None)
    out = tmp_path / "killed"
    driver = started(*words, "--out", str(out), "--workers", "2")
    waited_for(lambda: list(out.glob("packs/*/checkpoint/step-*")), driver)
    workers = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    driver.communicate()
    study = Study.read(out)
    assert not all(study.done(row) for row in study.rows)
    assert cli.main(["resume", str(out), "--workers", "1"]) == 0
    assert (out / "table.csv").read_bytes() == expected
    assert psutil.wait_procs(workers, timeout=PATIENCE)[1] == []
    assert "6 of 6 rows done" in capsys.readouterr().out


@pytest.mark.processes
def test_a_lost_worker_is_replaced(words, expected, tmp_path):
    out = tmp_path / "lost"
    driver = started(*words, "--out", str(out), "--workers", "2")
    waited_for(lambda: list(out.glob("packs/*/checkpoint/step-*")), driver)
    for worker in psutil.Process(driver.pid).children():
        if "spawn_main" in " ".join(worker.cmdline()):
            worker.kill()
            break
    errors = driver.communicate(timeout=PATIENCE)[1]
    assert driver.returncode == 0, errors
    assert (out / "table.csv").read_bytes() == expected


@pytest.mark.processes
def test_ctrl_c_while_workers_start_says_how_to_go_on_and_no_more(words, tmp_path):
    """The terminal interrupts all of them; the workers are still importing."""
    out = tmp_path / "interrupted"
    driver = started(*words, "--out", str(out), "--workers", "2")

    def workers():
        with suppress(psutil.NoSuchProcess):  # a child that was there for a moment
            children = psutil.Process(driver.pid).children()
            return [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return []

    for process in (*waited_for(workers, driver), psutil.Process(driver.pid)):
        process.send_signal(signal.SIGINT)
    errors = driver.communicate(timeout=PATIENCE)[1]
    assert driver.returncode == 130, errors
    assert errors.strip() == f"interrupted; resume with: acgan-bert resume {out}"


class Gone:
    """Stands for a process that was killed."""

    exitcode = -9

    def join(self):
        pass


@pytest.fixture
def begun(small_recipe, tmp_path, monkeypatch):
    """Return a study of one pack of which nothing is trained."""
    monkeypatch.setattr("acgan_bert.studies.study._finish", lambda study, *_: study)
    axes = {"generator.depth": [1], "discriminator.depth": [1]}
    grid = Grid(kind="depth", recipes={"small": small_recipe}, axes=axes, seeds=1)
    return start(grid, tmp_path / "study", means=Means(), watch=lambda _: None)


def test_a_worker_that_was_lost_while_idle_is_replaced(begun, monkeypatch):
    schedule = Schedule(begun, lambda _: None)
    pool = engine._Pool(begun, schedule)
    lost, other = Pipe()
    other.close()
    pool._workers[lost] = Gone()
    ours, theirs = Pipe()
    monkeypatch.setattr(pool, "_start", lambda: ours)
    pool.fill(1)
    assert theirs.recv() == 0
    assert list(pool._at) == [ours]
    assert lost.closed


def test_a_worker_that_nobody_hears_ends_and_blames_no_row(begun, monkeypatch):
    ours, theirs = Pipe()

    def work_on(study, pack, bench, tell):
        ours.close()
        tell(0.5)

    monkeypatch.setattr(engine, "work_on", work_on)
    ours.send(0)
    with pytest.raises(SystemExit):
        engine._worker(theirs, str(begun.folder), 1)


@pytest.mark.processes
def test_ray_gives_the_same_table_though_a_worker_is_killed(words, expected, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "ray"
    driver = started(*words, "--out", str(out), "--engine", "ray", "--workers", "2")
    waited_for(lambda: list(out.glob("packs/*/checkpoint/step-*")), driver)
    (at_work, *_) = [
        child
        for child in psutil.Process(driver.pid).children(recursive=True)
        if child.name().startswith("ray::acgan") or "ray::acgan" in " ".join(child.cmdline())
    ]
    at_work.kill()
    errors = driver.communicate(timeout=PATIENCE)[1]
    assert driver.returncode == 0, errors
    assert (out / "table.csv").read_bytes() == expected
