"""Every technique of the multitask papers under one budget, the paper's scores beside ours.

Run from the repository, with the data folder beside it::

    python -m benchmarks.multitask_table --runs ../multitask-runs --out runs/records/multitask

A row is a recipe; ``papers.csv`` in the record says what the papers report of it. The budget takes
the place of each recipe's own epochs, batch size, learning rates and pooling; everything else is as
the recipe has it. What ``table.csv`` has is not repeated, what was interrupted goes on. ``--only
mtl-best --updates 2000`` adds a longer run, as a table of its own.
"""

import argparse
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.run import resume, train
from acgan_bert.rundir import CHECKPOINT, RECIPE, RESULT, read_json, read_recipe
from mtl.errors import DivergenceError, InputError
from mtl.files import write_text

STEMS = {"sentiment": "ids-sst", "paraphrase": "quora", "similarity": "sts"}
SCORES = {"sentiment": "accuracy", "paraphrase": "accuracy", "similarity": "pearson"}
COLUMNS = (*SCORES, "overall")
BEST = "mtl-best"
REPEATED = (
    "mtl-baseline",
    "mtl-cross",
    "mtl-interleaved",
    "mtl-clip",
    "mtl-pcgrad",
    "mtl-loss-pairing",
    "mtl-gradvac",
    "mtl-pals",
    "mtl-cosine",
    "mtl-experts",
)
"""The rows that matter most: several seeds."""
NOT_RUN = {"mtl-joint-tuned": "mtl-joint-final"}
"""Recipes that differ from another in their learning rate alone, which is the budget's here."""
COMMON: dict[str, object] = {
    "encoder.pooling": "mean",  # what the packaged encoder was trained with
    "multitask.encoder_learning_rate": 2e-4,
    "multitask.head_learning_rate": 1e-3,
    "multitask.course": "linear",
    "multitask.warmup_share": 0.1,
}
"""In so few updates the papers' rate of 1e-5 would leave every head where it started; ours has its
own."""
BATCHES_PER_UPDATE = {"interleaved": 3, "pairs": 2}
"""Of the other orders: 1. A budget counts batches, so that all rows see as many texts."""
BEGIN, END = "<!-- begin: written by benchmarks/multitask_table.py -->", "<!-- end -->"
NONE = "-"
"""A score that there is not."""
KEY = ["recipe", "seed", "updates", "batch"]
FIELDS = [*KEY, *SCORES, "mean", "overall", "best_update", "trained", "seconds"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What every row may spend.

    Args:
        updates: Updates of an order that takes a batch of each of the three tasks. Where there is
            a contrastive stage, each part of it comes on top with a fifth as many.
        batch: Rows of a batch.
        epochs: Parts that the updates come in; dev is scored at the end of each.
    """

    updates: int
    batch: int
    epochs: int

    def keys(self, recipe: Recipe) -> dict[str, object]:
        """Return the keys that give a recipe this budget."""
        tasks = sum(bool(getattr(recipe.tasks, task).train) for task in SCORES)
        each = min(tasks, BATCHES_PER_UPDATE.get(recipe.multitask.order, 1))
        return {
            "multitask.epochs": self.epochs,
            "multitask.updates_per_epoch": -(-self.updates * tasks // each // self.epochs),
            "multitask.batch_size": self.batch,
            "contrastive.updates": -(-self.updates // 5),
            "contrastive.batch_size": 2 * self.batch,
        }


def with_data(recipe: Recipe, data: Path) -> Recipe:
    """Let the tasks that a recipe trains read the files of a folder."""
    parts = {
        f"tasks.{task}.{part}": str(data / f"{stem}-{part}.csv")
        for task, stem in STEMS.items()
        if getattr(recipe.tasks, task).train
        for part in ("train", "dev")
    }
    return apply(recipe, parts)


def cells(names: list[str], seeds: int) -> Iterator[tuple[str, int]]:
    """Yield recipe and seed, the first seed of every row before the second of any."""
    for seed in range(seeds):
        for name in names:
            if seed == 0 or name in (*REPEATED, BEST):
                yield name, seed


def finished(recipe: Recipe, run: Path) -> Path:
    """Train a recipe, go on with it, or leave it as it is where it is finished.

    Raises:
        InputError: The directory is of another recipe.
    """
    if not (run / RECIPE).is_file():
        return train(recipe, run, command=sys.argv)
    if read_recipe(run) != recipe:
        raise InputError(f"{run}: made by another recipe or budget; remove it, or change --runs")
    return run if (run / RESULT).is_file() else resume(run)


def record_of(run: Path) -> dict[str, object]:
    """Return what the table says of a run."""
    result = read_json(run / RESULT)
    dev, seconds = result["dev"], result["seconds"]
    scores = {task: dev[task][score] if task in dev else None for task, score in SCORES.items()}
    # One task has no overall score.
    overall = dev["overall"] if set(SCORES) <= set(dev) else {}
    return scores | {
        "mean": overall.get("mean"),
        "overall": overall.get("normalized"),
        "best_update": result["best_update"],
        "trained": result["parameters"]["trained"],
        "seconds": round(sum(seconds.values()) if isinstance(seconds, dict) else seconds, 1),
    }


def printed_rows(papers: pd.DataFrame) -> pd.DataFrame:
    """Choose one printed row for each recipe of a paper: of dev, where it has one.

    Papers print two kinds of overall score; here it is that of our runs, from the three scores.
    """
    plain = papers[papers["flags"].isna() & papers["recipe"].notna()]
    dev_first = plain.sort_values("part", kind="stable")
    chosen = dev_first.drop_duplicates(["paper", "recipe"]).sort_index()
    correlation = (chosen["similarity"] + 1) / 2
    overall = (chosen["sentiment"] + chosen["paraphrase"] + correlation) / len(SCORES)
    return chosen.assign(overall=overall)


def shown(values: pd.Series) -> str:
    """Write the mean over seeds, and its standard error where there are several."""
    values = values.dropna()
    if values.empty:
        return NONE
    error = f" ± {values.sem():.3f}" if len(values) > 1 else ""
    return f"{values.mean():.3f}{error}"


def theirs(value: float, part: str) -> str:
    """Write a paper's number; it is of dev unless said."""
    return NONE if pd.isna(value) else f"{value:.3f}" + (" (test)" if part == "test" else "")


def markdown(table: pd.DataFrame, papers: pd.DataFrame, why: dict[str, str]) -> str:
    """Write the rows of one budget: paper → ours in each cell."""
    head = ["row", "recipe", "seeds", *COLUMNS, "trained", "seconds", "why they differ"]
    lines = [" | ".join(["", *head, ""]).strip(), "|" + "---|" * len(head)]
    rows = [*printed_rows(papers).itertuples(), None]
    for row in rows:
        name = row.recipe if row else BEST
        ours = table[table.recipe == name]
        if ours.empty and NOT_RUN.get(name) not in set(table.recipe):
            continue
        label = f"{row.paper}: {row.row}" if row else "our own"
        cells = [
            f"{theirs(getattr(row, column), row.part) if row else NONE} → {shown(ours[column])}"
            for column in COLUMNS
        ]
        size = f"{ours.trained.iloc[0] / 1e6:.1f} M" if len(ours) else NONE
        time = f"{ours.seconds.mean():.0f}" if len(ours) else NONE
        reason = why.get(name, "") if len(ours) else f"here as {NOT_RUN[name]}"
        line = [label, f"`{name}`", str(len(ours)), *cells, size, time, reason]
        lines.append("| " + " | ".join(part.replace("|", "\\|") for part in line) + " |")
    return "\n".join(lines)


def draw(table: pd.DataFrame, papers: pd.DataFrame, file: Path) -> None:
    """Draw our scores (dots, a seed each) and the papers' (rings) of every recipe."""
    in_order = [BEST, *dict.fromkeys(papers["recipe"].dropna()[::-1])]
    names = [name for name in in_order if name in set(table.recipe)]
    table = table[table.recipe.isin(names)]
    figure = Figure(figsize=(9, 1 + 0.2 * len(names)))
    panels = figure.subplots(1, len(SCORES), sharey=True)
    known = printed_rows(papers)
    known = known[known.recipe.isin(names)]
    for axes, task in zip(panels, SCORES, strict=True):
        places = [names.index(name) for name in known.recipe]
        axes.scatter(known[task], places, s=26, facecolors="none", edgecolors="gray", label="paper")
        axes.scatter(table[task], [names.index(name) for name in table.recipe], s=8, label="here")
        axes.set_title(task)
        axes.grid(alpha=0.3)
    panels[0].set_yticks(range(len(names)), names, fontsize=7)
    panels[0].legend(fontsize=7, ncols=2, loc="lower right", bbox_to_anchor=(0, 1))
    figure.savefig(file, dpi=90, bbox_inches="tight")


def report(out: Path) -> None:
    """Print a table for each budget, and put them into ``README.md`` between its two marks."""
    table, papers = pd.read_csv(out / "table.csv"), pd.read_csv(out / "papers.csv")
    reasons = out / "why.csv"
    why = dict(pd.read_csv(reasons).itertuples(index=False)) if reasons.is_file() else {}
    parts = []
    for (updates, batch), part in table.groupby(["updates", "batch"]):
        parts.append(f"### {updates} updates of three batches of {batch}\n")
        parts.append(markdown(part, papers, why) + "\n")
    text = "\n".join(parts)
    print(text)
    readme = out / "README.md"
    before, begin, rest = readme.read_text("utf-8").partition(BEGIN)
    if not begin or END not in rest:
        raise InputError(f"{readme}: no lines {BEGIN!r} and {END!r} to write the table between")
    write_text(readme, f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
    least = table[table.updates == table.updates.min()]
    draw(least, papers, out / "scores.png")


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, help="scratch folder of the run directories")
    parser.add_argument("--out", type=Path, required=True, help="the record, with papers.csv")
    parser.add_argument("--updates", type=int, default=150, help="of a batch of each task")
    parser.add_argument("--batch", type=int, default=16, help="rows of a batch")
    parser.add_argument("--epochs", type=int, default=2, help="dev is scored after each")
    parser.add_argument("--seeds", type=int, default=3, help="of the rows that matter most")
    parser.add_argument("--only", default="", help="comma-separated recipes; empty: all")
    parser.add_argument("--worker", default="1/1", help="2/3: the second of three side by side")
    parser.add_argument("--again", action="store_true", help="print the table in --out")
    arguments = parser.parse_args()
    if not (arguments.runs or arguments.again):
        parser.error("--runs is needed to train")
    return arguments


def main() -> None:
    """Run what is not finished; add each run to ``table.csv``, and write the report at the end."""
    arguments = parsed()
    out, stored = arguments.out, arguments.out / "table.csv"
    papers = pd.read_csv(out / "papers.csv")
    names = [n for n in dict.fromkeys(papers.recipe.dropna()) if n not in NOT_RUN] + [BEST]
    names = [name.strip() for name in arguments.only.split(",") if name.strip()] or names
    budget = Budget(updates=arguments.updates, batch=arguments.batch, epochs=arguments.epochs)
    if not stored.is_file():
        write_text(stored, ",".join(FIELDS) + "\n")
    table = pd.read_csv(stored)
    arguments.runs and arguments.runs.mkdir(parents=True, exist_ok=True)
    worker, workers = map(int, arguments.worker.split("/"))
    mine = [] if arguments.again else list(cells(names, arguments.seeds))[worker - 1 :: workers]
    for name, seed in mine:
        recipe = with_data(load_recipe(name), arguments.data)
        common = {} if name == BEST else COMMON
        keys = common | budget.keys(recipe) | {"seed": seed, "report.figures": False}
        recipe = apply(recipe, keys)
        run = arguments.runs / f"{name}-{seed}-{budget.updates}x{budget.batch}"
        key = {"recipe": name, "seed": seed, "updates": budget.updates, "batch": budget.batch}
        if (table[KEY] == pd.Series(key)).all(axis=1).any():
            continue
        try:
            record = record_of(finished(recipe, run))
        except DivergenceError as error:
            print(f"{run.name}: {error}", flush=True)
            continue
        with stored.open("a", encoding="utf-8") as stream:  # a line at once, whole for all workers
            stream.write(pd.DataFrame([key | record])[FIELDS].to_csv(index=False, header=False))
        shutil.rmtree(run / CHECKPOINT)  # thrice the size of the model, which stays
        print(run.name, {k: v for k, v in record.items() if k in SCORES}, flush=True)
    print("command:", shlex.join(["python", "-m", "benchmarks.multitask_table", *sys.argv[1:]]))
    report(out)


if __name__ == "__main__":
    main()
