"""Writes one self-contained HTML page from run directories.

The page loads nothing, runs no script and says so in its Content-Security-Policy. All text goes
through the template's escaping; pictures are embedded as images, where markup in them stays inert.
"""

import base64
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis.report.multitask import (
    MultitaskParts,
    headline,
    multitask_parts,
    tasks_overview,
    what_was_trained,
)
from analysis.report.sentences import (
    OUTCOMES,
    collapse_text,
    fakes_text,
    model_score,
    rejection_text,
    verdict_text,
    what_was_run,
)
from analysis.report.tables import (
    Fake,
    Table,
    collapse_table,
    comparison_table,
    fakes_by_class,
    flat_rows,
    generator_table,
    overview_table,
    rejection_table,
)
from analysis.report.technique import recipe_differences
from analysis.runs import Run, read_run
from analysis.scores import verdict
from analysis.words import shortened

HERE = Path(__file__).parent
SVG_LIMIT_BYTES = 200_000
# Alternative text, and the caption below the picture.
PICTURES = {
    "comparison": (
        "Dot chart of every method's score with its interval; the table below has the numbers.",
        "Every method's score with its 95% interval, this model in bold.",
    ),
    "contrastive": (
        "Line chart of the loss over the updates of the contrastive stage.",
        "The contrastive stage ahead of multitask training, as recorded in contrastive.jsonl.",
    ),
    "curves": (
        "Two line charts over the training steps: losses and scores.",
        "Losses and scores over the training steps, as recorded in metrics.jsonl.",
    ),
    "classes": (
        "Bar charts, one a task, of the share of each class's rows that were right, with "
        "intervals and numbers of rows.",
        "Accuracy by class with its Wilson 95% interval; dashed is the accuracy over all rows. A "
        "score counts as right in its own unit bucket.",
    ),
    "confusion": (
        "Confusion matrices, one a task, with the number of rows in each cell.",
        "True classes run down, predicted ones across. Numbers are rows; colors are shares of the "
        "true class.",
    ),
    "conflicts": (
        "For each pair of tasks a map of the cosine of their gradients by layer over the training "
        "steps, and a line chart of the share of steps in conflict; the table below has the "
        "totals.",
        "Cosines of the tasks' gradients in each group of parameters: blue agrees, orange is in "
        "conflict. Below, the share of steps whose cosine over all parameters is negative. Each "
        "value stands for the steps since the evaluation before.",
    ),
    "map": (
        "Flat maps of real and generated embeddings, colored by class, with quality numbers.",
        "The joint map shows fakes that live apart as islands. The placed map moves no real point, "
        "but hides such islands. The PCA is linear. Read the numbers before the shapes.",
    ),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """An embedded picture: data URI, what a screen reader says, caption."""

    uri: str
    alternative: str
    caption: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Everything that the page says of one run, as text."""

    anchor: str
    name: str
    what: str
    score: str
    kind: str
    outcome: str
    verdict: str
    comparison: Table | None
    rejection: Table | None
    rejection_text: str
    generator: Table | None
    collapse: Table | None
    collapse_text: str
    pictures: dict[str, Picture | None]
    fakes: list[tuple[str, list[Fake]]]
    fakes_text: str
    notes: list[str]
    seconds: list[tuple[str, str]]
    recipe: str
    environment: list[tuple[str, str]]
    multitask: MultitaskParts | None


def write_report(runs: Sequence[Path | str], out: Path | str) -> None:
    """Write the page of one or more runs; several stand below a table that compares them.

    The same inputs give the same bytes. ``out`` is replaced in one step.

    Args:
        runs: run directories.
        out: the HTML file to write.

    Raises:
        ValueError: no run, a directory is not a finished run, or a file of it is damaged.
    """
    if not runs:
        raise ValueError("runs: found none; want at least one run directory")
    target = Path(out)
    page = render_page([read_run(path) for path in runs])
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(page)
        Path(name).chmod(0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def render_page(runs: Sequence[Run]) -> str:
    """Return the page of these runs as HTML."""
    names = _distinct_names(runs)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = [
        _section(run, name, f"run-{number}")
        for number, (run, name) in enumerate(zip(runs, names, strict=True), start=1)
    ]
    return environment.get_template("page.html").render(
        title=names[0] if len(names) == 1 else f"{len(names)} runs",
        css=(HERE / "style.css").read_text(encoding="utf-8"),
        overview=_overview(runs, names) if len(runs) > 1 else [],
        sections=sections,
    )


def _overview(runs: Sequence[Run], names: Sequence[str]) -> list[tuple[Table, str]]:
    """Return the tables that compare the runs, of classifiers and of several tasks, captioned."""
    tables = []
    for several, table_of, caption in (
        (
            False,
            overview_table,
            "Each run against the best baseline that was scored on the same rows.",
        ),
        (
            True,
            tasks_overview,
            "Each task's own score: Pearson's r of a score, else accuracy. Only runs "
            "that scored every task here have a mean.",
        ),
        (True, recipe_differences, "The keys of the recipe in which these runs differ."),
    ):
        chosen = [pair for pair in zip(runs, names, strict=True) if bool(pair[0].tasks) == several]
        table = table_of(*zip(*chosen, strict=True)) if chosen else None
        if table:
            tables.append((table, caption))
    return tables


def _section(run: Run, name: str, anchor: str) -> Section:
    """Put into words and cells what one run left on disk."""
    generator = run.result.get("generator") or {}
    collapse = generator.get("collapse") or []
    return Section(
        **_headline(run),
        anchor=anchor,
        name=name,
        comparison=comparison_table(run),
        rejection=rejection_table(run),
        rejection_text=rejection_text(run),
        generator=generator_table(run),
        collapse=collapse_table(collapse) if collapse else None,
        collapse_text=collapse_text(collapse) if collapse else "",
        pictures=_pictures(run),
        fakes=fakes_by_class(run),
        fakes_text=fakes_text(run),
        notes=[str(note) for note in run.result.get("notes") or []],
        seconds=[(key, f"{value} s") for key, value in flat_rows(run.result.get("seconds") or {})],
        recipe=run.recipe_text.strip(),
        environment=flat_rows(run.environment),
        multitask=multitask_parts(run) if run.tasks else None,
    )


def _headline(run: Run) -> dict[str, str]:
    """Return the words at the head of a run's section."""
    if run.tasks:
        overall, scores = headline(run)
        return {
            "kind": "multitask",
            "outcome": f"{len(run.tasks)} tasks on one encoder" if len(run.tasks) > 1 else "1 task",
            "verdict": overall,
            "score": scores,
            "what": what_was_trained(run),
        }
    kind = verdict(run.result).kind
    return {
        "kind": kind,
        "outcome": OUTCOMES[kind],
        "verdict": verdict_text(run),
        "score": model_score(run),
        "what": what_was_run(run),
    }


def _distinct_names(runs: Sequence[Run]) -> list[str]:
    """Return the runs' names, with the directory's where two are called the same."""
    names = [run.name for run in runs]
    return [
        shortened(name if names.count(name) == 1 else f"{name} [{run.path}]", 80)
        for name, run in zip(names, runs, strict=True)
    ]


def _pictures(run: Run) -> dict[str, Picture | None]:
    """Embed the figures: vectors where they are small, pixels otherwise, None where missing."""
    pictures: dict[str, Picture | None] = dict.fromkeys(PICTURES)
    for stem, words in PICTURES.items():
        vector, pixels = (run.figures.get((stem, suffix)) for suffix in (".svg", ".png"))
        if vector and (vector.stat().st_size <= SVG_LIMIT_BYTES or not pixels):
            pictures[stem] = Picture(_data_uri(vector, "image/svg+xml"), *words)
        elif pixels:
            pictures[stem] = Picture(_data_uri(pixels, "image/png"), *words)
    return pictures


def _data_uri(file: Path, media_type: str) -> str:
    """Return a file's content as a data URI."""
    content = base64.b64encode(file.read_bytes()).decode("ascii")
    return f"data:{media_type};base64,{content}"
