"""Studies read back from their files, and what is wrong with a damaged one."""

import json

import pytest

from analysis.study_reading import read_study
from tests.analysis.study_folder import depth_study, label_study, write_study

DEFINITION = {"kind": "ablation", "axes": {"removed": ["nothing", "adversary"]}, "seeds": 2}


def line(level, seed, **more):
    return {"row": f"{level}{seed}", "removed": level, "seed": seed, "accuracy": 0.5} | more


LINES = [line(level, seed) for level in ("nothing", "adversary") for seed in (0, 1)]


def test_rows_have_their_place_and_their_numbers(tmp_path):
    rows = [*LINES[:3], line("adversary", 1, accuracy="", error="ran out\n of memory")]
    study = read_study(write_study(tmp_path, DEFINITION, rows))
    assert study.axes == {"removed": ("nothing", "adversary")}
    assert [row.levels for row in study.rows] == [("nothing",), ("nothing",), ("adversary",)]
    assert study.rows[0].values == {"accuracy": 0.5}
    assert [(one.place, one.error) for one in study.failures] == [
        ("removed adversary, seed 1", "ran out of memory")
    ]
    assert study.missing == 0


def test_empty_and_infinite_cells_are_missing_numbers_and_words_no_measure(tmp_path):
    rows = [line("nothing", 0, accuracy="nan", device="cpu"), line("nothing", 1, device="")]
    study = read_study(write_study(tmp_path, DEFINITION, rows))
    assert [dict(row.values) for row in study.rows] == [{}, {"accuracy": 0.5}]


@pytest.mark.parametrize(("planned", "missing"), [(None, 2), (7, 5), (["a", "b", "c"], 1)])
def test_missing_rows_are_counted(tmp_path, planned, missing):
    definition = DEFINITION | ({} if planned is None else {"rows": planned})
    assert read_study(write_study(tmp_path, definition, LINES[:2])).missing == missing


def test_levels_are_one_text_in_both_files(tmp_path):
    definition = DEFINITION | {"axes": {"data.label_fraction": [0.1, 1], "flag": [True, None]}}
    rows = [{"row": "a", "data.label_fraction": "1.0", "flag": "True", "seed": 0, "accuracy": 1}]
    study = read_study(write_study(tmp_path, definition, rows))
    assert study.axes == {"data.label_fraction": ("0.1", "1"), "flag": ("true", "")}
    assert study.rows[0].levels == ("1", "true")


def test_curves_are_read(tmp_path):
    curves = [
        {"row": "nothing0", "step": 5, "measure": "dev_accuracy", "value": 0.25},
        {"row": "nothing0", "step": 9, "measure": "dev_accuracy", "value": ""},
    ]
    study = read_study(write_study(tmp_path, DEFINITION, LINES, curves))
    assert study.curves == (("nothing0", 5.0, "dev_accuracy", 0.25),)


@pytest.mark.parametrize("make", [depth_study, label_study])
def test_a_whole_study_lacks_nothing(tmp_path, make):
    assert read_study(make(tmp_path)).missing == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "found format 2; want 1"),
        ({"kind": "width"}, "found kind 'width'; want depth, labels, unlabeled, ablation"),
        ({"axes": [1]}, "found no axes"),
        ({"seeds": 0}, "found seeds 0"),
        ({"axes": {"removed": ["nothing"], "width": [1]}}, "found axis 'width'; want a column"),
    ],
)
def test_a_definition_that_cannot_be_read(tmp_path, change, message):
    write_study(tmp_path, DEFINITION | change, LINES)
    with pytest.raises(ValueError, match=message):
        read_study(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("study.json", "{", r"study.json: damaged: not JSON"),
        ("study.json", None, r"study.json: cannot be read"),
        ("table.csv", None, r"table.csv: cannot be read"),
        ("table.csv", "row,removed\na\n", r"table.csv: damaged: line 2 has not 2 cells"),
        ("table.csv", "row,removed,seed\na,b,0\nc,b,0\n", r"found rows 'a' and 'c' for removed b"),
        ("curves.csv", "row,step,value\n", r"curves.csv: damaged: no column 'measure'"),
    ],
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    file = write_study(tmp_path, DEFINITION, LINES) / name
    file.unlink(missing_ok=True)
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_study(tmp_path)


def test_a_recipe_may_be_written_out(tmp_path):
    definition = DEFINITION | {"recipe": {"seed": 0}}
    assert json.loads(read_study(write_study(tmp_path, definition, LINES)).recipe) == {"seed": 0}
