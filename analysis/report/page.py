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

from analysis.report.sentences import (
    OUTCOMES,
    collapse_text,
    model_score,
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
)
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
    "curves": (
        "Two line charts over the training steps: losses and scores.",
        "Losses and scores over the training steps, as recorded in metrics.jsonl.",
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
    generator: Table | None
    collapse: Table | None
    collapse_text: str
    pictures: dict[str, Picture | None]
    fakes: list[tuple[str, list[Fake]]]
    notes: list[str]
    seconds: list[tuple[str, str]]
    recipe: str
    environment: list[tuple[str, str]]


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
        overview=overview_table(runs, names) if len(runs) > 1 else None,
        sections=sections,
    )


def _section(run: Run, name: str, anchor: str) -> Section:
    """Put into words and cells what one run left on disk."""
    generator = run.result.get("generator") or {}
    collapse = generator.get("collapse") or []
    kind = verdict(run.result).kind
    return Section(
        anchor=anchor,
        name=name,
        what=what_was_run(run),
        score=model_score(run),
        kind=kind,
        outcome=OUTCOMES[kind],
        verdict=verdict_text(run),
        comparison=comparison_table(run),
        generator=generator_table(run),
        collapse=collapse_table(collapse) if collapse else None,
        collapse_text=collapse_text(collapse) if collapse else "",
        pictures=_pictures(run),
        fakes=fakes_by_class(run),
        notes=[str(note) for note in run.result.get("notes") or []],
        seconds=[(key, f"{value} s") for key, value in flat_rows(run.result.get("seconds") or {})],
        recipe=run.recipe_text.strip(),
        environment=flat_rows(run.environment),
    )


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
