"""Does the recipe few-labels beat SetFit, and what does each stage bring? Accuracy, wall seconds.

Run from the repository, with the data folder beside it and the extras ``offline`` and ``setfit``::

    python -m benchmarks.few_labels --out runs/records/few-labels

Every method sees the same labelled ids and begins with the same encoder; no setting depends on the
data set or the number of labels. Seconds are those of one process from the loaded encoder to the
probabilities of the test rows: on the clock, and of the processor (all threads), which compare also
where other programs ran beside, as long as methods had as many threads. What ``table.csv`` has is
not repeated; ``--worker 1/2`` and ``2/2`` share the rest. Settings are chosen with ``--tuning``:
draws from 100 on, scored on rows set aside of the training parts. The corpora of
:mod:`benchmarks.derived_corpora` are compared apart; no setting was chosen on them.
"""

import argparse
import json
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from acgan_bert.adapted import adapted_encoder, guess_classes
from acgan_bert.encoding import embed_rows
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.setfit_peer import setfit_probabilities
from acgan_bert.trainer import TrainingRows, train_gan
from analysis.statistics import paired_test
from benchmarks.derived_corpora import question_kinds, two_classes
from benchmarks.label_fractions import corpora
from mtl.bert.encoder import TextEncoder, load_encoder
from mtl.text.data import Corpus
from mtl.text.splits import draw_labels, set_aside

FIRST_TUNING_DRAW = 100
CELLS = ("8", "16", "1 %", "5 %")
FIELDS = (
    "corpus",
    "cell",
    "draw",
    "labels",
    "method",
    "accuracy",
    "wall_seconds",
    "processor_seconds",
)
OURS, PEER = "few-labels", "setfit"
DERIVED = ("sst-2", "question kinds")
"""Corpora that are compared apart from the others."""
METHODS = (OURS, "with rounds", "no adaptation", PEER)
"""What is trained; ``few-labels, no GAN`` and its like come along: the classifier of the rounds on
the same vectors."""


@dataclass
class Clock:
    """Wall and processor seconds of the parts of a program that were run within it."""

    seconds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def __enter__(self) -> "Clock":
        self._started = np.array([time.monotonic(), time.process_time()])
        return self

    def __exit__(self, *_: object) -> None:
        now = np.array([time.monotonic(), time.process_time()])
        self.seconds = self.seconds + now - self._started


def parts(data: Path, *, tuning: bool) -> Iterator[tuple[str, Corpus, Corpus]]:
    """Yield name, training and scored rows; in tuning both are of the training part."""
    for name, train, test in corpora(data):
        yield name, *(set_aside(train, fraction=0.3, seed=77) if tuning else (train, test))
        if name == "sst-5" and not tuning:
            yield DERIVED[0], two_classes(train), two_classes(test)
    if not tuning:
        kinds = question_kinds(data / "quora-train.csv")
        yield DERIVED[1], *set_aside(kinds, fraction=0.2, seed=0)


def visible(corpus: Corpus, cell: str, draw: int) -> Corpus:
    """Hide the labels that a cell may not see."""
    share = cell.removesuffix(" %")
    wanted = {"fraction": float(share) / 100} if share != cell else {"per_class": int(cell)}
    drawn = draw_labels(corpus.labels, seed=draw, **wanted).labeled
    shown = np.full(len(corpus), -1)
    shown[drawn] = corpus.labels[drawn]
    return replace(corpus, labels=shown)


def variant(recipe: Recipe, method: str) -> Recipe:
    """Put a stage into the recipe, or take one out."""
    changes = {"with rounds": {"adaptation.rounds": 2}, "no adaptation": {"adaptation.updates": 0}}
    return apply(recipe, changes.get(method, {}))


def ours(
    rows: Corpus, test: Corpus, encoder: TextEncoder, recipe: Recipe
) -> Iterator[tuple[str, NDArray[np.floating], Clock]]:
    """Yield probabilities and time: the classifier of the rounds, then the GAN on its vectors."""
    with Clock() as vectors_clock:
        moved = deepcopy(encoder)
        if recipe.adaptation.updates:
            moved = adapted_encoder(recipe, rows, encoder)
        vectors, asked = (
            np.asarray(embed_rows(part, moved, recipe.encoder, cached=False).vectors)
            for part in (rows, test)
        )
    with Clock(vectors_clock.seconds) as clock:
        both, hidden = np.concatenate([vectors, asked]), np.full(len(asked), -1)
        guessed = guess_classes(both, np.concatenate([rows.labels, hidden]))[len(vectors) :]
    yield ", no GAN", guessed, clock
    with Clock(vectors_clock.seconds) as clock:
        model = train_gan(TrainingRows(vectors, rows.labels, rows.task.classes), recipe)
        probabilities = model.predict_proba(asked)
    yield "", probabilities, clock


def run_cell(
    rows: Corpus, test: Corpus, encoder: TextEncoder, recipe: Recipe, method: str
) -> Iterator[dict[str, object]]:
    """Yield a record for the method, and for what comes along with it."""
    if method == PEER:
        with Clock() as clock:
            labeled = rows.select(np.flatnonzero(rows.labels >= 0))
            probabilities = setfit_probabilities(labeled, test, encoder, recipe)
        found = iter([("", probabilities, clock)])
    else:
        found = ours(rows, test, encoder, variant(recipe, method))
    for suffix, probabilities, clock in found:
        yield {
            "labels": int((rows.labels >= 0).sum()),
            "method": method + suffix,
            "accuracy": float((probabilities.argmax(1) == test.labels).mean()),
            "wall_seconds": round(float(clock.seconds[0]), 2),
            "processor_seconds": round(float(clock.seconds[1]), 2),
        }


def compare(table: pd.DataFrame, other: str) -> tuple[pd.DataFrame, dict[str, float]]:
    """Compare few-labels with another method, by cell and paired over all cells and draws."""
    keys = ["corpus", "cell", "draw"]
    wide = table.pivot(index=keys, columns="method", values=["accuracy", "processor_seconds"])
    wide = wide.loc[:, (slice(None), [OURS, other])].dropna()
    accuracy, seconds = wide["accuracy"], wide["processor_seconds"]
    difference = accuracy[OURS] - accuracy[other]
    groups = difference.groupby(level=["corpus", "cell"], sort=False)
    cells = pd.DataFrame(
        {
            OURS: accuracy[OURS].groupby(level=["corpus", "cell"], sort=False).mean(),
            other: accuracy[other].groupby(level=["corpus", "cell"], sort=False).mean(),
            "difference": groups.mean(),
            "standard error": groups.std(ddof=1) / np.sqrt(groups.count()),
            "draws": groups.count(),
            f"{OURS} s": seconds[OURS].groupby(level=["corpus", "cell"], sort=False).mean(),
            f"{other} s": seconds[other].groupby(level=["corpus", "cell"], sort=False).mean(),
        }
    ).reset_index()
    cells["holds"] = cells["difference"] >= -cells["standard error"].fillna(0.0)
    if len(difference) < 2:
        return cells, {}
    test = paired_test(accuracy[OURS].to_numpy(), accuracy[other].to_numpy())
    return cells, {
        "mean difference": test.mean_difference,
        "standard error": test.standard_error,
        "p": test.p_value,
        "pairs": float(len(difference)),
        f"{OURS} s": float(seconds[OURS].sum()),
        f"{other} s": float(seconds[other].sum()),
    }


def report(out: Path) -> None:
    """Print the means and the comparisons; write ``summary.json``."""
    table = pd.read_csv(out / "table.csv")
    means = table.groupby(["corpus", "cell", "method"], sort=False).accuracy.mean().unstack()
    print(means.round(4).to_string())
    summary: dict[str, object] = {}
    apart = table.corpus.isin(DERIVED)
    for kind, rows in (("", table[~apart]), (", derived corpora", table[apart])):
        for other in rows.method.unique():
            if other == OURS or OURS not in set(rows.method):
                continue
            cells, overall = compare(rows, other)
            records = json.loads(cells.to_json(orient="records"))
            summary[other + kind] = {"overall": overall, "cells": records}
            print(f"\n{OURS} against {other}{kind}: {json.dumps(overall)}")
            print(cells.round(4).to_string(index=False))
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--only", default="", help="comma-separated corpora")
    parser.add_argument("--cells", default=",".join(CELLS), help="comma-separated cells")
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated methods")
    parser.add_argument("--tuning", action="store_true", help="leave the test rows alone")
    parser.add_argument("--set", nargs="*", default=[], help="dotted recipe keys, key=value")
    parser.add_argument("--worker", default="1/1", help="2/3: the second of three side by side")
    parser.add_argument("--again", action="store_true", help="summarize the table in --out")
    return parser.parse_args()


def each(arguments: argparse.Namespace) -> Iterator[tuple[str, Corpus, Corpus, str, int, str]]:
    """Yield what this worker is to do: corpus and its parts, cell, draw, method."""
    worker, workers = map(int, arguments.worker.split("/"))
    first = FIRST_TUNING_DRAW if arguments.tuning else 0
    jobs = (
        (name, train, test, cell, draw, method)
        for name, train, test in parts(arguments.data, tuning=arguments.tuning)
        if not arguments.only or name in arguments.only.split(",")
        for draw in range(first, first + arguments.draws)
        for cell in arguments.cells.split(",")
        for method in arguments.methods.split(",")
    )
    for number, job in enumerate(jobs):
        if number % workers == worker - 1:
            yield job


def main() -> None:
    """Run what is not in ``table.csv`` and add it there, a line at once; then report."""
    arguments = parsed()
    stored = arguments.out / "table.csv"
    if not arguments.again:
        changes = {k: json.loads(v) for k, v in (pair.split("=", 1) for pair in arguments.set)}
        recipe, encoder = apply(load_recipe("few-labels"), changes), load_encoder("offline")
        arguments.out.mkdir(parents=True, exist_ok=True)
        if not stored.is_file():
            stored.write_text(",".join(FIELDS) + "\n", encoding="utf-8")
        print(f"{torch.get_num_threads()} threads", flush=True)
        for name, train, test, cell, draw, method in each(arguments):
            key = {"corpus": name, "cell": cell, "draw": draw}
            done = pd.read_csv(stored, dtype={"cell": str})
            if (done[[*key, "method"]] == [*key.values(), method]).all(axis=1).any():
                continue
            rows = visible(train, cell, draw)
            found = run_cell(rows, test, encoder, replace(recipe, seed=draw), method)
            lines = pd.DataFrame([key | record for record in found])[list(FIELDS)]
            with stored.open("a", encoding="utf-8") as stream:  # whole lines, for all workers
                stream.write(lines.to_csv(index=False, header=False))
            print(lines.to_csv(index=False, header=False), end="", flush=True)
    report(arguments.out)


if __name__ == "__main__":
    main()
