"""Recipes: shipped ones load, YAML is a diff, mistakes name key, value and the nearest key."""

from dataclasses import replace
from functools import cache
from typing import get_args, get_origin

import pytest
import yaml

from acgan_bert import recipe_io
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import recipe_fields
from acgan_bert.recipe_io import (
    apply,
    check_recipe,
    default_recipe,
    dump_recipe,
    load_recipe,
    shipped,
)
from acgan_bert.recipe_kinds import value_at
from acgan_bert.recipe_ranges import RANGES
from mtl.errors import InputError

NAMES = [name for name, _ in shipped()]
shipped_recipe = cache(load_recipe)


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_shipped_recipes_are_those_of_this_version():
    own = [name for name in NAMES if shipped_recipe(name).gan]
    joint = ["joint", "joint-pairing", "joint-paper"]
    assert [name for name in own if shipped_recipe(name).tasks.sentiment.train] == joint
    one_task = ["default", "demo", "few-labels", "finetune", "gan-bert", "paper"]
    assert [name for name in own if name not in joint] == one_task
    assert all(name.startswith("mtl-") for name in set(NAMES) - set(own))


@pytest.mark.parametrize("name", NAMES)
def test_shipped_recipe_loads_is_in_range_and_has_a_summary(name):
    check_recipe(shipped_recipe(name))
    summary = dict(shipped())[name]
    assert summary.endswith(".")
    assert len(summary) < 100


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_shipped_recipe_gives_its_reason(name):
    text = (recipe_io._shipped_folder() / f"{name}.yaml").read_text("utf-8")
    assert text.startswith("# ")
    for line in text.splitlines():
        has_value = ":" in line and not line.startswith("#") and not line.rstrip().endswith(":")
        assert not has_value or " # " in line, line


@pytest.mark.parametrize("name", ["default", "paper", "gan-bert", "mtl-best", "mtl-joint-final"])
def test_a_recipe_survives_being_written_and_read(name, tmp_path):
    recipe = shipped_recipe(name)
    assert load_recipe(write(tmp_path, dump_recipe(recipe))) == recipe


def test_dumped_recipe_holds_every_key():
    def keys(part, prefix=""):
        for key, value in part.items():
            if isinstance(value, dict):
                yield from keys(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    assert list(keys(yaml.safe_load(dump_recipe(Recipe())))) == list(recipe_fields())


def test_every_number_has_a_range_and_every_field_a_help_text():
    hints = (int, float, tuple[float, ...])
    numbers = {key for key, field in recipe_fields().items() if field.hint in hints}
    assert set(RANGES) == numbers
    assert all(field.help for field in recipe_fields().values())


def test_default_recipe_is_the_dataclasses_defaults_where_the_offline_encoder_is(monkeypatch):
    monkeypatch.setattr(recipe_io.importlib.util, "find_spec", lambda name: object())
    assert default_recipe() == load_recipe("default") == Recipe()


def test_default_encoder_is_bert_where_the_offline_one_is_not_installed(monkeypatch):
    monkeypatch.setattr(recipe_io.importlib.util, "find_spec", lambda name: None)
    assert default_recipe().encoder.name == "bert-base-uncased"
    assert load_recipe("demo").encoder.name == "bert-base-uncased"


def test_yaml_is_a_diff_and_takes_dotted_and_nested_keys(tmp_path):
    path = write(
        tmp_path, "# mine\ngenerator:\n  depth: 3 # why\n  ema: 1e-3\ndata.label: 7\ndata:\n"
    )
    found = load_recipe(path)
    assert (found.generator.depth, found.generator.ema, found.data.label) == (3, 1e-3, "7")
    plain = default_recipe()
    assert replace(found, generator=plain.generator, data=plain.data) == plain


def test_apply_leaves_its_argument_alone():
    recipe = Recipe()
    changed = apply(recipe, {"generator.depth": 3, "report.baselines": ["gan_bert"], "seed": "4"})
    assert (changed.generator.depth, changed.report.baselines, changed.seed) == (
        3,
        ("gan_bert",),
        4,
    )
    assert recipe == Recipe()


def test_labels_per_class_and_label_fraction_take_each_others_place():
    share = load_recipe("demo")
    count = apply(share, {"data.labels_per_class": 8})
    assert (count.data.labels_per_class, count.data.label_fraction) == (8, 1.0)
    back = apply(count, {"data.label_fraction": 0.1})
    assert (back.data.labels_per_class, back.data.label_fraction) == (0, 0.1)
    both = apply(share, {"data.labels_per_class": 8, "data.label_fraction": 0.1})
    with pytest.raises(InputError, match=r"data\.label_fraction 0\.1 and data\.labels_per_class 8"):
        check_recipe(both)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("generator:\n  dept: 3\n", r"line 2: unknown key 'generator.dept'; .*generator.depth\?"),
        ("genrator:\n  depth: 3\n", r"line 1: unknown key 'genrator'; .*generator"),
        ("generator:\n  depth: two\n", "line 2: generator.depth: found 'two', .*whole number"),
        ("generator:\n  depth: 2.5\n", "generator.depth: found 2.5, expected a whole number"),
        ("generator:\n  depth: true\n", "generator.depth: found True, expected a whole number"),
        ("generator:\n  depth:\n", "generator.depth: found None, expected a whole number"),
        ("generator:\n  depth: [1, 2]\n", "generator.depth: found"),
        ("discriminator:\n  spectra: x\n", "spectra: found 'x', expected a list of numbers"),
        ("generator: 3\n", "line 1: generator must hold keys"),
        ("generator:\n  depth: 1\n  depth: 2\n", "line 3: generator.depth is given twice"),
        ("objective:\n  name: hing\n", "found 'hing', expected one of .*did you mean hinge"),
        ("report:\n  baselines: gan_bert\n", "report.baselines: found 'gan_bert', .*a list"),
        ("discriminator:\n  linear_skip: maybe\n", "found 'maybe', expected true or false"),
        ("- 1\n", "line 1: the file must hold keys"),
        ("a: [1\n", "line 2: not YAML"),
        ("seed: !!python/name:os.system x\n", "seed: 'x' cannot be read"),
        ("generator: &a\n  depth: *a\n", "generator.depth: found"),
    ],
)
def test_a_wrong_recipe_file_is_named_with_line_key_and_value(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=said) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)


def test_missing_recipes_say_which_exist(tmp_path):
    data = tmp_path / "reviews.csv"
    data.write_text("text,label\n")
    for name, said in (
        ("papre", "did you mean paper"),
        (str(tmp_path), "this is a folder"),
        (str(tmp_path / "no.yaml"), "no such recipe file"),
        (str(data), "data goes behind --data.train"),
    ):
        with pytest.raises(InputError, match=said):
            load_recipe(name)


@pytest.mark.parametrize("key", sorted(RANGES))
def test_values_outside_a_range_are_refused_with_key_value_and_range(key):
    allowed = RANGES[key]
    integer = recipe_fields()[key].hint is int
    below = allowed.low if allowed.low_open else allowed.low - 1
    wrong = [int(below) if integer else below]
    if allowed.high < float("inf"):
        above = allowed.high if allowed.high_open else allowed.high + 1
        wrong.append(int(above) if integer else above)
    if not integer:
        wrong += [float("nan"), float("inf")]
    several = recipe_fields()[key].hint == tuple[float, ...]
    for value in wrong:
        recipe = apply(Recipe(), {key: [value] if several else value})
        found = value_at(recipe, key)[0] if several else value_at(recipe, key)
        with pytest.raises(InputError, match=f"{key}: found {found}, expected"):
            check_recipe(recipe)


def test_depths_of_one_and_sixteen_are_in_range_and_seventeen_is_not():
    for depth in (1, 16):
        check_recipe(apply(Recipe(), {"generator.depth": depth, "discriminator.depth": depth}))
    with pytest.raises(InputError, match=r"generator.depth: found 17, .*\[1, 16\]"):
        check_recipe(apply(Recipe(), {"generator.depth": 17}))


@pytest.mark.parametrize(
    "values",
    [
        {"data.dev": "a.csv", "data.dev_fraction": 0.2},
        {"data.dev_fraction": 0.5, "data.test_fraction": 0.5},
        {"report.baselines": ["gan_bert", "gan_bert"]},
        {"data.train": " "},
        {"encoder.name": ""},
        {"discriminator.spectra": []},
    ],
)
def test_contradictions_and_empty_sources_are_refused(values):
    with pytest.raises(InputError, match=next(iter(values))):
        check_recipe(apply(Recipe(), values))


def test_every_named_choice_is_in_range_for_the_gan_or_for_the_tasks():
    kinds = Recipe(), load_recipe("mtl-baseline")
    for key, field in recipe_fields().items():
        for choice in get_args(field.hint) if get_origin(field.hint) is not tuple else ():
            refused = []
            for kind in kinds:
                try:
                    check_recipe(apply(kind, {key: choice}))
                except InputError as error:
                    refused.append(str(error))
            assert len(refused) < len(kinds), refused
