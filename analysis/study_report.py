"""Writes what a study shows: figures, every statistic, and one self-contained page.

The page is filled as :mod:`analysis.report.template` says, and runs no script. Each file is whole
or absent, the page is written last, and the same table gives the same bytes.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from analysis.files import write_whole
from analysis.plots import render
from analysis.report.pictures import Picture, embedded
from analysis.report.tables import Table
from analysis.report.template import fill
from analysis.study_depth_figures import depth_figures
from analysis.study_findings import Findings, find
from analysis.study_names import axis_words, level_words
from analysis.study_numbers import measure_words, p_words
from analysis.study_plots import band_curves, difference_bars, text_curves
from analysis.study_rank_plots import rank_diagram
from analysis.study_ranks import Ranks
from analysis.study_reading import Study, read_study
from analysis.study_statistics import DRAWS
from analysis.study_summary import summary_of
from analysis.study_tables import condition_table, failure_table, measure_table, statement_table
from analysis.study_words import baseline_words, findings_words, headline, power_words
from analysis.words import capital

KINDS = {
    "depth": "Depths",
    "labels": "Labels",
    "unlabeled": "Unlabelled text",
    "ablation": "Ablation",
}
MOST_LEVELS = 12
MOST_RANKS = 6


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure by the name of its files, with its caption."""

    name: str
    figure: Figure
    caption: str


def write_study(folder: Path | str, *, resamples: int = DRAWS) -> Path:
    """Write a study's figures, ``summary.json`` and ``report.html`` beside its table.

    Args:
        folder: holds ``study.json`` and ``table.csv``.
        resamples: permutations of tests that draw them.

    Returns:
        The page.

    Raises:
        ValueError: A file is missing, damaged or of another format. Nothing is written.
    """
    study = read_study(folder)
    findings = find(study, resamples=resamples)
    files: dict[str, bytes] = {}
    pictures = []
    for drawing in drawings(findings):
        vector, pixels = render(drawing.figure, "svg"), render(drawing.figure, "png")
        files |= {f"{drawing.name}.svg": vector, f"{drawing.name}.png": pixels}
        alternative = f"Figure: {drawing.caption} The tables have the numbers."
        pictures.append(Picture(embedded(vector, pixels), alternative, drawing.caption))
    summary = summary_of(findings, sorted(files))
    page = render_study(findings, pictures)
    figures = study.path / "figures"
    figures.mkdir(exist_ok=True)
    for name in _earlier_figures(study.path / "summary.json"):
        if name not in files:
            (figures / name).unlink(missing_ok=True)
    for name, content in files.items():
        write_whole(figures / name, content)
    text = json.dumps(summary, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(study.path / "summary.json", f"{text}\n".encode())
    write_whole(study.path / "report.html", page.encode())
    return study.path / "report.html"


def drawings(findings: Findings) -> list[Drawing]:
    """Draw everything that a study of its kind has figures of."""
    study = findings.study
    made = depth_figures(findings) if study.kind == "depth" else []
    if findings.groups and study.kind in ("labels", "unlabeled"):
        caption = (
            "Bands are 95% intervals over seeds. Methods are compared seed by seed, so that bands "
            "may overlap where a difference is supported."
        )
        made.append((study.kind, text_curves(findings), caption))
    caption = (
        "Differences with paired 95% intervals, each by itself. Filled bars are supported after "
        "correction for all statements of the study, hatched ones are not."
    )
    made.append(("differences", difference_bars(findings), caption))
    caption = "What rows recorded as they trained: means with 95% intervals over seeds."
    made.append(("curves", band_curves(study), caption))
    drawn = [Drawing(name, figure, said) for name, figure, said in made if figure is not None]
    return [*drawn, *_rank_drawings(findings)]


def render_study(findings: Findings, pictures: list[Picture]) -> str:
    """Return the page of a study as HTML."""
    study = findings.study
    held = sum(found.supported for found in findings.statements)
    short_recipe = study.recipe if "\n" not in study.recipe else ""
    return fill(
        "study.html",
        kind="study",
        title=f"{KINDS[study.kind]}: {short_recipe}" if short_recipe else KINDS[study.kind],
        badge=f"{held} of {len(findings.statements)} statements supported",
        headline=headline(findings),
        what=what_was_studied(study),
        lacking=what_is_lacking(study),
        findings=findings_words(findings),
        baselines=baseline_words(findings),
        refusals=findings.refusals,
        pictures=pictures,
        groups=_group_tables(findings),
        statements=statement_table(findings),
        measures=measure_table(study, findings.measures),
        failures=failure_table(study),
        power=power_words(findings),
        definition=json.dumps(study.definition, indent=2, ensure_ascii=False),
    )


def what_was_studied(study: Study) -> str:
    """Say what the grid was, and how much of it there is."""
    axes = [
        f"{axis_words(key)} {_levels(key, levels)}" for key, levels in study.axes.items() if levels
    ]
    methods = list(dict.fromkeys(row.method for row in study.rows if row.method))
    axes += [f"{len(methods)} methods"] if len(methods) > 1 else []
    seeds = "1 seed" if study.seeds == 1 else f"{study.seeds} seeds"
    return f"{capital('; '.join([*axes, seeds]))}. {len(study.rows):,} rows finished."


def what_is_lacking(study: Study) -> str:
    """Say how many planned rows are missing or failed; empty where none."""
    parts = []
    if study.missing:
        verb = "row is" if study.missing == 1 else "rows are"
        parts.append(f"{study.missing:,} planned {verb} missing: the study is not finished.")
    if study.failures:
        verb = "row" if len(study.failures) == 1 else "rows"
        parts.append(f"{len(study.failures):,} {verb} failed; they are named below.")
    if parts:
        parts.append("Comparisons use the seeds that both sides have.")
    return " ".join(parts)


def _rank_drawings(findings: Findings) -> list[Drawing]:
    """Draw the ranks of each group that has them."""
    ranked = [(group, group.ranks) for group in findings.groups if isinstance(group.ranks, Ranks)]
    averaged = [pair for pair in ranked if pair[0].layout.averaged]
    made = []
    for number, (group, ranks) in enumerate((averaged or ranked)[:MOST_RANKS], start=1):
        where = group.layout.group
        title = capital(measure_words(group.layout.measure)) + (f", {where}" if where else "")
        caption = (
            f"Mean ranks over {ranks.seeds} seeds, 1 the best. Bars join what Nemenyi's test does "
            f"not tell apart; Friedman's test over all gives {p_words(ranks.p_value)}. Ranks leave "
            "out how large differences are: the statements above do not rest on them."
        )
        made.append(Drawing(f"ranks-{number}", rank_diagram(ranks, title), caption))
    return made


def _group_tables(findings: Findings) -> list[tuple[str, Table]]:
    """Return the conditions of every group with a caption."""
    tables = []
    for group in findings.groups:
        where = f", {group.layout.group}" if group.layout.group else ""
        caption = f"{capital(measure_words(group.layout.measure))}{where}; best mean first."
        tables.append((caption, condition_table(group)))
    return tables


def _levels(key: str, levels: tuple[str, ...]) -> str:
    """List the levels of an axis, the middle ones left out where they are many."""
    words = [level_words(key, level) for level in levels]
    if len(words) > MOST_LEVELS:
        words = [*words[:3], "…", words[-1]]
    return ", ".join(words)


def _earlier_figures(file: Path) -> list[str]:
    """Return the figures that an earlier summary names, none where it cannot be read."""
    try:
        names = json.loads(file.read_text(encoding="utf-8"))["figures"]
        return [Path(str(name)).name for name in names]
    except (OSError, ValueError, KeyError, TypeError):
        return []
