import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load

from acgan_bert import cli, run
from acgan_bert.recipe_io import apply, dump_recipe, load_recipe
from acgan_bert.recipe_kinds import value_at
from acgan_bert.studies import work
from acgan_bert.studies.bench import Bench
from acgan_bert.studies.engine import work_on
from acgan_bert.studies.folder import Study
from acgan_bert.studies.grid import Grid
from acgan_bert.studies.outcome import measures_of
from acgan_bert.studies.schedule import Schedule
from acgan_bert.studies.sizes import player_sizes
from acgan_bert.studies.study import Means, resume, start
from mtl.errors import InputError

HERE = Means(workers=1)
AXES = {"generator.depth": [1, 2], "discriminator.depth": [2]}


@pytest.fixture(scope="module")
def recipe(small_recipe, sentences_csv):
    """Return the small recipe with a test part of its own, so that seeds share a program."""
    values = {"data.test_fraction": 0, "data.dev_fraction": 0, "data.test": str(sentences_csv)}
    steps = {"steps": 12, "eval_every_steps": 4, "checkpoint_every_steps": 4}
    return apply(small_recipe, values | {f"training.{key}": n for key, n in steps.items()})


def depths(recipe, *, seeds=2, **settings):
    return Grid(kind="depth", recipes={"default": recipe}, axes=AXES, seeds=seeds, **settings)


def begin(grid, out, *, means=HERE, watch=lambda _: None):
    return start(grid, out, means=means, watch=watch, command=("acgan-bert", "study"))


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """Return a finished study of six rows in one pack. Do not write into its folder."""
    out = tmp_path_factory.mktemp("studies") / "depth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACGAN_BERT_CACHE", str(out.parent / "cache"))
        return begin(depths(recipe), out)


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    """Draw the figures of one study only: those of all would take longer than the tests."""
    monkeypatch.setattr("acgan_bert.studies.study.write_report", lambda _: None)


def test_print_config_of_a_study_prints_what_it_begins_with(finished, recipe, capsys):
    assert cli.main(["resume", str(finished.folder), "--print_config"]) == 0
    assert capsys.readouterr().out == dump_recipe(recipe)


def measures(study, row):
    return json.loads((study.folder / "rows" / f"{row}.json").read_text("utf-8"))["measures"]


def table(folder):
    return (folder / "table.csv").read_bytes()


def test_a_row_among_others_is_what_its_recipe_gives_alone(finished, tmp_path):
    """Deeper, wider and other seeds beside it do not matter."""
    assert [len(pack.rows) for pack in finished.packs] == [6]
    row = next(r for r in finished.rows.values() if r.axes["generator.depth"] == 1 and r.seed == 0)
    recipe = finished.recipe_of(row.id)
    out = run.train(recipe, tmp_path / "alone")
    result = json.loads((out / "result.json").read_text("utf-8"))
    sizes = player_sizes(recipe, Bench().size(recipe))
    expected = measures_of(result, recipe, sizes=sizes)
    assert {"train_on_fake", "test_on_fake_floor", "augmentation", "two_sample"} <= set(expected)
    assert measures(finished, row.id) == pytest.approx(expected, abs=1e-5)
    kept = load((finished.folder / "maps" / f"{row.id}.safetensors").read_bytes())
    for kind in ("real", "fake"):
        alone = load((out / "embeddings" / f"{kind}.safetensors").read_bytes())
        np.testing.assert_allclose(kept[kind], alone["vectors"][: len(kept[kind])], atol=1e-5)
        assert (kept["labels"] == alone["labels"][: len(kept[kind])]).all()


def test_the_folder_holds_what_is_promised(finished):
    names = {path.name for path in finished.folder.iterdir()}
    assert {"study.json", "table.csv", "curves.csv", "times.csv", "report.html"} <= names
    assert not list((finished.folder / "packs").iterdir())
    lines = table(finished.folder).decode().splitlines()
    head = lines[0].split(",")
    assert head[:7] == [
        *("row", "study", "generator.depth", "discriminator.depth", "seed", "method", "control")
    ]
    assert {"accuracy", "baseline.logistic_regression", "frechet_floor", "parameters"} <= set(head)
    assert [line.split(",")[0] for line in lines[1:]] == list(finished.rows)
    assert {len(line.split(",")) for line in lines} == {len(head)}
    definition = json.loads((finished.folder / "study.json").read_text("utf-8"))
    assert (definition["kind"], definition["seeds"], definition["rows"]) == ("depth", 2, 6)
    drawn = {row.id for row in finished.rows.values() if row.seed == 0 and not row.control}
    assert {path.stem for path in (finished.folder / "maps").iterdir()} == drawn


@pytest.mark.parametrize("step", [2, 9])
def test_a_study_that_was_stopped_ends_with_the_same_table(
    recipe, finished, tmp_path, monkeypatch, step
):
    """Before the first checkpoint, and after two."""
    out, train = tmp_path / "depth", work.train_members

    def stop(*arguments, progress, **settings):
        def told(done, steps):
            progress(done, steps)
            if done == step:
                raise KeyboardInterrupt

        return train(*arguments, progress=told, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(work, "train_members", stop)
        with pytest.raises(KeyboardInterrupt):
            begin(depths(recipe), out)
    assert list((out / "packs").glob("*/checkpoint")) == [] or step > 4
    assert not list((out / "rows").iterdir())
    study = resume(out, means=HERE, watch=lambda _: None)
    assert table(out) == table(finished.folder)
    assert (out / "curves.csv").read_bytes() == (finished.folder / "curves.csv").read_bytes()
    for path in (out / "maps").iterdir():
        assert path.read_bytes() == (finished.folder / "maps" / path.name).read_bytes()
    assert not study.failures()


def test_ctrl_c_says_how_to_go_on(recipe, tmp_path, monkeypatch, capsys):
    out, file = tmp_path / "depth", tmp_path / "small.yaml"
    file.write_text(f"# Small.\n{dump_recipe(recipe)}", encoding="utf-8")

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "train_members", stop)
    axes = [word for key, levels in AXES.items() for word in ("--axis", f"{key}={levels}")]
    words = ["study", "depth", str(file), *axes, "--out", str(out), "--workers", "1"]
    assert cli.main(words) == 130
    assert f"resume with: acgan-bert resume {out}" in capsys.readouterr().err
    assert Study.read(out).definition["recipe"] == "small"


def test_rows_that_are_missing_are_the_only_ones_trained(finished, recipe, tmp_path, monkeypatch):
    """More seeds: the rows that there are stay as they are, and new ones get packs of their own."""
    out = tmp_path / "grows"
    first = begin(depths(recipe, seeds=1), out)
    before = {path.name: path.stat().st_mtime_ns for path in (out / "rows").iterdir()}
    grown = begin(depths(recipe, seeds=2), out)
    after = {path.name: path.stat().st_mtime_ns for path in (out / "rows").iterdir()}
    assert before.items() < after.items()
    assert list(grown.rows) == list(finished.rows)
    assert grown.packs[: len(first.packs)] == first.packs
    for row in grown.rows:
        assert measures(grown, row) == pytest.approx(measures(finished, row), abs=1e-5)
    monkeypatch.setattr(work, "train_members", None)
    begin(depths(recipe, seeds=2), out)
    assert table(out) == table(grown.folder)


def test_a_row_that_fails_takes_no_other_with_it(finished, recipe, tmp_path):
    out, key = tmp_path / "rates", "training.generator_learning_rate"
    axes = {key: [5e-5, 1e30], "generator.depth": [1], "discriminator.depth": [2]}
    grid = Grid(kind="depth", recipes={"default": recipe}, axes=axes, seeds=1, control=False)
    study = begin(grid, out)
    good, bad = study.rows
    assert study.done(good)
    assert not study.done(bad)
    assert "diverged at step" in study.failures()[bad]
    lines = table(out).decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", good, bad]
    assert "diverged" in lines[2]
    same = next(row for row in finished.rows.values() if row.seed == 0 and not row.control)
    assert measures(study, good) == pytest.approx(measures(finished, same.id), abs=1e-5)
    standings = []
    resume(out, means=HERE, watch=standings.append)
    assert (standings[-1].done, standings[-1].failed, standings[-1].total) == (1, 1, 2)
    assert cli.main(["resume", str(out), "--workers", "1"]) == 2


def test_a_pack_that_another_process_holds_is_left_to_it(recipe, finished, tmp_path):
    out = tmp_path / "shared"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("acgan_bert.studies.study._train", lambda *_: None)
        study = begin(depths(recipe), out)
    (pack,) = study.packs
    schedule = Schedule(study, lambda _: None)
    with study.claim(pack) as folder:
        assert folder is not None
        assert schedule.next() == pack
        taken = work_on(study, pack, Bench(), lambda _: None)
        schedule.ended(pack, taken=taken)
        assert not taken
        assert schedule.next() is None
        assert not schedule.over
        for row in study.rows:  # the other one finishes it
            study.write_row(row, {"measures": measures(finished, row), "seconds": 1.0})
    time.sleep(1.1)
    assert schedule.next() is None
    assert schedule.over


def test_another_study_is_never_mixed_in(recipe, finished, tmp_path):
    before = table(finished.folder)
    other = apply(recipe, {"training.weight_decay": 0.5})
    with pytest.raises(InputError, match=r"holds another study: its row at generator.depth 1"):
        begin(depths(other), finished.folder)
    labels = Grid(kind="labels", recipes={"default": recipe}, axes={}, methods=("default",))
    with pytest.raises(InputError, match="holds a study of kind depth, not labels"):
        begin(labels, finished.folder)
    assert table(finished.folder) == before
    (tmp_path / "table.csv").write_text("a,b\n")
    with pytest.raises(InputError, match=r"table.csv: a table of something else"):
        begin(depths(recipe), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_mistake_in_the_data_leaves_nothing_behind(recipe, tmp_path):
    for values, message in (
        ({"data.test": "nowhere.csv"}, "nowhere.csv: no such file"),
        ({"data.label_fraction": 1.0, "data.labels_per_class": 1000}, "labels_per_class is 1000"),
    ):
        with pytest.raises(InputError, match=message):
            begin(depths(apply(recipe, values)), tmp_path / "study")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="not a study"):
        Study.read(tmp_path)


def test_methods_see_the_same_labels(recipe, tmp_path):
    """A baseline of its own row is the baseline beside a GAN of the same draw."""
    grid = Grid(
        kind="labels",
        recipes={"default": recipe},
        axes={"data.label_fraction": [0.1, 0.2]},
        methods=("default", "logistic_regression"),
        seeds=1,
    )
    study = begin(grid, tmp_path / "labels")
    ids = {(row.axes["data.label_fraction"], row.method): row.id for row in study.rows.values()}
    for fraction in (0.1, 0.2):
        gan = measures(study, ids[fraction, "default"])
        rival = measures(study, ids[fraction, "logistic_regression"])
        assert gan["baseline.logistic_regression"] == rival["accuracy"]
        assert (gan["labeled"], gan["unlabeled"]) == (rival["labeled"], rival["unlabeled"])


def test_rows_that_move_their_encoder_stand_beside_those_that_do_not(recipe, tmp_path):
    """Each on the same draw of labels, in one table."""
    short = {"report.baselines": [], "report.fakes": 40}
    steps = {key: value_at(recipe, key) for key in ("training.steps", "training.batch_size")}
    recipes = {"default": apply(recipe, short)}
    for name, own in {"few-labels": {"adaptation.updates": 2}, "finetune": {}}.items():
        there = load_recipe(name)
        encoder = replace(there.encoder, name=recipe.encoder.name, pair="joined")
        moved = replace(there, data=recipe.data, encoder=encoder)
        recipes[name] = apply(moved, {**short, **steps, **own, "report.figures": False})
    methods = (*recipes, "logistic_regression")
    out = tmp_path / "methods"
    study = begin(Grid(kind="labels", recipes=recipes, axes={}, methods=methods, seeds=1), out)
    assert not study.failures()
    found = {row.method: measures(study, row.id) for row in study.rows.values()}
    assert set(found) == set(methods)
    assert {(one["labeled"], one["unlabeled"]) for one in found.values()} == {(48, 192)}
    assert all(one["accuracy"] > 0.5 for one in found.values())
    assert all(found[name]["two_sample"] >= 0.4 for name in recipes)
    assert list((out / "packs").iterdir()) == []


def test_report_draws_a_finished_study_again(finished, tmp_path, capsys):
    copy = shutil.copytree(finished.folder, tmp_path / "copy")
    written = {path.name: path.read_bytes() for path in copy.glob("[fr]*/*.*")}
    shutil.rmtree(copy / "figures")
    assert cli.main(["report", str(copy), "--out", "page.html"]) == 2
    assert "is a study" in capsys.readouterr().err
    assert cli.main(["report", str(copy)]) == 0
    assert {path.name: path.read_bytes() for path in copy.glob("[fr]*/*.*")} == written
