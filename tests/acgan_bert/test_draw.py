"""Drawing a run: every figure that it has the numbers for, in both formats, and the report."""

import shutil

import pytest

from acgan_bert.draw import draw
from analysis import read_maps
from tests.analysis.joint_run import write_joint_run
from tests.analysis.multitask_run import write_multitask_run
from tests.analysis.pages import Page


def figures(run):
    return {file.name for file in (run / "figures").iterdir() if file.suffix in (".png", ".svg")}


def both(*names):
    return {f"{name}{suffix}" for name in names for suffix in (".png", ".svg")}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A multitask run with its figures and report. Do not write into it."""
    run = write_multitask_run(tmp_path_factory.mktemp("drawn") / "run", evaluations=2)
    draw(run, seed=0)
    return run


def test_a_multitask_run_has_four_figures_and_a_report_that_shows_them(drawn):
    assert figures(drawn) == both("curves", "classes", "confusion", "conflicts")
    page = Page((drawn / "report.html").read_text("utf-8"))
    assert page.tags.count("img") == 4
    said = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(set(said)) == 4
    assert all(said)


def test_what_a_run_lacks_is_not_drawn(tmp_path):
    run = write_multitask_run(
        tmp_path / "run", evaluations=1, changes={"dev": {}, "test": {}, "best_update": None}
    )
    (run / "conflicts.jsonl").unlink()
    draw(run, seed=0)
    assert figures(run) == both("curves")


def test_a_map_for_each_task_with_enough_fakes(tmp_path):
    run = write_joint_run(tmp_path / "run", evaluations=1, changes={"dev": {}, "test": {}})
    draw(run, seed=0)
    # 30 points bear one perplexity.
    assert figures(run) == both("curves", "conflicts", "map-sentiment", "maps-by-class-sentiment")
    kept = [file.name for file in (run / "figures").glob("maps*.json")]
    assert kept == ["maps-sentiment.json"]
    assert [found.method for found in read_maps(run / "figures" / kept[0])] == [
        "tsne-joint",
        "tsne-reference",
        "pca",
    ]
    page = Page((run / "report.html").read_text("utf-8"))
    assert page.tags.count("img") == 4


def test_drawing_again_changes_nothing(drawn, tmp_path):
    again = shutil.copytree(drawn, tmp_path / "run")
    draw(again, seed=0)
    assert figures(again) == figures(drawn)
    for name in (*(f"figures/{name}" for name in figures(drawn)), "report.html"):
        assert (again / name).read_bytes() == (drawn / name).read_bytes(), name
