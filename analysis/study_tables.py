"""Tables of a study as plain cells: conditions, statements, effects, every other measure."""

from collections.abc import Sequence

from analysis.report.tables import Table
from analysis.study_design import higher_is_better
from analysis.study_findings import Findings, Group, Statement
from analysis.study_layouts import Layout, grids, layouts
from analysis.study_names import TIMES
from analysis.study_numbers import (
    difference_words,
    measure_words,
    p_words,
    signed_words,
    size_words,
    value_words,
)
from analysis.study_reading import Study
from analysis.study_statistics import Summary, seed_summary
from analysis.words import UNKNOWN, capital

TESTS = {"exact": "exact", "permutation": "permutation", "t": "paired t", "F": "F"}
NOT_MEASURES = (
    *("baseline", "_floor", "_low", "_high"),
    *("seconds", "parameters", "steps", "labeled", "labels"),
)
MOST_MEASURES = 18


def condition_table(group: Group) -> Table:
    """Return the conditions of a group, best first, the best marked where it is told apart."""
    layout, ranked = group.layout, group.ranks
    order = sorted(
        range(len(layout.names)),
        key=lambda index: (index != group.best, _loss(group, index)),
    )
    by_rank = (
        None if isinstance(ranked, str) else dict(zip(ranked.names, ranked.means, strict=True))
    )
    rows = []
    for index in order:
        summary, name = group.summaries[index], layout.names[index]
        cells = [
            name,
            value_words(layout.measure, summary.mean),
            interval_cell(layout.measure, summary),
            UNKNOWN if summary.deviation is None else size_words(layout.measure, summary.deviation),
            str(summary.seeds),
        ]
        cells += [] if by_rank is None else [f"{by_rank[name]:.2f}"]
        rows.append((*cells, _apart_words(group, index)))
    header = ["Condition", "Mean", "95% interval", "Deviation over seeds", "Seeds"]
    header += [] if by_rank is None else ["Mean rank"]
    told = [group.apart[index] for index in range(len(layout.names)) if index != group.best]
    won = group.best is not None and all(told)
    marked = [won and index == group.best for index in order]
    return Table([*header, "Told apart from the best"], rows, marked)


def statement_table(findings: Findings) -> Table | None:
    """Return every statement that was planned: what was found, and what could have been."""
    rows = [
        (
            _statement_words(found),
            _difference_cell(found),
            UNKNOWN
            if found.difference is None
            else interval_cell(found.measure, found.difference, signed=True),
            p_words(found.evidence.p_value) if found.evidence.p_value is not None else UNKNOWN,
            p_words(found.adjusted),
            TESTS.get(found.evidence.method, found.evidence.reason or UNKNOWN),
            UNKNOWN if not found.detectable else size_words(found.measure, found.detectable),
        )
        for found in findings.statements
    ]
    header = (
        "Statement",
        "Difference",
        "95% interval",
        "p, alone",
        "p, corrected",
        "Test",
        "Could have shown",
    )
    held = [found.supported for found in findings.statements]
    return Table(header, rows, held) if rows else None


def measure_table(study: Study, known: Sequence[str]) -> Table | None:
    """Return mean and interval of the measures that no statement is made of, a row a condition."""
    names = list(dict.fromkeys(name for row in study.rows for name in row.values))
    chosen = [
        name
        for name in names
        if name not in known and not any(word in name for word in NOT_MEASURES)
    ][:MOST_MEASURES]
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for measure in chosen:
        for layout in _layouts(study, measure):
            for name, column in zip(layout.names, layout.values.T, strict=True):
                summary = seed_summary(column)
                bounds = interval_cell(measure, summary)
                text = f"{value_words(measure, summary.mean)} ({bounds})"
                cells.setdefault((layout.group, name), {})[measure] = text
    rows = [
        (f"{name}, {group}" if group else name, *(found.get(one, UNKNOWN) for one in chosen))
        for (group, name), found in cells.items()
    ]
    header = ("Condition", *(capital(measure_words(name)) for name in chosen))
    return Table(header, rows, [False] * len(rows)) if rows else None


def failure_table(study: Study) -> Table | None:
    """Return the rows that ended in an error, with the cause."""
    rows = [(failed.name, failed.place, failed.error) for failed in study.failures]
    return Table(("Row", "Where", "Cause"), rows, [False] * len(rows)) if rows else None


def interval_cell(measure: str, summary: Summary, *, signed: bool = False) -> str:
    """Return both ends of an interval, a dash where there is none."""
    if summary.interval is None:
        return UNKNOWN
    low, high = summary.interval.low, summary.interval.high
    if signed:
        return f"{signed_words(measure, low)} to {signed_words(measure, high)}"
    return f"{value_words(measure, low)} to {value_words(measure, high)}"


def _layouts(study: Study, measure: str) -> list[Layout]:
    """Return the conditions of a measure that nothing is tested about."""
    crossed = [grid.cells() for grid in grids(study, measure)]
    return crossed or layouts(study, measure)


def _loss(group: Group, index: int) -> float:
    """Order conditions by their mean, best first."""
    mean = group.summaries[index].mean
    return -mean if higher_is_better(group.layout.measure) else mean


def _apart_words(group: Group, index: int) -> str:
    """Say whether a condition is told apart from the best of its group."""
    if index == group.best:
        return "best mean"
    return {True: "yes", False: "no", None: "untested"}[group.apart[index]]


def _statement_words(found: Statement) -> str:
    """Name a statement."""
    where = capital(measure_words(found.measure)) + (f", {found.group}" if found.group else "")
    if found.kind == "effect":
        kind = "interaction of" if TIMES in found.subject else "effect of"
        return f"{where}: {kind} {found.subject}"
    if found.kind == "winner":
        return f"{where}: {found.subject} above all others (nearest {found.rival})"
    return f"{where}: {found.subject} against {found.rival}"


def _difference_cell(found: Statement) -> str:
    """Return the difference, or for an effect its slope."""
    if found.difference is None:
        return UNKNOWN
    text = difference_words(found.measure, found.difference.mean)
    return f"{text} a step" if found.kind == "effect" else text
