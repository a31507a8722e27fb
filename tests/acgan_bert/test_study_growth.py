"""Studies that nothing is trained of: what grows, what changed beneath them, and what is said."""

import shutil

import pytest

from acgan_bert import cli
from acgan_bert.cli_study import _Lines
from acgan_bert.environment import describe_environment
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.recipe_kinds import value_at
from acgan_bert.studies.fakes import MAPS, write_fakes
from acgan_bert.studies.grid import Grid
from acgan_bert.studies.ray_engine import _absolute
from acgan_bert.studies.schedule import Standing
from acgan_bert.studies.study import Means, resume, start
from mtl.errors import InputError
from tests.acgan_bert.task_files import write_tasks

HERE = Means(workers=1)


@pytest.fixture(scope="module")
def recipe(small_recipe, sentences_csv):
    """Return the small recipe with a test part of its own, so that seeds share a program."""
    values = {"data.test_fraction": 0, "data.dev_fraction": 0, "data.test": str(sentences_csv)}
    return apply(small_recipe, values)


def begin(grid, out):
    return start(grid, out, means=HERE, watch=lambda _: None)


def depths(recipe, *, seeds):
    axes = {"generator.depth": [1, 2], "discriminator.depth": [2]}
    return Grid(kind="depth", recipes={"default": recipe}, axes=axes, seeds=seeds)


@pytest.fixture(autouse=True)
def _untrained(monkeypatch):
    """Let studies begin, and train nothing."""
    monkeypatch.setattr("acgan_bert.studies.study._train", lambda *_: None)
    monkeypatch.setattr("acgan_bert.studies.study.embed_parts", lambda *_: None)


def test_two_that_add_rows_at_once_lose_none(recipe, tmp_path, monkeypatch):
    out, name = tmp_path / "grows", "acgan_bert.studies.study.describe_environment"
    begin(depths(recipe, seeds=1), out)
    others = []

    def overtaken(*arguments, **settings):
        monkeypatch.setattr(name, describe_environment)
        others.append(begin(depths(recipe, seeds=2), out))
        return describe_environment(*arguments, **settings)

    monkeypatch.setattr(name, overtaken)
    grown = begin(depths(recipe, seeds=3), out)
    (other,) = others
    assert grown.packs[:2] == other.packs
    assert sorted(row for pack in grown.packs for row in pack.rows) == sorted(grown.rows)
    assert len(grown.rows) == 9


def test_fakes_of_another_diagonal_leave_the_map(recipe, tmp_path):
    """Of other levels, they would stand under the names of the same depths."""
    settings = {"kind": "depth", "recipes": {"default": recipe}, "seeds": 1, "control": False}
    axes = {"generator.depth": [1, 2], "generator.width": [4]}
    study = begin(Grid(**settings, axes=axes), tmp_path / "study")
    for row in study.rows:
        write_fakes(study.folder, row, b"fakes")
    begin(Grid(**settings, axes=axes), study.folder)
    assert {path.stem for path in (study.folder / MAPS).iterdir()} == set(study.rows)
    grown = begin(Grid(**settings, axes=axes | {"generator.width": [2, 4]}), study.folder)
    assert not list((study.folder / MAPS).iterdir())
    assert {row.axes["generator.width"] for row in grown.rows.values() if row.mapped} == {2}


@pytest.mark.parametrize("changed", ["first.csv", "second.csv"])
def test_data_that_changed_is_noticed_from_any_folder(
    recipe, sentences_csv, tmp_path, monkeypatch, changed
):
    """The second source came when the study grew."""
    monkeypatch.chdir(tmp_path)
    for name in ("first.csv", "second.csv"):
        shutil.copy(sentences_csv, name)
    out, axes = tmp_path / "study", {"data.train": ["first.csv"]}
    settings = {"kind": "depth", "recipes": {"default": recipe}, "seeds": 1, "control": False}
    begin(Grid(**settings, axes=axes), out)
    begin(Grid(**settings, axes={"data.train": ["first.csv", "second.csv"]}), out)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    resume(out, means=HERE, watch=lambda _: None)
    with (tmp_path / changed).open("a", encoding="utf-8") as stream:
        stream.write("a good film,positive\n")
    with pytest.raises(InputError, match=rf"{changed}: changed since"):
        resume(out, means=HERE, watch=lambda _: None)


@pytest.mark.parametrize("name", ["mtl-baseline", "joint"])
def test_data_of_a_task_that_changed_is_noticed(name, encoder_folder, tmp_path):
    flags = [*write_tasks(tmp_path), "--encoder.name", str(encoder_folder)]
    keys = [flag.removeprefix("--") for flag in flags[::2]]
    recipe = apply(load_recipe(name), dict(zip(keys, flags[1::2], strict=True)))
    axes, out = {"multitask.surgery": ["sum", "pcgrad"]}, tmp_path / "study"
    settings = {"kind": "ablation", "recipes": {name: recipe}, "seeds": 1}
    begin(Grid(**settings, axes=axes), out)
    begin(Grid(**settings, axes=axes), out)
    changed = tmp_path / "similarity-dev.csv"
    with changed.open("a", encoding="utf-8") as stream:
        stream.write("a good film,a fine film,4.5\n")
    with pytest.raises(InputError, match=r"similarity-dev\.csv: changed since"):
        resume(out, means=HERE, watch=lambda _: None)
    with pytest.raises(InputError, match=r"similarity-dev\.csv: changed since"):
        begin(Grid(**settings, axes=axes), out)


def test_a_row_with_numbers_has_not_failed(recipe, tmp_path):
    """A process may die between writing the numbers and forgetting an earlier failure."""
    study = begin(depths(recipe, seeds=1), tmp_path / "study")
    row, *_ = study.rows
    study.write_failure(row, "no memory")
    assert study.failures() == {row: "no memory"}
    study.write_row(row, {"measures": {"accuracy": 0.5}, "seconds": 1.0})
    study.write_failure(row, "no memory")
    assert study.failures() == {}
    study.write_tables()
    assert (study.folder / "table.csv").read_text("utf-8").splitlines()[1].endswith(",0.5,")


def test_baselines_of_a_recipe_that_moves_its_encoder_are_embedded_once(
    recipe, tmp_path, monkeypatch
):
    embedded = []
    monkeypatch.setattr("acgan_bert.studies.study.embed_parts", lambda *a: embedded.append(a))
    moving = apply(recipe, {"encoder.mode": "finetune", "training.members": 1})
    recipes, axes = {"moving": moving}, {"data.label_fraction": [0.1, 0.2]}
    for methods, times in ((("moving",), 0), (("logistic_regression",), 1)):
        grid = Grid(kind="labels", recipes=recipes, axes=axes, methods=methods, seeds=2)
        begin(grid, tmp_path / methods[0])
        assert len(embedded) == times


def test_a_worker_elsewhere_gets_paths_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films.csv").write_text("text,label\n", encoding="utf-8")
    recipe = load_recipe("joint")
    keys = ("tasks.sentiment.train", "data.train", "data.dev")
    here = apply(recipe, dict(zip(keys, ("films.csv", "films.csv", "demo:sentiment"), strict=True)))
    found = _absolute(here)
    full = str(tmp_path / "films.csv")
    assert [value_at(found, key) for key in keys] == [full, full, "demo:sentiment"]
    assert _absolute(recipe) == recipe


def test_lines_come_when_rows_have_ended_or_none_has_for_long(monkeypatch, capsys):
    lines, said = _Lines(), []
    for second, done in ((100, 0), (101, 0), (103, 1), (104, 2), (120, 2), (140, 2), (151, 2)):
        monkeypatch.setattr("acgan_bert.cli_study.time.monotonic", lambda now=second: float(now))
        lines(Standing(done, 1, 0, 9, None))
        said += [second] if capsys.readouterr().out else []
    assert said == [100, 103, 120, 151]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["depth", "--axis", "generator.dept=[1]"], "did you mean generator.depth"),
        (["depth", "--seeds", "0"], "--seeds: found 0"),
        (["depth", "--seeds", "2000"], "more than 100,000"),
        (["depth", "--methods", "default"], "--methods: a study of depth"),
        (["labels", "--methods", "logistic_regresion"], "did you mean 'logistic_regression'"),
        (["width"], "'width' is no kind of study"),
        (["dept"], "did you mean 'depth'"),
        (["depth", "--engine", "spark"], "'spark' is unknown; use processes, ray"),
        (["depth", "--ray_address", "auto"], "needs --engine ray"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(words, message, capsys, tmp_path):
    assert cli.main(["study", *words, "--out", str(tmp_path / "out")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert list(tmp_path.iterdir()) == []
