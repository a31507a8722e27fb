"""Does the default recipe beat what is frozen? Accuracy by data set, label fraction and draw.

Run from the repository, with the data folder beside it::

    python -m benchmarks.label_fractions --out runs/records/label-fractions

Every method sees the same ids and the same embeddings. All cells of a data set are trained as
members of one ensemble; no setting depends on the data set or the fraction.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from acgan_bert.baselines import classifier_baselines
from acgan_bert.member import Member
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from acgan_bert.trainer import TrainingRows, train_members
from analysis.statistics import paired_test
from mtl.bert.embed import cache_root, embed_corpus
from mtl.bert.encoder import load_encoder
from mtl.text.data import Corpus, read_corpus
from mtl.text.splits import draw_labels, set_aside
from mtl.text.tasks import Task

FRACTIONS = (0.005, 0.01, 0.05, 0.1)
RIVALS = ("logistic_regression", "logistic_regression_plain", "self_training")
"""The methods whose best, cell by cell, is to be matched."""
NO_ADVERSARY: dict[str, object] = {
    "objective.adversarial": 0.0,
    "objective.class_generator": 0.0,
    "objective.feature_matching": 0.0,
}
NO_GENERATOR: dict[str, object] = NO_ADVERSARY | {
    "objective.moment_matching": 0.0,
    "objective.class_fake": 0.0,
    "generator.warm_start": False,
}
ABLATIONS: dict[str, dict[str, object]] = {
    "default": {},
    "no adversary": NO_ADVERSARY,
    "no generator": NO_GENERATOR,
    "no pseudo-labels": {"semisupervised.pseudo_labels": 0.0},
    "start": {"training.steps": 1, "training.members": 1},
    "start, no generator": NO_GENERATOR | {"training.steps": 1, "training.members": 1},
}
"""What is left when a part is taken out; a start is what training begins at."""
OBJECTIVES: dict[str, dict[str, object]] = {
    name: {"objective.name": name}
    for name in ("ac-gan", "tac-gan", "adc-gan", "reac-gan", "moment-matching")
} | {
    "hinge, R1": {"objective.r1": 1.0},
    "hinge, spectral norm": {"discriminator.spectral_norm": True},
    "hinge, negative augmentation": {"objective.negative_augmentation": 0.5},
    "hinge, mode seeking": {"objective.mode_seeking": 0.3},
}
VARIANTS = ABLATIONS | OBJECTIVES


def corpora(data: Path) -> Iterator[tuple[str, Corpus, Corpus]]:
    """Yield name, training and test corpus."""
    for name, stem in (("sst-5", "ids-sst"), ("cfimdb", "ids-cfimdb")):
        train = read_corpus(str(data / f"{stem}-train.csv"))
        yield name, train, read_corpus(str(data / f"{stem}-dev.csv"), task=train.task)
    yield "mpqa", *set_aside(mpqa(data / "mpqa.all"), fraction=0.2, seed=0)


def mpqa(path: Path) -> Corpus:
    """Read MPQA opinion polarity: a label, a space, a phrase on each line."""
    rows = [line.split(" ", 1) for line in path.read_text("utf-8").splitlines()]
    task = Task(name="polarity", arity=1, output="classes", classes=("0", "1"))
    labels = np.array([int(label) for label, _ in rows])
    ids = tuple(str(number) for number in range(len(rows)))
    texts = tuple(text for _, text in rows)
    return Corpus(task, str(path), ids, texts, None, labels, None, ())


def visible(labels: np.ndarray, fraction: float, draw: int) -> np.ndarray:
    """Return the labels that a cell may see; -1 elsewhere."""
    drawn = draw_labels(labels, fraction=fraction, seed=draw).labeled
    shown = np.full(len(labels), -1)
    shown[drawn] = labels[drawn]
    return shown


def run_corpus(
    vectors: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    classes: tuple[str, ...],
    variants: dict[str, Recipe],
    draws: int,
    baselines: Sequence[str],
) -> list[dict[str, object]]:
    """Return one record per fraction, draw and method."""
    cells = [(fraction, draw) for fraction in FRACTIONS for draw in range(draws)]
    shown = [visible(labels["train"], *cell) for cell in cells]
    records = []

    def note(cell: tuple[float, int], method: str, probabilities: np.ndarray) -> None:
        accuracy = float((probabilities.argmax(1) == labels["test"]).mean())
        fraction, draw = cell
        records.append({"fraction": fraction, "draw": draw, "method": method, "accuracy": accuracy})

    for method, recipe in variants.items():
        each = recipe.training.members
        members = [
            Member(replace(recipe, seed=draw), row, draw * 1_000_003 + k)
            for (_, draw), row in zip(cells, shown, strict=True)
            for k in range(each)
        ]
        model = train_members(vectors["train"], members, classes=classes)
        judged = model.member_probabilities(vectors["test"])
        for index, cell in enumerate(cells):
            note(cell, method, judged[index * each : (index + 1) * each].mean(0))
    for cell, row in zip(cells, shown, strict=True):
        rows = TrainingRows(vectors["train"], row, classes)
        recipe = replace(next(iter(variants.values())), seed=cell[1])
        if not baselines:
            continue
        for name, parts in classifier_baselines(
            baselines, rows, recipe, {"test": vectors["test"]}
        ).items():
            note(cell, name, parts["test"])
        plain = LogisticRegression(max_iter=1000).fit(vectors["train"][row >= 0], row[row >= 0])
        note(cell, "logistic_regression_plain", plain.predict_proba(vectors["test"]))
    return records


def summarize(table: pd.DataFrame, method: str) -> tuple[pd.DataFrame, dict[str, float]]:
    """Compare a method with the best rival in each cell; paired test over all cells and draws."""
    rows, ours, theirs = [], [], []
    for (corpus, fraction), cell in table.groupby(["corpus", "fraction"], sort=False):
        wide = cell.pivot(index="draw", columns="method", values="accuracy")
        best = max(RIVALS, key=lambda name: wide[name].mean())
        difference = wide[method] - wide[best]
        error = float(difference.std(ddof=1) / np.sqrt(len(difference)))
        rows.append(
            {
                "corpus": corpus,
                "fraction": fraction,
                method: wide[method].mean(),
                "sd": wide[method].std(ddof=1),
                "best rival": best,
                "rival": wide[best].mean(),
                "difference": difference.mean(),
                "standard error": error,
                "holds": bool(difference.mean() >= -error),
            }
        )
        ours.extend(wide[method])
        theirs.extend(wide[best])
    test = paired_test(np.array(ours), np.array(theirs))
    return pd.DataFrame(rows), {
        "mean difference": test.mean_difference,
        "standard error": test.standard_error,
        "p": test.p_value,
    }


def shares(table: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Compare the default with each variant, paired over all cells and draws."""
    wide = table.pivot(index=["corpus", "fraction", "draw"], columns="method", values="accuracy")
    found = {}
    for name in VARIANTS:
        if name != "default" and name in wide:
            test = paired_test(wide["default"].to_numpy(), wide[name].to_numpy())
            found[name] = {
                "default minus it": test.mean_difference,
                "standard error": test.standard_error,
                "p": test.p_value,
            }
    return found


def by_corpus(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float]]]:
    """Compare the default with the best rival of each cell and with each variant, by corpus."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for corpus, part in table.groupby("corpus", sort=False):
        rows = shares(part)
        if set(RIVALS) <= set(part.method):
            rows["best rival"] = summarize(part, "default")[1]
        found[str(corpus)] = rows
    return found


def report(table: pd.DataFrame, out: Path) -> None:
    """Print the means and the comparisons; write ``summary.json``."""
    means = table.groupby(["corpus", "fraction", "method"], sort=False).accuracy.mean().unstack()
    print(means.round(4).to_string())
    summary: dict[str, object] = {"variants": shares(table)}
    if set(RIVALS) <= set(table.method):
        cells, overall = summarize(table, "default")
        print(cells.round(4).to_string(index=False))
        print("default against the best rival of each cell:", overall)
        summary |= {"overall": overall, "cells": cells.to_dict("records")}
    print("default against its variants:", json.dumps(summary["variants"], indent=2))
    summary["by corpus"] = by_corpus(table)
    print("the same by corpus:", json.dumps(summary["by corpus"], indent=2))
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def main() -> None:
    """Run the study and write ``table.csv`` and ``summary.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--only", default="", help="comma-separated corpora")
    parser.add_argument("--set", nargs="*", default=[], help="dotted recipe keys, key=value")
    parser.add_argument("--no_baselines", action="store_true")
    parser.add_argument("--variants", default=";".join(ABLATIONS), help="names, ; between them")
    parser.add_argument("--again", action="store_true", help="summarize the table in --out")
    arguments = parser.parse_args()
    changes = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in arguments.set)}
    if arguments.again:
        report(pd.read_csv(arguments.out / "table.csv"), arguments.out)
        return
    base = apply(Recipe(), changes)
    variants = {name: apply(base, VARIANTS[name]) for name in arguments.variants.split(";")}
    names = () if arguments.no_baselines else base.report.baselines
    encoder = load_encoder("offline")
    records = []
    for name, train, test in corpora(arguments.data):
        if arguments.only and name not in arguments.only.split(","):
            continue
        started = time.monotonic()
        vectors = {
            part: embed_corpus(corpus, encoder, cache=cache_root()).vectors
            for part, corpus in (("train", train), ("test", test))
        }
        labels = {"train": train.labels, "test": test.labels}
        found = run_corpus(vectors, labels, train.task.classes, variants, arguments.draws, names)
        records += [{"corpus": name, **record} for record in found]
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    table = pd.DataFrame(records)
    arguments.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(arguments.out / "table.csv", index=False)
    report(table, arguments.out)


if __name__ == "__main__":
    main()
