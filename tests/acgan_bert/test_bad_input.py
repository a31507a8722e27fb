"""Every mistake of a user's: exit 2, one ``error:`` line with place and remedy, no file changed."""

import errno
import json
import os

import numpy as np
import pandas as pd
import pytest

from acgan_bert import cli
from tests.acgan_bert.bad_input_cases import CASES, Place


@pytest.fixture
def place(tmp_path, finished_run):
    found = Place(tmp_path, finished_run.path, finished_run.encoder, finished_run.flags)
    yield found
    for lock in found.held:
        lock.close()


def snapshot(folder):
    """Return every file below a folder with its bytes, and every folder."""
    found = {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
    assert found or folder.is_dir()
    return found


def assert_one_error_line(words, captured, said):
    assert captured.err.startswith("error: "), captured.err
    assert captured.err.count("\n") == 1, captured.err
    missing = [part for part in said if part not in captured.err]
    assert not missing, f"{words}\n{captured.err}"


@pytest.mark.parametrize("name", CASES)
def test_a_mistake_is_one_error_line_and_changes_no_file(name, place, monkeypatch, capfd):
    function, said = CASES[name]
    monkeypatch.chdir(place.folder)
    words = function(place)
    before, run_before = snapshot(place.folder), snapshot(place.run)
    capfd.readouterr()
    assert cli.main(words) == 2
    assert_one_error_line(words, capfd.readouterr(), said)
    assert snapshot(place.folder) == before
    assert snapshot(place.run) == run_before


@pytest.mark.parametrize("successes", [0, 1, 4, 9])
def test_a_full_disk_is_one_error_line_and_damages_nothing(successes, place, monkeypatch, capfd):
    """The disk fills after some files; what is then in the new run is whole, or nothing is."""
    words = [*("train", *place.flags), "--out", str(place.folder / "out")]
    before = snapshot(place.folder)
    synchronize, calls = os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > successes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synchronize(descriptor)

    capfd.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert cli.main(words) == 2
    assert_one_error_line(words, capfd.readouterr(), ("disk is full", "free some space"))
    after = snapshot(place.folder)
    assert {path: content for path, content in after.items() if path in before} == before
    if after != before:
        assert cli.main(["resume", str(place.folder / "out")]) == 0
        assert (place.folder / "out" / "result.json").exists()


def test_a_full_disk_leaves_an_older_prediction_as_it_was(place, monkeypatch, capfd):
    out = place.write("labels.csv", "old\n")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    words = ["predict", str(place.run), place.good(), "--out", out]
    before = snapshot(place.folder)
    capfd.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert cli.main(words) == 2
    assert_one_error_line(words, capfd.readouterr(), ("disk is full",))
    assert snapshot(place.folder) == before


NO_FIGURES = ("--report.figures", "false")
STRANGE = {
    "empty": "",
    "blank": "   ",
    "long": "film " * 10_000,
    "emoji": "👍🏽👨‍👩‍👧 🎬",
    "right-to-left": "فيلم جيد جدا שלום",
    "control": "a\x07b\u202ec\ufeff",
    "quotes": 'he said "no", twice',
    "lines": "one\ntwo\r\nthree",
}


def test_strange_texts_train_and_predict(place, tmp_path, capfd):
    rows = [
        {"text": f"{text} {number}" if text.strip() else text, "label": label}
        for number, label in enumerate(("good", "bad") * 2)
        for text in STRANGE.values()
    ]
    source = tmp_path / "strange.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "out"
    flags = [*place.flags, "--data.train", str(source), "--out", str(out), *NO_FIGURES]
    assert cli.main(["train", *flags]) == 0, capfd.readouterr().err
    labels = tmp_path / "labels.csv"
    assert cli.main(["predict", str(out), str(source), "--out", str(labels)]) == 0

    table = pd.read_csv(labels, keep_default_na=False)
    assert len(table) == len(rows)
    assert set(table["label"]) <= {"good", "bad"}
    chances = table[["p_good", "p_bad"]].to_numpy(dtype=float)
    assert np.isfinite(chances).all()
    assert chances.sum(axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-4)
    shown = dict(zip(table["id"], table["text"], strict=True))
    assert STRANGE["emoji"] in shown[4]
