import json
import shutil

import pytest

from acgan_bert import run
from acgan_bert.recipe_io import apply
from acgan_bert.rundir import MetricsLog, read_metrics
from mtl.errors import InputError


def read(path):
    return json.loads(path.read_text("utf-8"))


def weights(directory):
    return (directory / "model" / "model.safetensors").read_bytes()


def interrupt_at(monkeypatch, step):
    """End training by Ctrl-C once this step has been recorded."""
    write = MetricsLog.__call__

    def stop(self, record):
        write(self, record)
        if record["step"] >= step:
            raise KeyboardInterrupt

    monkeypatch.setattr(MetricsLog, "__call__", stop)


@pytest.mark.parametrize("step", [10, 30])
def test_a_resumed_run_equals_the_uninterrupted_one(
    small_run, small_recipe, tmp_path, monkeypatch, step
):
    """Stopped before the first checkpoint, and between two."""
    out = tmp_path / "small"
    with monkeypatch.context() as patch:
        interrupt_at(patch, step)
        with pytest.raises(KeyboardInterrupt):
            run.train(small_recipe, out)
    assert (out / "checkpoint").exists() == (step > 20)
    assert not (out / "result.json").exists()
    with pytest.raises(InputError, match="already holds a run"):
        run.train(small_recipe, out)
    assert run.resume(out) == out
    assert weights(out) == weights(small_run)
    kept, whole = (read_metrics(path / "metrics.jsonl") for path in (out, small_run))
    without_time = [
        [{key: value for key, value in record.items() if key != "seconds"} for record in records]
        for records in (kept, whole)
    ]
    assert without_time[0] == without_time[1]
    results = [read(path / "result.json") for path in (out, small_run)]
    for key in ("test", "dev", "baselines", "generator"):
        assert results[0][key] == results[1][key]


def test_resuming_a_small_run_changes_nothing(small_run, caplog):
    before = {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}
    assert run.resume(small_run) == small_run
    assert "nothing to do" in caplog.text
    assert before == {path: path.stat().st_mtime_ns for path in small_run.rglob("*")}


def test_resuming_draws_a_report_that_is_missing(small_run, tmp_path):
    out = tmp_path / "small"
    shutil.copytree(small_run, out)
    (out / "report.html").unlink()
    shutil.rmtree(out / "figures")
    run.resume(out)
    assert (out / "report.html").exists()
    figure = "figures/map.png"
    assert (out / figure).read_bytes() == (small_run / figure).read_bytes()


def test_resuming_notices_changed_data(small_recipe, sentences_csv, tmp_path, monkeypatch):
    source, out = tmp_path / "mine.csv", tmp_path / "run"
    shutil.copy(sentences_csv, source)
    changed = apply(small_recipe, {"data.train": str(source)})
    with monkeypatch.context() as patch:
        interrupt_at(patch, 10)
        with pytest.raises(KeyboardInterrupt):
            run.train(changed, out)
    source.write_text(source.read_text() + "one more good film,positive\n")
    with pytest.raises(InputError, match=r"mine.csv: changed since"):
        run.resume(out)


def test_resuming_what_is_no_run_is_a_mistake(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        run.resume(tmp_path)
