"""The page of a GAN beside a trained encoder: its fakes task by task, and what was trained."""

import json

import pytest

from tests.analysis.conftest import write_lines
from tests.analysis.joint_run import (
    finetune_metrics,
    objective_conflicts,
    write_joint_run,
)
from tests.analysis.multitask_run import write_multitask_run
from tests.analysis.pages import HOSTILE, Page, report_of


@pytest.fixture
def make_joint_run(tmp_path):
    """Return a function that writes a run of three tasks and a GAN, and returns its path."""
    return lambda name="joint", **more: write_joint_run(tmp_path / name, **more)


@pytest.fixture
def make_finetune_run(make_run):
    """Return a function that writes a run of one task with its encoder trained."""

    def make(encoder=None, **sections):
        root = make_run("finetune")
        write_lines(root / "metrics.jsonl", finetune_metrics(2))
        recipe = json.loads((root / "recipe.yaml").read_text()) | sections
        recipe["encoder"] |= encoder or {}
        (root / "recipe.yaml").write_text(json.dumps(recipe))
        return root

    return make


def test_each_task_has_the_pieces_of_a_run_of_the_gan(make_joint_run):
    text = Page(report_of(make_joint_run())).text
    assert "3 tasks on one encoder, with a GAN beside" in text
    assert "The generator: sentiment" in text
    assert "Fréchet distance, squared 1.500 0.750 0.500 lower" in text
    assert "The generator has collapsed in 1 of 1 classes: bad" in text
    for task, rows in (("sentiment", 15), ("paraphrase", 4)):
        assert f"What the fakes of {task} are near to" in text
        assert f"1 of {rows} repeat a training row" in text
        assert f"{task} text 0" in text
    assert text.count("typicality 0.25") == 3 * 5 + 2 * 2
    assert text.count("memorized") == 2
    assert "Asked for: terrible" in text


def test_a_task_without_fakes_or_measures_has_no_section(make_joint_run):
    text = Page(report_of(make_joint_run())).text
    assert "The generator: paraphrase" not in text
    assert "fakes of similarity" not in text


def test_each_map_stands_with_its_task(make_joint_run):
    root = make_joint_run()
    (root / "figures").mkdir()
    for task in ("sentiment", "paraphrase"):
        (root / "figures" / f"map-{task}.svg").write_bytes(b"<svg/>")
    page = Page(report_of(root))
    said = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert [words.split(",")[0] for words in said] == [
        "Flat maps of real and generated embeddings of sentiment",
        "Flat maps of real and generated embeddings of paraphrase",
    ]


@pytest.mark.parametrize("objectives", [("sentiment", "source"), None], ids=["few", "many"])
def test_conflicts_of_losses_are_called_so(make_joint_run, objectives):
    root = make_joint_run()
    (root / "figures").mkdir()
    (root / "figures" / "conflicts.svg").write_bytes(b"<svg/>")
    if objectives:
        write_lines(root / "conflicts.jsonl", objective_conflicts(2, objectives))
    text = Page(report_of(root)).text
    assert "Conflicts between the losses" in text
    assert "a loss about real and fake, source" in text
    assert ("On the left over all parameters" in text) == (objectives is None)


def test_a_trained_encoder_is_told_from_the_one_of_the_baselines(make_finetune_run):
    text = Page(report_of(make_finetune_run(encoder={"mode": "finetune"}))).text
    assert "The encoder was trained along with the GAN, all of its weights; the baselines" in text
    assert "stand on the frozen one, as it was before." in text
    assert "same embeddings" not in text
    assert "Baselines were given the encoder as it was before" in text


@pytest.mark.parametrize(
    ("encoder", "sections", "said"),
    [
        ({"mode": "last", "last_layers": 2}, {}, "with the GAN, the weights of its last 2 layers"),
        ({"mode": "last", "last_layers": 1}, {}, "with the GAN, the weights of its last layer;"),
        ({"mode": "lora"}, {}, "with the GAN, by low-rank adapters;"),
        ({"mode": "frozen"}, {"adaptation": {"updates": 5}}, "was trained ahead of the GAN;"),
    ],
)
def test_how_the_encoder_was_trained(make_finetune_run, encoder, sections, said):
    assert said in Page(report_of(make_finetune_run(encoder=encoder, **sections))).text


def test_a_frozen_encoder_is_not_said_to_have_moved(make_finetune_run):
    text = Page(report_of(make_finetune_run(encoder={"mode": "frozen"}))).text
    assert "The encoder was trained" not in text
    assert "same embeddings" in text


def test_one_task_shows_its_conflicts_and_what_moved_means(make_finetune_run):
    root = make_finetune_run(encoder={"mode": "finetune"})
    write_lines(root / "conflicts.jsonl", objective_conflicts(2, ("source", "sentiment.class")))
    text = Page(report_of(root)).text
    assert "source \N{MULTIPLICATION SIGN} sentiment.class 500" in text
    assert "at 1 as far as all rows were spread at the start" in text


def test_stands_beside_other_runs(make_joint_run, make_run, tmp_path):
    plain = write_multitask_run(tmp_path / "plain", evaluations=1, changes={"name": "plain"})
    joint = make_joint_run(changes={"name": "beside"})
    text = Page(report_of(joint, plain, make_run("alone"))).text
    scores = json.loads((joint / "result.json").read_text())["test"]
    own = f"{scores['sentiment']['accuracy']:.1%} {scores['paraphrase']['accuracy']:.1%} 0.860"
    assert f"beside {own} {scores['overall']['mean']:.3f} test" in text
    assert f"plain {own} {scores['overall']['mean']:.3f} test" in text
    assert "beside sentiment 1.500 0.750 0.500" in text
    assert "Key beside plain gan true false" in text
    assert "objective.name" not in text.split("Key beside plain")[1].split("with a GAN")[0]


def test_names_never_become_markup(make_joint_run):
    root = make_joint_run()
    fakes = root / "embeddings" / "sentiment" / "fake.jsonl"
    fakes.write_text(fakes.read_text().replace("sentiment text", HOSTILE.replace('"', "'")))
    page = Page(report_of(root))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "alert('x')" in page.text
