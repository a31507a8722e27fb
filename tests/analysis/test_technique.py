"""How runs were trained: what is not plain in one, and in what several differ."""

import pytest
import yaml

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_data import DataRecipe
from acgan_bert.recipe_io import dump_recipe, load_recipe
from analysis import Run
from analysis.report.technique import PLAIN, PLAIN_TASK, recipe_differences, technique
from analysis.words import UNKNOWN
from tests.analysis.multitask_run import CLASSES, write_multitask_run
from tests.analysis.pages import Page, report_of


def as_written(recipe):
    return yaml.safe_load(dump_recipe(recipe))


def run_of(recipe, tasks=tuple(CLASSES)):
    return Run("", {"tasks": {task: {} for task in tasks}}, [], recipe, "", {})


def shipped(name, **changes):
    recipe = as_written(load_recipe(name))
    trained = [task for task, keys in recipe["tasks"].items() if keys["train"]]
    return run_of(recipe | changes, trained)


def differing(*runs):
    """Return the cells of each differing key."""
    table = recipe_differences(runs, [str(number) for number in range(len(runs))])
    return {key: cells for key, *cells in table.rows} if table else {}


def test_plain_is_a_recipe_with_nothing_asked_for_but_to_be_trained():
    recipe = as_written(Recipe())
    encoder = {key: recipe["encoder"][key] for key in PLAIN["encoder"]}
    found = {key: recipe[key] for key in PLAIN if key != "encoder"}
    assert found | {"encoder": encoder | {"mode": "finetune"}} == PLAIN
    task, data = recipe["tasks"]["sentiment"], DataRecipe.__dataclass_fields__
    assert {key: value for key, value in task.items() if key not in data} == PLAIN_TASK
    recipe["encoder"]["mode"], recipe["gan"] = "finetune", False
    assert technique(run_of(recipe)) == []


def test_technique_is_what_is_not_plain():
    recipe = {
        "seed": 3,
        "encoder": {"name": "bert", "mode": "lora", "lora_modules": ["query", "value"]},
        "tasks": {
            "sentiment": {"train": "a.csv", "dropout": 0.5, "hidden_dropout": 0.1},
            "other": {"dropout": 0.5},
        },
        "multitask": {"clip": 1, "weight_decay": 0, "batch_size": 16},
        "smart": {"weight": 5.0, "tasks": ["similarity"]},
    }
    assert technique(run_of(recipe)) == [
        ("encoder.mode", "lora"),
        ("encoder.lora_modules", '["query", "value"]'),
        ("tasks.sentiment.dropout", "0.5"),
        ("tasks.sentiment.hidden_dropout", "0.1"),
        ("multitask.clip", "1"),
        ("multitask.weight_decay", "0"),
        ("smart.weight", "5.0"),
        ("smart.tasks", '["similarity"]'),
    ]


@pytest.mark.parametrize(
    ("one", "other", "keys"),
    [
        ("interleaved", "clip", {"multitask.clip": ["0.0", "1.0"]}),
        ("joint", "joint-pcgrad", {"multitask.surgery": ["sum", "pcgrad"]}),
        ("joint-pcgrad", "joint-dropout", {"tasks.similarity.dropout": ["0.3", "0.5"]}),
        ("joint-pcgrad", "joint-l2", {"multitask.weight_decay": ["0.0", "0.05"]}),
        ("joint-tuned", "joint-leaky", {"tasks.similarity.activation": ["relu", "leaky-relu"]}),
        (
            "joint-final",
            "joint-tuned",
            {
                "multitask.encoder_learning_rate": ["1e-05", "5e-05"],
                "multitask.head_learning_rate": ["1e-05", "5e-05"],
            },
        ),
        ("clip", "clip", {}),
        ("clip", "single-sentiment", {}),
    ],
)
def test_shipped_recipes_are_told_apart_by_what_they_change(one, other, keys):
    """Regression: these stood side by side as if trained in one way."""
    assert differing(shipped(f"mtl-{one}"), shipped(f"mtl-{other}")) == keys


def test_seed_and_data_count_only_where_nothing_else_does():
    first, again = shipped("mtl-clip"), shipped("mtl-clip", seed=1)
    other = shipped("mtl-interleaved", seed=2)
    assert differing(first, again) == {"seed": ["0", "1"]}
    assert differing(first, other) == {"multitask.clip": ["1.0", "0.0"]}
    assert differing(first, again, other) == {
        "seed": ["0", "1", "2"],
        "multitask.clip": ["1.0", "1.0", "0.0"],
    }
    moved = {"tasks": first.recipe["tasks"] | {"sentiment": {"train": "elsewhere.csv"}}}
    assert differing(first, shipped("mtl-clip", **moved)) == {
        "tasks.sentiment.train": ["demo:sentiment", "elsewhere.csv"]
    }


def test_a_task_that_a_run_lacks_has_no_keys_in_it():
    runs = [shipped(f"mtl-{name}") for name in ("cross", "baseline", "single-sentiment")]
    assert differing(*runs)["tasks.paraphrase.pair"] == ["cross", "concat", UNKNOWN]


def test_the_page_has_what_is_not_plain_and_in_what_runs_differ(tmp_path):
    one = write_multitask_run(tmp_path / "one")
    more = {"multitask": {"surgery": "sum"}, "smart": {"weight": 0.0}}
    other = write_multitask_run(tmp_path / "other", changes={"name": "another"}, recipe=more)
    page = Page(report_of(one))
    assert "Other than in plain fine-tuning tasks.similarity.head cosine-affine" in page.text
    assert "sharing.adapter pals" in page.text
    assert "in which these runs differ" not in page.text
    page = Page(report_of(one, other))
    table = "Key three tasks another multitask.surgery pcgrad sum smart.weight 5.0 0.0 three tasks"
    assert f"in which these runs differ. {table}" in page.text
    plain = {"tasks": {}, "sharing": {"adapter": "none"}} | more
    root = write_multitask_run(tmp_path / "plain", recipe=plain)
    (root / "recipe.yaml").write_text("{}")
    page = Page(report_of(root))
    assert "Plain fine-tuning: all tasks in every update" in page.text
    assert "Other than in plain" not in page.text
