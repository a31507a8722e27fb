"""A multitask run directory made by hand, from the format and not from the code that writes runs.

Its numbers are made up, but in shape and size those of three tasks trained together.
"""

import itertools
import json

import numpy as np

SENTIMENT = ("terrible", "bad", "mixed", "good", "great")
CLASSES = {
    "sentiment": SENTIMENT,
    "paraphrase": ("different", "paraphrase"),
    "similarity": tuple("012345"),
}
ROWS = {
    "sentiment": (120, 260, 210, 310, 180),
    "paraphrase": (1260, 760),
    "similarity": (90, 130, 210, 240, 220, 110),
}
GROUPS = ("all", "embeddings", *(f"layer {index}" for index in range(5)), "rest")


def _confusion(rows, rng):
    """Draw answers that are right more often than not, and near where they are wrong."""
    places = np.arange(len(rows))
    weights = np.exp(-1.1 * np.abs(places[:, None] - places))
    shares = weights / weights.sum(axis=1, keepdims=True)
    return [
        rng.multinomial(count, share).tolist() for count, share in zip(rows, shares, strict=True)
    ]


def _scores(rng, scale=1):
    found = {}
    for task, rows in ROWS.items():
        counts = np.array(_confusion([scale * count for count in rows], rng))
        accuracy = float(np.trace(counts) / counts.sum())
        found[task] = {
            "accuracy": accuracy,
            "macro_f1": accuracy - 0.02,
            "balanced_accuracy": accuracy - 0.01,
            "class_accuracy": (np.diag(counts) / counts.sum(axis=1)).tolist(),
            "confusion": counts.tolist(),
            "rows": int(counts.sum()),
        }
    found["similarity"] |= {"pearson": 0.86, "spearman": 0.84, "mean_squared_error": 0.41}
    own = [found["sentiment"]["accuracy"], found["paraphrase"]["accuracy"], 0.86]
    return found | {"overall": {"mean": sum(own) / 3, "normalized": (sum(own[:2]) + 0.93) / 3}}


def metrics(evaluations, rng):
    """Make records of losses that fall and scores that rise, with some noise."""
    records = []
    for index in range(evaluations):
        done = (index + 1) / evaluations
        noise = rng.normal(0.0, 0.012, 3)
        own = np.array([0.25, 0.62, 0.1]) + np.array([0.27, 0.2, 0.76]) * done**0.5 + noise
        records.append(
            {
                "step": 250 * (index + 1),
                "seconds": 12.5 * (index + 1),
                "sentiment_loss": 1.6 - 0.8 * done**0.5,
                "paraphrase_loss": 0.69 - 0.35 * done**0.5,
                "similarity_loss": 2.2 - 1.8 * done**0.5,
                "norm": 1.0,
                "dev_sentiment_accuracy": own[0],
                "dev_sentiment_macro_f1": own[0] - 0.02,
                "dev_paraphrase_accuracy": own[1],
                "dev_paraphrase_macro_f1": own[1] - 0.02,
                "dev_similarity_pearson": own[2],
                "dev_similarity_spearman": own[2] - 0.01,
                "dev_similarity_accuracy": own[2] / 2,
                "dev_mean": own.mean(),
                "dev_normalized": own.mean() + 0.02,
            }
        )
    return records


def conflicts(evaluations, rng, groups=GROUPS):
    """Make a line an evaluation, pair and group: less conflict in front, more with time."""
    lines = []
    for index, (place, group) in itertools.product(range(evaluations), enumerate(groups)):
        for number, (a, b) in enumerate(itertools.combinations(CLASSES, 2)):
            cosine = 0.3 - 0.12 * number - 0.025 * place - 0.2 * index / evaluations
            cosine += rng.normal(0.0, 0.03)
            lines.append(
                {
                    "step": 250 * (index + 1),
                    "task_a": a,
                    "task_b": b,
                    "group": group,
                    "steps": 250,
                    "conflict_share": float(np.clip(0.5 - 1.5 * cosine, 0.0, 1.0)),
                    "mean_cosine": cosine,
                    "min_cosine": cosine - 0.3,
                }
            )
    return lines


def result_of(rng):
    """Make what ``result.json`` holds."""
    return {
        "name": "three tasks",
        "tasks": {
            name: {
                "name": name,
                "arity": 1 if name == "sentiment" else 2,
                "output": "score" if name == "similarity" else "classes",
                "classes": list(classes),
            }
            for name, classes in CLASSES.items()
        },
        "dev": _scores(rng),
        "test": _scores(rng, scale=2),
        "parameters": {
            "total": 112000000,
            "trained": 111500000,
            "shared": 109500000,
            "own": 2500000,
        },
        "best_update": 2500,
        "labels": {
            "sentiment": {"labeled": 8544, "unlabeled": 0},
            "paraphrase": {"labeled": 141498, "unlabeled": 0},
            "similarity": {"labeled": 6040, "unlabeled": 10},
        },
        "seconds": {"read": 1.5, "train": 150.25},
        "notes": ["similarity: 10 rows have no label"],
    }


def recipe_of(**changes):
    """Make a recipe of this run; ``changes`` are merged into its sections."""
    recipe = {
        "seed": 0,
        "gan": False,
        "encoder": {"name": "bert-base-uncased", "mode": "finetune"},
        "tasks": {
            name: {
                "train": f"{name}.csv",
                "head": "cosine-affine" if name == "similarity" else "mlp",
                "pair": "concat",
                "extra": "none",
            }
            for name in CLASSES
        },
        "sharing": {"adapter": "pals", "pal_size": 0, "shared_depth": 0},
        "multitask": {"order": "interleaved", "pairs": [], "surgery": "pcgrad"},
        "smart": {"weight": 5.0, "epsilon": 1e-5, "steps": 1, "proximal": 0.0},
        "contrastive": {"kind": "none", "updates": 100},
    }
    return {
        key: value | changes.get(key, {}) if isinstance(value, dict) else value
        for key, value in recipe.items()
    }


def write_multitask_run(root, *, evaluations=12, changes=None, recipe=None):
    """Write a run without figures, and return its directory.

    Args:
        root: Where to.
        evaluations: How many there were.
        changes: Keys of ``result.json`` that are other than here.
        recipe: Sections of the recipe that are other than here.
    """
    rng = np.random.default_rng(0)
    root.mkdir(parents=True)
    for name, lines in (
        ("metrics.jsonl", metrics(evaluations, rng)),
        ("conflicts.jsonl", conflicts(evaluations, rng)),
    ):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (root / name).write_text(text, encoding="utf-8")
    for name, content in (
        ("result.json", result_of(rng) | (changes or {})),
        ("recipe.yaml", recipe_of(**(recipe or {}))),
        ("env.json", {"python": "3.11", "command": "acgan-bert train three.yaml"}),
    ):
        (root / name).write_text(json.dumps(content), encoding="utf-8")
    return root
