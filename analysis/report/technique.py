"""How multitask runs were trained: what one does other than plainly, in what several differ."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from analysis.report.tables import Table, flat, plain_text
from analysis.runs import Run
from analysis.words import UNKNOWN, shortened

# Plain fine-tuning as recipes write it; a run's technique is where it has another value.
PLAIN: Mapping[str, Mapping[str, object]] = {
    "encoder": {
        "pooling": "mean",
        "mode": "finetune",
        "last_layers": 1,
        "lora_rank": 256,
        "lora_alpha": 32,
        "lora_modules": [],
    },
    "sharing": {
        "adapter": "none",
        "pal_size": 0,
        "shared_depth": 0,
        "shared_width": 0,
        "activation": "relu",
    },
    "multitask": {
        "epochs": 1,
        "updates_per_epoch": 0,
        "batch_size": 16,
        "accumulation": 1,
        "order": "interleaved",
        "pairs": [],
        "surgery": "sum",
        "encoder_learning_rate": 5e-5,
        "head_learning_rate": 1e-3,
        "weight_decay": 0.01,
        "course": "linear",
        "warmup_share": 0.1,
        "clip": 0.0,
        "eval_every_updates": 0,
        "checkpoint_every_updates": 0,
        "precision": "auto",
    },
    "smart": {
        "weight": 0.0,
        "epsilon": 1e-5,
        "step_size": 1e-3,
        "steps": 1,
        "proximal": 0.0,
        "momentum": 0.999,
        "early_momentum": 0.99,
        "tasks": [],
    },
    "contrastive": {
        "kind": "none",
        "updates": 100,
        "batch_size": 64,
        "temperature": 0.05,
        "learning_rate": 3e-5,
    },
    "joint": {"weight": 1.0, "encoder_ema": 0.0},
}
PLAIN_TASK: Mapping[str, object] = {
    "head": "mlp",
    "pair": "concat",
    "depth": 0,
    "width": 256,
    "activation": "relu",
    "dropout": 0.3,
    "hidden_dropout": -1.0,
    "loss": "auto",
    "weight": 1.0,
    "balanced": False,
    "penalty": "none",
    "penalty_weight": 0.05,
    "extra": "none",
    "extra_weight": 1.0,
}
SECTIONS = ("encoder", "tasks", "sharing", "multitask", "smart", "contrastive")
GAME = ("generator", "discriminator", "objective", "semisupervised", "training", "joint")
"""Sections that count where there is a GAN beside the tasks."""
# What was learned from, not how: shown only where two runs would look the same without it.
SOURCES = ("seed", "train", "dev", "test", "text", "text_pair", "label")


def technique(run: Run) -> list[tuple[str, str]]:
    """Return the recipe's keys that are not as in plain fine-tuning, with their values."""
    plain = flat({**PLAIN, "gan": False, "tasks": dict.fromkeys(run.tasks, PLAIN_TASK)})
    return [
        (key, plain_text(value))
        for key, value in flat(run.recipe).items()
        if key in plain and value != plain[key]
    ]


def recipe_differences(runs: Sequence[Run], names: Sequence[str]) -> Table | None:
    """Return the keys in which the recipes of multitask runs differ, a column a run.

    Seed and data are among them only if two runs are alike in everything else.
    """
    recipes = [_keys(run) for run in runs]
    differing = [
        key
        for key in dict.fromkeys(key for recipe in recipes for key in recipe)
        if _differ([recipe[key] for recipe in recipes if key in recipe])
    ]
    ways = [key for key in differing if key.rpartition(".")[2] not in SOURCES]
    columns = [[recipe.get(key) for key in ways] for recipe in recipes]
    alike = any(one == other for one, other in combinations(columns, 2))
    rows = [
        (key, *(_cell(recipe, key) for recipe in recipes)) for key in (differing if alike else ways)
    ]
    return Table(("Key", *names), rows, [False] * len(rows)) if rows else None


def _keys(run: Run) -> dict[str, Any]:
    """Return the dotted keys that count in a multitask run, of its own tasks alone."""
    sections = ("seed", "gan", *SECTIONS, *(GAME if run.recipe.get("gan") else ()))
    recipe = {key: run.recipe[key] for key in sections if key in run.recipe}
    tasks = recipe.get("tasks") or {}
    return flat(recipe | {"tasks": {name: tasks[name] for name in run.tasks if name in tasks}})


def _differ(values: Sequence[object]) -> bool:
    """Tell whether values, which may be lists, are not all the same."""
    return any(value != values[0] for value in values)


def _cell(recipe: Mapping[str, object], key: str) -> str:
    """Return the value of a key on one line, a dash where the run has no such key."""
    return shortened(plain_text(recipe[key]), 60) if key in recipe else UNKNOWN
