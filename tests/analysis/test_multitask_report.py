"""The report of a multitask run: what was trained, how well each task does, who is in conflict."""

import json

import pytest

from analysis.words import UNKNOWN
from tests.analysis.multitask_run import write_multitask_run
from tests.analysis.pages import HOSTILE, Page, report_of


@pytest.fixture
def make_multitask_run(tmp_path):
    """Return a function that writes a multitask run and returns its path."""
    return lambda name="run", **more: write_multitask_run(tmp_path / name, **more)


def test_says_what_was_trained_and_how_well_each_task_does(make_multitask_run):
    page = Page(report_of(make_multitask_run()))
    assert "3 tasks on one encoder" in page.text
    assert "own scores have the mean 0.729 on test rows (0.752 where" in page.text
    assert "similarity Pearson's r 0.860 (95% interval 0.848 to 0.871)" in page.text
    assert "111,500,000 of 112,000,000 weights were trained, and those after update 2,500" in (
        page.text
    )
    assert "sentiment, macro F1" in page.text
    assert "paraphrase.csv 141,498 0 2 mlp concat" in page.text
    assert "similarity: 10 rows have no label" in page.text
    assert "train 150.2 s" in page.text
    assert "No baseline" not in page.text


def test_both_parts_have_intervals_and_own_scores_stand_out(make_multitask_run):
    source = report_of(make_multitask_run())
    marked = source.count('<tr class="marked">')
    page = Page(source)
    assert marked == 3
    assert "similarity, Pearson's r 0.860 0.843 to 0.875 1,000 0.860 0.848 to 0.871 2,000" in (
        page.text
    )
    assert (
        f"similarity, mean squared error 0.410 {UNKNOWN} 1,000 0.410 {UNKNOWN} 2,000" in page.text
    )
    assert "Mean of the tasks' own scores 0.733" in page.text


def test_calibration_stands_among_the_scores_of_class_tasks(make_multitask_run):
    root = make_multitask_run()
    content = json.loads((root / "result.json").read_text())
    content["dev"]["sentiment"] |= {"ece": 0.04, "ece_uncalibrated": 0.13, "log_loss": 1.25}
    (root / "result.json").write_text(json.dumps(content))
    text = Page(report_of(root)).text
    for shown in (
        "sentiment, expected calibration error 0.040",
        "sentiment, the same before calibration 0.130",
        "sentiment, log loss, nats 1.250",
    ):
        assert shown in text
    assert text.count("calibration error") == 1


def test_conflicts_are_summed_up(make_multitask_run):
    root = make_multitask_run()
    page = Page(report_of(root))
    assert "Conflicts between the tasks" in page.text
    assert "paraphrase \N{MULTIPLICATION SIGN} similarity 3,000" in page.text
    (root / "conflicts.jsonl").write_text("")
    assert "Conflicts between the tasks" not in Page(report_of(root)).text


def test_dev_scores_are_called_ones_that_flatter(make_multitask_run):
    page = Page(report_of(make_multitask_run(changes={"test": {}})))
    assert "on dev rows" in page.text
    assert "the scores flatter" in page.text
    assert "Score Dev 95% interval Rows sentiment" in page.text


def test_a_single_task_has_no_mean_to_speak_of(make_multitask_run):
    task = {"sentiment": {"arity": 1, "output": "classes", "classes": ["a", "b"]}}
    scores = {"sentiment": {"accuracy": 0.5, "rows": 4}, "overall": {"mean": 0.5}}
    page = Page(report_of(make_multitask_run(changes={"tasks": task, "test": scores, "dev": {}})))
    assert "1 task The own score of sentiment is 0.500 on test rows." in page.text


def test_nothing_but_the_tasks_still_makes_a_page(make_multitask_run):
    keys = ("dev", "test", "parameters", "best_update", "labels", "seconds", "notes")
    root = make_multitask_run(evaluations=0, changes=dict.fromkeys(keys))
    (root / "recipe.yaml").write_text("{}")
    (root / "conflicts.jsonl").unlink()
    page = Page(report_of(root))
    assert "No task was scored." in page.text
    assert "Scores" not in page.text
    assert "sentiment ? ? ? 5 ? ?".replace("?", UNKNOWN) in page.text


def test_names_never_become_markup(make_multitask_run):
    tasks = {HOSTILE: {"arity": 1, "output": "classes", "classes": [HOSTILE, "b"]}}
    scores = {HOSTILE: {"accuracy": 0.5, "rows": 4, "confusion": [[1, 1], [1, 1]]}}
    changes = {"tasks": tasks, "test": scores, "dev": {}, "notes": [HOSTILE], "name": HOSTILE}
    recipe = {"tasks": {HOSTILE: {"train": HOSTILE, "head": HOSTILE, "pair": HOSTILE}}}
    page = Page(report_of(make_multitask_run(changes=changes, recipe=recipe)))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert " ".join(HOSTILE.split()) in page.text


def test_several_runs_are_listed_by_kind(make_multitask_run, make_run):
    page = Page(report_of(make_multitask_run("a"), make_run("gan"), make_multitask_run("b")))
    assert "three tasks [" in page.text
    assert page.text.count("57.6% 75.1% 0.860 0.729 test 111,500,000") == 2
    assert page.text.index("Best baseline") < page.text.index("Trained weights")
    assert page.text.count("Best baseline") == 1


def test_the_mean_of_fewer_tasks_stands_beside_no_mean_of_all(make_multitask_run):
    """Regression: a single task's score stood in the column of the means of three."""
    whole = make_multitask_run("whole")
    content = json.loads((whole / "result.json").read_text())
    fewer = {key: content["test"][key] for key in ("sentiment", "paraphrase", "overall")}
    single = {key: content["tasks"][key] for key in ("sentiment",)}
    part = {"sentiment": fewer["sentiment"], "overall": {"mean": 0.576}}
    page = Page(
        report_of(
            whole,
            make_multitask_run("fewer", changes={"name": "two", "test": fewer}),
            make_multitask_run("one", changes={"name": "one", "tasks": single, "test": part}),
        )
    )
    assert "three tasks 57.6% 75.1% 0.860 0.729 test" in page.text
    assert "two 57.6% 75.1% ? ? test".replace("?", UNKNOWN) in page.text
    assert "one 57.6% ? ? ? test".replace("?", UNKNOWN) in page.text
    assert "The own scores of 2 of 3 tasks have the mean" in page.text
    assert "The own score of sentiment is 0.576" in page.text


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("contrastive", "The contrastive stage ahead of multitask training"),
        ("adaptation", "The encoder as it was moved ahead of the GAN"),
    ],
)
def test_the_stage_ahead_is_shown_where_there_was_one(make_multitask_run, stage, words):
    root = make_multitask_run()
    assert words not in Page(report_of(root)).text
    (root / "figures").mkdir()
    (root / "figures" / f"{stage}.svg").write_bytes(b"<svg/>")
    page = Page(report_of(root))
    assert f"Training {words}" in page.text
    assert page.tags.count("img") == 1


def test_accessible_and_the_same_each_time(make_multitask_run):
    root = make_multitask_run()
    source = report_of(root)
    assert source == report_of(root)
    page = Page(source)
    assert page.tags.count("table") == page.tags.count("caption")
    assert page.tags.count("th") == sum(name == "scope" for _, name, _ in page.attributes)
