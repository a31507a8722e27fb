"""Reading run directories: what is there is read, what is damaged is named on one line."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from analysis import read_run
from analysis.report.pictures import WITH_REAL, pictures
from tests.analysis.joint_run import MEASURES, write_joint_run
from tests.analysis.multitask_run import CLASSES, write_multitask_run


def test_reads_everything(make_run):
    run = read_run(make_run())
    assert run.name == "toy"
    assert run.classes == ("good", "bad")
    assert [record["step"] for record in run.metrics] == [0, 10, 20]
    assert run.recipe["data"]["train"] == "day.csv"
    [made] = run.generated
    assert (made.task, made.classes) == ("toy", run.classes)
    assert made.measures["frechet_distance"] == 1.5
    assert made.real.vectors.shape == (40, 6)
    assert made.fake.labels.tolist() == [0, 1] * 10
    assert made.fake.rows[0]["neighbors"][0]["text"] == "a fine day 0"
    assert set(run.figures) == {("curves", ".png"), ("curves", ".svg")}


def test_embeddings_and_figures_may_be_missing(make_run):
    root = make_run()
    for file in (*root.glob("embeddings/*"), *root.glob("figures/*")):
        file.unlink()
    run = read_run(root)
    [made] = run.generated
    assert (made.real, made.fake, dict(run.figures)) == (None, None, {})


def test_reads_several_tasks_and_their_conflicts(tmp_path, make_run):
    run = read_run(write_multitask_run(tmp_path / "run", evaluations=2))
    assert list(run.tasks) == ["sentiment", "paraphrase", "similarity"]
    assert len(run.conflicts) == 2 * 8 * 3
    (run.path / "conflicts.jsonl").unlink()
    assert not read_run(run.path).conflicts
    assert (read_run(make_run()).tasks, read_run(make_run("b")).conflicts) == ({}, [])


def test_reads_what_was_made_for_each_task(tmp_path):
    run = read_run(write_joint_run(tmp_path / "joint", evaluations=1))
    first, second = run.generated  # of similarity there is nothing
    assert (first.task, second.task) == ("sentiment", "paraphrase")
    assert (first.classes, len(first.measures)) == (CLASSES["sentiment"], len(MEASURES))
    assert (second.measures, len(second.fake.rows)) == ({}, 4)
    assert second.real.rows[0]["text"] == "paraphrase text 0"
    assert not read_run(write_multitask_run(tmp_path / "plain", evaluations=1)).generated


def snapshot(folder, step, rows=15, **more):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {"vectors": np.full((rows, 4), step, np.float32), "labels": np.zeros(rows, np.int64)}
    save_file(tensors | more, folder / f"step-{step:08d}.safetensors")


def test_reads_the_series_of_each_task_with_real_rows_that_moved(tmp_path):
    root = write_joint_run(tmp_path / "joint", evaluations=1)
    for step in (20, 0):
        real = np.full((5, 4), step + 1, np.float32)
        snapshot(root / "series" / "sentiment", step, real=real)
        snapshot(root / "series" / "paraphrase", step)
    (root / "figures").mkdir()
    for task in ("sentiment", "paraphrase"):
        (root / "figures" / f"maps-series-{task}.svg").write_text("<svg/>")
    run = read_run(root)
    moved, still = run.generated
    assert list(moved.series) == list(moved.real_series) == ["step 0", "step 20"]
    assert moved.series["step 20"].shape == (15, 4)
    np.testing.assert_array_equal(moved.real_series["step 20"], np.full((5, 4), 21.0))
    assert (list(still.series), dict(still.real_series)) == (["step 0", "step 20"], {})
    drawn = pictures(run)
    assert drawn["maps-series-sentiment"].caption.endswith(WITH_REAL)
    assert WITH_REAL not in drawn["maps-series-paraphrase"].caption


@pytest.mark.parametrize("real", [{}, {"real": np.zeros((6, 4), np.float32)}])
def test_snapshots_that_do_not_fit_together_are_named(tmp_path, real):
    root = write_joint_run(tmp_path / "joint", evaluations=1)
    snapshot(root / "series" / "sentiment", 0, real=np.zeros((5, 4), np.float32))
    snapshot(root / "series" / "sentiment", 10, **real)
    with pytest.raises(ValueError, match=r"series/sentiment: damaged: found snapshots of unlike"):
        read_run(root)


@pytest.mark.parametrize("stage", ["contrastive", "adaptation"])
def test_reads_the_stage_ahead_if_there_was_one(tmp_path, stage):
    root = write_multitask_run(tmp_path / "run", evaluations=1)
    assert getattr(read_run(root), stage) == []
    (root / f"{stage}.jsonl").write_text('{"step": 10, "loss": 0.5, "norm": 1.0}\n')
    assert getattr(read_run(root), stage) == [{"step": 10, "loss": 0.5, "norm": 1.0}]


def test_not_a_run(tmp_path):
    with pytest.raises(ValueError, match="found no such directory"):
        read_run(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"found no result\.json; want a run"):
        read_run(tmp_path)
    (tmp_path / "recipe.yaml").write_text("seed: 0\n")
    with pytest.raises(ValueError, match="an unfinished run; resume it first"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("result.json", b"{", r"result\.json: damaged: no JSON at line 1"),
        ("result.json", b"[]", r"result\.json: damaged: found a list"),
        ("result.json", b"\xff\xfe", r"result\.json: damaged: not UTF-8"),
        ("metrics.jsonl", b'{"step": 0}\n{"ste', r"metrics\.jsonl: damaged: line 2"),
        (
            "conflicts.jsonl",
            b'{"step": 1}\n',
            r"conflicts\.jsonl: damaged: record 1 has no",
        ),
        ("contrastive.jsonl", b"[1]\n", r"contrastive\.jsonl: damaged: line 1"),
        ("recipe.yaml", b"a: [", r"recipe\.yaml: damaged: not YAML"),
        ("recipe.yaml", b"just words", r"recipe\.yaml: damaged: found str"),
        ("env.json", None, r"env\.json: cannot be read"),
        ("embeddings/fake.jsonl", b"{}\n", r"fake\.safetensors: damaged: .* 1 lines in fake"),
        ("embeddings/real.safetensors", b"abc", r"real\.safetensors: damaged: want tensors"),
    ],
)
def test_damaged_files_are_named_on_one_line(make_run, name, content, message):
    file = make_run() / name
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_run(file.parents[1] if "/" in name else file.parent)
    assert "\n" not in str(caught.value)
