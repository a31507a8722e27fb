"""Writes one self-contained HTML page from run directories.

It is filled as :mod:`analysis.report.template` says. The one script is the explorer's, which gets
text as JSON and writes text alone; a page without maps runs none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.files import write_whole
from analysis.report.class_measures import BY_CLASS, USE
from analysis.report.generators import GeneratorParts, generator_parts, generators_overview
from analysis.report.multitask import (
    ConflictParts,
    MultitaskParts,
    conflict_parts,
    headline,
    multitask_parts,
    tasks_overview,
    what_was_trained,
)
from analysis.report.pictures import Picture, pictures
from analysis.report.sentences import (
    OUTCOMES,
    comparison_text,
    model_score,
    rejection_text,
    verdict_text,
    what_was_run,
)
from analysis.report.tables import (
    Table,
    comparison_table,
    flat,
    flat_rows,
    overview_table,
    rejection_table,
)
from analysis.report.technique import recipe_differences
from analysis.report.template import fill
from analysis.runs import Run, read_run
from analysis.scores import verdict
from analysis.words import number, shortened

SCRIPTS = ("map_view.js", "point_words.js", "pointing.js", "explorer.js")


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
    comparison_text: str
    rejection: Table | None
    rejection_text: str
    conflicts: ConflictParts | None
    generators: list[GeneratorParts]
    pictures: dict[str, Picture | None]
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
    write_whole(target, page.encode())


def render_page(runs: Sequence[Run]) -> str:
    """Return the page of these runs as HTML."""
    names = _distinct_names(runs)
    sections = [
        _section(run, name, f"run-{number}")
        for number, (run, name) in enumerate(zip(runs, names, strict=True), start=1)
    ]
    explored = any(made.explorer for section in sections for made in section.generators)
    return fill(
        "page.html",
        scripts=SCRIPTS if explored else (),
        kind="report",
        title=names[0] if len(names) == 1 else f"{len(names)} runs",
        by_class=BY_CLASS,
        use=USE,
        overview=_overview(runs, names) if len(runs) > 1 else [],
        maps=_maps_side_by_side(sections) if len(runs) > 1 else [],
        sections=sections,
    )


def _overview(runs: Sequence[Run], names: Sequence[str]) -> list[tuple[Table, str]]:
    """Return the tables that compare the runs, of classifiers and of several tasks, captioned."""
    tables = []
    for several, table_of, caption in (
        (
            False,
            overview_table,
            "Each run against the best baseline that was scored on the same rows. Fréchet "
            "distances stand beside those of real rows from real rows; between encoders they "
            "cannot be compared.",
        ),
        (
            True,
            tasks_overview,
            "Each task's own score: Pearson's r of a score, else accuracy. Only runs "
            "that scored every task here have a mean.",
        ),
        (
            True,
            generators_overview,
            "The fakes of each task, beside a Gaussian fitted to each class. Distances of two runs "
            "are of two encoders: compare each with what stands beside it.",
        ),
        (True, recipe_differences, "The keys of the recipe in which these runs differ."),
    ):
        chosen = [pair for pair in zip(runs, names, strict=True) if bool(pair[0].tasks) == several]
        table = table_of(*zip(*chosen, strict=True)) if chosen else None
        if table:
            tables.append((table, caption))
    return tables


def _maps_side_by_side(sections: Sequence[Section]) -> list[tuple[str, str, Picture]]:
    """Return where the maps of each run are, whose they are, and a small picture of the first."""
    return [
        (explorer.key, ", ".join(filter(None, (section.name, made.task))), explorer.small)
        for section in sections
        for made in section.generators
        if (explorer := made.explorer)
    ]


def _section(run: Run, name: str, anchor: str) -> Section:
    """Put into words and cells what one run left on disk."""
    drawn = pictures(run)
    return Section(
        **_headline(run),
        anchor=anchor,
        name=name,
        comparison=comparison_table(run),
        comparison_text=comparison_text(run),
        rejection=rejection_table(run.result.get("rejection") or {}),
        rejection_text=rejection_text(run.result.get("rejection") or {}),
        conflicts=conflict_parts(run),
        generators=generator_parts(run, drawn, anchor),
        pictures=drawn,
        notes=[str(note) for note in run.result.get("notes") or []],
        seconds=[
            (key, f"{number(value, 1)} s")
            for key, value in flat(run.result.get("seconds") or {}).items()
        ],
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
            "outcome": _tasks_and_game(run),
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


def _tasks_and_game(run: Run) -> str:
    """Say how many tasks there are on the encoder, and whether a GAN is beside them."""
    tasks = f"{len(run.tasks)} tasks on one encoder" if len(run.tasks) > 1 else "1 task"
    return f"{tasks}, with a GAN beside" if run.recipe.get("gan") else tasks


def _distinct_names(runs: Sequence[Run]) -> list[str]:
    """Return the runs' names, with the directory's where two are called the same."""
    names = [run.name for run in runs]
    return [
        shortened(name if names.count(name) == 1 else f"{name} [{run.path}]", 80)
        for name, run in zip(names, runs, strict=True)
    ]
