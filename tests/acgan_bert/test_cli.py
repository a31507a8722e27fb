"""The command line: verbs, help, exit codes; runs on toy data with a toy encoder."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml

from acgan_bert import cli
from acgan_bert.cli_runs import default_out
from acgan_bert.recipe import DataRecipe, Recipe
from acgan_bert.recipe_fields import recipe_fields
from acgan_bert.recipe_io import shipped
from mtl.errors import InputError

HEAVY = ("torch", "transformers", "sklearn", "pandas", "matplotlib", "scipy")


def in_process(*words):
    """Run in a fresh interpreter; return what it printed and which heavy modules it loaded."""
    code = (
        "import sys\nfrom acgan_bert.cli import main\n"
        f"status = main({list(words)!r})\n"
        f"print('LOADED', [name for name in {HEAVY!r} if name in sys.modules])\nsys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    printed, _, loaded = done.stdout.rpartition("LOADED ")
    return printed, loaded.strip()


@pytest.mark.processes
@pytest.mark.parametrize("words", [("--help",), ("train", "--help"), ("recipes",)])
def test_help_loads_nothing_heavy(words):
    printed, loaded = in_process(*words)
    assert loaded == "[]"
    assert printed


def test_bare_command_lists_the_verbs(capsys):
    assert cli.main([]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n  {verb}" in printed for verb in cli.VERBS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_every_verb_has_help(verb, capsys):
    assert cli.main([verb, "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: acgan-bert {verb}")
    if verb in ("demo", "train", "embed"):
        missing = [key for key in recipe_fields() if f"--{key} " not in printed]
        assert not missing
        words = " ".join(printed.split())
        assert all(field.help[:40] in words for field in recipe_fields().values())


def test_recipes_prints_a_line_each(capsys):
    assert cli.main(["recipes"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == [name for name, _ in shipped()]
    assert {"default", "demo", "gan-bert", "paper"} < set(names)


@pytest.mark.parametrize("verb", [["train", "paper"], ["demo"], ["embed", "default"]])
def test_print_config_prints_the_resolved_recipe(verb, capsys):
    assert cli.main([*verb, "--print_config", "--generator.depth", "3", "--seed=7"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["generator"]["depth"] == 3
    assert printed["seed"] == 7
    assert printed["training"]["batch_size"] == (8 if "paper" in verb else 128)


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        (["--data.train", "a.csv"], "data.train", "a.csv"),
        (["--data.label=1"], "data.label", "1"),
        (["--training.clip", "3e-5"], "training.clip", 3e-5),
        (["--discriminator.linear_skip", "false"], "discriminator.linear_skip", False),
        (["--report.baselines=[gan_bert]"], "report.baselines", ["gan_bert"]),
        (["--report.baselines=[]"], "report.baselines", []),
        (["--objective.name", "tac-gan"], "objective.name", "tac-gan"),
    ],
)
def test_a_flag_reaches_its_key(flags, key, value, capsys):
    assert cli.main(["train", *flags, "--print_config"]) == 0
    printed = yaml.safe_load(capsys.readouterr().out)
    section, leaf = key.split(".")
    assert printed[section][leaf] == value


@pytest.mark.parametrize(
    "words", [["resume"], ["predict", "new.csv"], ["sample", "--label", "x", "-n", "2"], ["report"]]
)
def test_print_config_of_a_run_prints_its_recipe_and_does_nothing(words, finished_run, capsys):
    before = sorted(finished_run.path.rglob("*"))
    assert cli.main([words[0], str(finished_run.path), *words[1:], "--print_config"]) == 0
    assert capsys.readouterr().out == (finished_run.path / "recipe.yaml").read_text("utf-8")
    assert sorted(finished_run.path.rglob("*")) == before


def test_windows_is_told_where_it_works(monkeypatch, capsys):
    monkeypatch.setattr("acgan_bert.cli.os.name", "nt")
    code = cli.main(["demo"])
    monkeypatch.undo()
    assert (code, capsys.readouterr().err.count("WSL")) == (2, 1)


def test_print_config_is_unknown_where_there_is_no_recipe(capsys):
    assert cli.main(["recipes", "--print_config"]) == 2
    assert "--print_config" in capsys.readouterr().err


def test_flags_go_before_the_recipe_file(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text("generator: {depth: 2, width: 8}\n")
    assert cli.main(["train", str(path), "--generator.depth", "4", "--print_config"]) == 0
    generator = yaml.safe_load(capsys.readouterr().out)["generator"]
    assert (generator["depth"], generator["width"]) == (4, 8)


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("default", "data/my reviews.csv", "runs/default-my-reviews-seed0"),
        ("here/mine.yaml", "hub:a/b:c", "runs/mine-hub-a-b-c-seed0"),
        ("demo", "demo:sentiment", "runs/demo-demo-sentiment-seed0"),
        ("default", "../../..", "runs/default-data-seed0"),
    ],
)
def test_default_directory_is_named_after_recipe_data_and_seed(name, source, expected):
    assert default_out(name, Recipe(data=DataRecipe(train=source))) == expected


def test_an_error_is_one_line_of_printable_characters(monkeypatch, capsys):
    def raising(words):
        raise InputError("a.csv:\nline 2:\x1b[31m bad\t\r\nvalue")

    monkeypatch.setattr(cli, "_dispatch", raising)
    assert cli.main(["train"]) == 2
    assert capsys.readouterr().err == "error: a.csv: line 2:?[31m bad value\n"


def test_a_bug_keeps_its_traceback(monkeypatch):
    def raising(words):
        raise RuntimeError("ours")

    monkeypatch.setattr(cli, "_dispatch", raising)
    with pytest.raises(RuntimeError, match="ours"):
        cli.main(["train"])


def test_train_writes_a_run_and_prints_the_comparison(finished_run):
    printed = finished_run.printed
    result = json.loads((finished_run.path / "result.json").read_text("utf-8"))
    assert result["test"]["rows"] > 0
    assert f"{result['test']['accuracy']:.3f}" in printed
    assert "logistic regression" in printed
    assert "macro-F1" in printed
    assert "95 % interval" in printed
    assert f"run: {finished_run.path}" in printed
    assert "reading data and encoder" in printed
    recipe = yaml.safe_load((finished_run.path / "recipe.yaml").read_text("utf-8"))
    assert recipe["training"]["steps"] == 6


def test_predict_prints_csv_or_writes_it(finished_run, tmp_path, capsys):
    source = tmp_path / "new.csv"
    source.write_text("text\na good film\na bad film\n", encoding="utf-8")
    assert cli.main(["predict", str(finished_run.path), str(source)]) == 0
    captured = capsys.readouterr()
    out = tmp_path / "labels.csv"
    assert cli.main(["predict", str(finished_run.path), str(source), "--out", str(out)]) == 0
    assert out.read_text("utf-8") == captured.out
    table = pd.read_csv(out)
    assert list(table.columns) == ["id", "text", "label", "p_bad", "p_good", "p_fake"]
    assert table[["p_bad", "p_good"]].sum(axis=1).to_numpy() == pytest.approx([1, 1], abs=1e-4)


def test_sample_writes_a_matrix_and_its_neighbors(finished_run, tmp_path, capsys):
    out = tmp_path / "fakes.npy"
    words = ["sample", str(finished_run.path), "--label", "good", "-n", "3", "--out", str(out)]
    assert cli.main(words) == 0
    assert np.load(out).shape == (3, 16)
    rows = [json.loads(line) for line in out.with_suffix(".jsonl").read_text("utf-8").splitlines()]
    assert [row["label"] for row in rows] == ["good"] * 3
    assert all(row["neighbors"] and set(row["posterior"]) == {"bad", "good"} for row in rows)
    assert "nearest real sentence" in capsys.readouterr().out


def test_sample_repeats_under_its_seed_only(finished_run, tmp_path):
    matrices = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.npy"
        words = ["sample", str(finished_run.path), "--label", "bad", "-n", "2", "--seed", str(seed)]
        assert cli.main([*words, "--out", str(out)]) == 0
        matrices[name] = np.load(out)
    assert np.array_equal(matrices["a"], matrices["b"])
    assert not np.array_equal(matrices["a"], matrices["c"])


def test_embed_takes_a_file_or_a_recipe(finished_run, tmp_path, capsys):
    flags = ["--encoder.name", str(finished_run.encoder)]
    out = tmp_path / "vectors.npy"
    assert cli.main(["embed", str(finished_run.data), *flags, "--out", str(out)]) == 0
    matrix = np.load(out)
    assert matrix.shape == (len(pd.read_csv(finished_run.data)), 16)
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump({"data": {"train": str(finished_run.data)}}))
    again = tmp_path / "again.npy"
    assert cli.main(["embed", str(recipe), *flags, "--out", str(again)]) == 0
    assert np.array_equal(np.load(again), matrix)
    assert "read from the cache" in capsys.readouterr().out


def test_report_writes_one_page(finished_run, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert cli.main(["report", str(finished_run.path), "--out", str(out)]) == 0
    assert out.read_text("utf-8").lstrip().lower().startswith("<!doctype html")
    assert f"report: {out}" in capsys.readouterr().out


def test_resume_of_a_finished_run_changes_nothing_and_says_so(finished_run, capsys):
    before = (finished_run.path / "result.json").read_bytes()
    assert cli.main(["resume", str(finished_run.path)]) == 0
    captured = capsys.readouterr()
    assert "nothing to do" in captured.err
    assert (finished_run.path / "result.json").read_bytes() == before


def test_ctrl_c_prints_how_to_resume_and_resuming_finishes_the_run(
    finished_run, tmp_path, monkeypatch, capsys
):
    import acgan_bert.gan_run as module

    out = tmp_path / "out"
    words = ["train", *finished_run.flags, "--report.figures", "false", "--out", str(out)]

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "classifier_baselines", interrupted)
        assert cli.main(words) == 130
    captured = capsys.readouterr()
    assert captured.err.endswith(f"resume with: acgan-bert resume {out}\n")
    assert not (out / "result.json").exists()
    assert cli.main(["resume", str(out)]) == 0
    assert json.loads((out / "result.json").read_text("utf-8"))["test"]["rows"] > 0


def test_ctrl_c_before_anything_is_written_promises_nothing(
    finished_run, tmp_path, monkeypatch, capsys
):
    import acgan_bert.gan_run as module

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "read_parts", interrupted)
    assert cli.main(["train", *finished_run.flags, "--out", str(tmp_path / "out")]) == 130
    assert "resume" not in capsys.readouterr().err


def test_divergence_is_an_error_line_not_a_traceback(finished_run, tmp_path, capsys):
    out = tmp_path / "out"
    flags = ["--training.divergence_norm", "1e-9", "--out", str(out)]
    assert cli.main(["train", *finished_run.flags, *flags]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
