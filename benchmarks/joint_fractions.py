"""What does the GAN beside a trained encoder bring with few labels? SST-5, with Quora and STS.

Run from the repository, with the data folder beside it::

    python -m benchmarks.joint_fractions --runs ../joint-runs --out runs/records/joint

A row is a system at a label fraction and a seed: the same labelled ids, as many optimizer steps,
accuracy on SST-5's dev file, which nothing is chosen by. ``table.csv`` grows run by run; what it
has is not repeated. ``--worker 1/2`` is the first of two, ``--again`` prints the table.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.run import train
from acgan_bert.rundir import ENVIRONMENT, RESULT, read_json
from analysis.statistics import paired_test
from analysis.study_statistics import seed_summary
from mtl.files import write_text

STEMS = {"sentiment": "ids-sst", "paraphrase": "quora", "similarity": "sts"}
CELLS = {0.01: 3, 0.05: 1, 0.1: 3, 1.0: 1}
"""Label fractions of SST-5, and how many seeds each."""
UNLABELED = (0.0, 0.1, 0.3, 1.0)
"""Shares of the unlabelled rows that are used, at 1 % of the labels."""
FIELDS = ["system", "fraction", "unlabeled", "seed", "steps"]
FIELDS += ["accuracy", "macro_f1", "seconds", "commit"]
SUPERVISED, THEIRS = "supervised", "GAN-BERT as published"


@dataclass(frozen=True, kw_only=True, slots=True)
class System:
    """A recipe, and what of it is changed.

    Args:
        recipe: Its name.
        keys: Changes.
        tasks: Tasks that are trained along; of none, the run is of SST-5 alone.
    """

    recipe: str
    keys: dict[str, object]
    tasks: tuple[str, ...] = ()


_ENCODER: dict[str, object] = {"multitask.encoder_learning_rate": 1e-4, "multitask.clip": 1.0}
_TUNED: dict[str, object] = _ENCODER | {
    "encoder.name": "offline",
    "encoder.pooling": "mean",
    "encoder.mode": "finetune",
    "encoder.pair": "cross",
}
_ALL = ("paraphrase", "similarity")
_SUM: dict[str, object] = {"multitask.surgery": "sum"}
_ALONE: dict[str, object] = {"gan": False}
SYSTEMS = {
    SUPERVISED: System(recipe="mtl-best", keys=_ENCODER | _ALONE, tasks=("sentiment",)),
    THEIRS: System(recipe="gan-bert", keys=_TUNED),
    "the paper's GAN": System(recipe="paper", keys=_TUNED),
    "AC-GAN-BERT": System(recipe="finetune", keys=_ENCODER),
    "joint": System(recipe="joint", keys=_ENCODER, tasks=("sentiment", *_ALL)),
    "joint, PCGrad pairing": System(
        recipe="joint-pairing", keys=_ENCODER, tasks=("sentiment", *_ALL)
    ),
}
_SHARED: dict[str, object] = {"sharing.shared_depth": 1}
_PAPER = System(recipe="joint-pairing", keys=_ENCODER | _SHARED, tasks=("sentiment", *_ALL))
ABLATION = {
    "all": _PAPER,
    "no PCGrad": System(recipe=_PAPER.recipe, keys=_PAPER.keys | _SUM, tasks=_PAPER.tasks),
    "no layer sharing": System(
        recipe=_PAPER.recipe, keys=_PAPER.keys | {"sharing.shared_depth": 0}, tasks=_PAPER.tasks
    ),
    "no loss pairing": System(
        recipe=_PAPER.recipe,
        keys=_PAPER.keys | {"multitask.order": "interleaved", "multitask.pairs": ()},
        tasks=_PAPER.tasks,
    ),
    "no GAN": System(recipe="mtl-best", keys=_ENCODER | _SHARED | {
        "multitask.order": "pairs",
        "multitask.pairs": ("sentiment+paraphrase", "similarity+paraphrase"),
        "multitask.surgery": "pcgrad",
    }, tasks=_PAPER.tasks),
}  # fmt: skip
"""The paper's parts, each removed, at 10 % of the labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One run."""

    system: str
    fraction: float
    unlabeled: float = 1.0
    seed: int = 0


def cells(ablation_seeds: int) -> Iterator[Cell]:
    """Yield the runs, the first seed of every table before the second of any."""
    for seed in range(max(CELLS.values())):
        for fraction, seeds in CELLS.items():
            if seed < seeds:
                yield from (Cell(system=n, fraction=fraction, seed=seed) for n in SYSTEMS)
        for share in UNLABELED[:-1]:  # the last is in the table
            yield Cell(system="AC-GAN-BERT", fraction=0.01, unlabeled=share, seed=seed)
        if seed < ablation_seeds:
            yield from (Cell(system=name, fraction=0.1, seed=seed) for name in ABLATION)


def recipe_of(cell: Cell, *, data: Path, steps: int, batch: int) -> Recipe:
    """Put a run together: text, labels, and as many steps as any other."""
    system = (SYSTEMS | ABLATION)[cell.system]
    drawn = {
        "label_fraction": cell.fraction,
        "unlabeled_fraction": cell.unlabeled,
        "test": str(data / f"{STEMS['sentiment']}-dev.csv"),
        "train": str(data / f"{STEMS['sentiment']}-train.csv"),
    }
    keys = dict(system.keys) | {"seed": cell.seed, "report.figures": False}
    if system.tasks:
        for task, stem in STEMS.items():
            keys[f"tasks.{task}.train"] = str(data / f"{stem}-train.csv") * (task in system.tasks)
        keys |= {f"tasks.sentiment.{key}": value for key, value in drawn.items()}
        keys |= {
            "multitask.epochs": 1,
            "multitask.updates_per_epoch": steps,
            "multitask.batch_size": batch,
        }
    else:
        keys |= {f"data.{key}": value for key, value in drawn.items()}
        keys |= {"training.steps": steps, "training.eval_every_steps": steps}
        # As many labelled rows as any other, and the recipe's share of unlabelled ones beside them.
        share = load_recipe(system.recipe).semisupervised.labeled_share
        share = 1.0 if cell.fraction == 1.0 else share
        keys |= {"training.batch_size": round(batch / share), "report.baselines": ()}
    return apply(load_recipe(system.recipe), keys)


def record_of(run: Path) -> dict[str, object]:
    """Return what the table says of a run."""
    result = read_json(run / RESULT)
    test = result["test"].get("sentiment", result["test"])
    seconds = sum(result["seconds"].values())
    scores = {key: test[key] for key in ("accuracy", "macro_f1")}
    commit = (read_json(run / ENVIRONMENT)["commit"] or "")[:7]
    return scores | {"seconds": round(seconds, 1), "commit": commit}


def shown(values: pd.Series) -> str:
    """Write a mean, with its 95 % interval where there are several."""
    if not len(values):
        return "-"
    interval = seed_summary(values.to_numpy()).interval
    if interval is None:
        return f"{values.mean():.3f}"
    return f"{values.mean():.3f} ({interval.low:.3f} to {interval.high:.3f})"


def markdown(table: pd.DataFrame) -> str:
    """Write systems by label fraction, the ablation, and the amounts of unlabelled rows."""
    whole = table[table.unlabeled == 1]
    lines = ["| system | " + " | ".join(f"{100 * f:g} %" for f in CELLS) + " |"]
    lines.append("|---" * (len(CELLS) + 1) + "|")
    for name in SYSTEMS:
        own = whole[whole.system == name]
        each = [shown(own[own.fraction == fraction].accuracy) for fraction in CELLS]
        lines.append(f"| {name} | " + " | ".join(each) + " |")
    lines += ["", "| at 10 % of the labels | accuracy |", "|---|---|"]
    lines += [f"| {n} | {shown(whole[whole.system == n].accuracy)} |" for n in ABLATION]
    lines += ["", "| unlabelled rows used, at 1 % of the labels | accuracy |", "|---|---|"]
    few = table[(table.system == "AC-GAN-BERT") & (table.fraction == 0.01)]
    lines += [f"| {s:.0%} | {shown(few[few.unlabeled == s].accuracy)} |" for s in UNLABELED]
    return "\n".join(lines)


def compared(table: pd.DataFrame) -> str:
    """Compare systems with the supervised one and the published GAN, over all common runs."""
    wide = table[table.unlabeled == 1].pivot_table(
        index=["fraction", "seed"], columns="system", values="accuracy"
    )
    lines = []
    for name in SYSTEMS:
        for rival in (SUPERVISED, THEIRS):
            if name == rival or not {name, rival} <= set(wide):
                continue
            both = wide[[name, rival]].dropna()
            if len(both) < 3:
                continue
            test = paired_test(both[name].to_numpy(), both[rival].to_numpy())
            lines.append(
                f"{name} less {rival}: {test.mean_difference:+.4f} ± {test.standard_error:.4f}, "
                f"p = {test.p_value:.3f}, {test.pairs} pairs"
            )
    return "\n".join(lines)


def draw(table: pd.DataFrame, file: Path) -> None:
    """Draw accuracy by label fraction, a dot a run."""
    figure = Figure(figsize=(7, 4))
    axes = figure.subplots()
    for name in SYSTEMS:
        own = table[(table.system == name) & (table.unlabeled == 1)]
        means = own.groupby("fraction").accuracy.mean()
        (line,) = axes.plot(means.index, means, label=name)
        axes.scatter(own.fraction, own.accuracy, s=8, color=line.get_color())
    axes.set(xscale="log", xlabel="share of SST-5's labels", ylabel="accuracy on its dev file")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=100, bbox_inches="tight")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, help="scratch folder of the run directories")
    parser.add_argument("--out", type=Path, required=True, help="folder of table.csv")
    parser.add_argument("--steps", type=int, default=150, help="optimizer steps of every run")
    parser.add_argument("--batch", type=int, default=16, help="labelled rows of a batch")
    parser.add_argument("--ablation_seeds", type=int, default=1)
    parser.add_argument("--systems", nargs="+", default=[*SYSTEMS, *ABLATION], help="only these")
    parser.add_argument("--worker", default="1/1", help="2/3: the second of three side by side")
    parser.add_argument("--again", action="store_true", help="print the table in --out")
    arguments = parser.parse_args()
    if not (arguments.runs or arguments.again):
        parser.error("--runs is needed to train")
    return arguments


def main() -> None:
    """Run what is not finished; add each run to ``table.csv``, and print the table at the end."""
    arguments = parsed()
    arguments.out.mkdir(parents=True, exist_ok=True)
    stored = arguments.out / "table.csv"
    if not stored.is_file():
        write_text(stored, ",".join(FIELDS) + "\n")
    done = pd.read_csv(stored)
    worker, workers = map(int, arguments.worker.split("/"))
    asked = [c for c in cells(arguments.ablation_seeds) if c.system in arguments.systems]
    todo = [] if arguments.again else asked[worker - 1 :: workers]
    for cell in todo:
        key = {"system": cell.system, "fraction": cell.fraction, "unlabeled": cell.unlabeled}
        key |= {"seed": cell.seed, "steps": arguments.steps}
        if (done[list(key)] == pd.Series(key)).all(axis=1).any():
            continue
        recipe = recipe_of(cell, data=arguments.data, steps=arguments.steps, batch=arguments.batch)
        name = cell.system.replace(" ", "-").replace(",", "")
        run = arguments.runs / f"{name}-{cell.fraction}-{cell.unlabeled}-{cell.seed}"
        if not (run / RESULT).is_file():
            train(recipe, run, command=sys.argv)
        record = record_of(run)
        with stored.open("a", encoding="utf-8") as stream:
            stream.write(pd.DataFrame([key | record])[FIELDS].to_csv(index=False, header=False))
        print(run.name, record, flush=True)
    table = pd.read_csv(stored)
    print(markdown(table) + "\n\n" + compared(table))
    print("command:", shlex.join(["python", "-m", "benchmarks.joint_fractions", *sys.argv[1:]]))
    draw(table, arguments.out / "fractions.png")


if __name__ == "__main__":
    main()
