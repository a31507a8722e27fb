"""Tables of a report as plain cells: what a run measured, beside what it is to be compared with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from analysis.runs import Generated, Run
from analysis.scores import Score, comparison, scored_part, verdict
from analysis.words import UNKNOWN, capital, number, percent, probability, readable, shortened

# Key, name, what is better, digits; the floor's key drops "_distance".
GENERATOR_MEASURES = (
    ("frechet_distance", "Fréchet distance, squared", "lower", 3),
    ("frechet_shrunk", "Fréchet distance, shrunk covariances", "lower", 3),
    ("frechet_principal", "Fréchet distance, 16 main directions", "lower", 3),
    ("frechet_limit", "The same for infinitely many rows", "near 0", 3),
    ("kernel_distance", "Kernel distance (MMD²)", "near 0", 5),
    ("energy_distance", "Energy distance", "near 0", 4),
    ("sliced_wasserstein", "Sliced Wasserstein distance", "lower", 4),
    ("precision", "Precision", "as real", 3),
    ("recall", "Recall", "as real", 3),
    ("density", "Density", "as real", 3),
    ("coverage", "Coverage", "as real", 3),
)
REJECTION = {
    "confidence": "Rows whose likeliest class is least likely (1 - max p)",
    "p_fake": "Rows rather taken for fakes (p_fake)",
}
COLLAPSE_SHARES = ("rank_ratio", "spread_ratio", "duplicate_rate", "missed_modes")
SENTENCE_LIMIT = 220
FAKES_PER_CLASS = 3


@dataclass(frozen=True, slots=True)
class Table:
    """Header cells and rows; the first cell of a row is its header.

    Attributes:
        header: column names.
        rows: cells as text.
        marked: which rows stand out.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Fake:
    """One generated embedding and what it is near to.

    Attributes:
        posterior: the classifier's two likeliest classes.
        typicality: share of the rows of its class that are at least as far out; a dash if unknown.
        memorized: whether it all but repeats a training row.
        neighbors: (sentence, label, distance) of the nearest real rows.
    """

    posterior: str
    typicality: str
    memorized: bool
    neighbors: Sequence[tuple[str, str, str]]


def comparison_table(run: Run) -> Table | None:
    """Return all methods that were scored on the same rows, best first.

    Pearson's r stands beside the accuracy of a score's buckets, where it is known, and so does the
    expected calibration error of the probabilities.
    """
    scores = comparison(run.result)
    if not scores:
        return None
    correlated = any(score.pearson is not None for score in scores)
    believed = any(score.ece is not None for score in scores)
    rows = [
        (
            score.name,
            percent(score.value),
            f"{percent(score.low)} to {percent(score.high)}",
            percent(score.macro_f1),
            *(_correlation_cells(score) if correlated else ()),
            *((_calibration_cell(score),) if believed else ()),
        )
        for score in scores
    ]
    measure = readable(scored_part(run.result)[1])
    header = ["Method", measure.capitalize(), "95% interval", "Macro F1"]
    header += ["Pearson's r", "95% interval of r"] if correlated else []
    header += ["Calibration error"] if believed else []
    return Table(header, rows, [score.highlighted for score in scores])


def rejection_table(found: Mapping[str, Any]) -> Table | None:
    """Return how well wrong answers are found by what rejects a row, None where nobody looked."""
    rows = [
        (name, number(entry.get("aurc"), 3), percent(entry.get("accuracy_at_80")))
        for key, name in REJECTION.items()
        if (entry := found.get(key))
    ]
    header = ("Reject first", "Area under risk and coverage", "Accuracy on the other 80%")
    return Table(header, rows, [False] * len(rows)) if rows else None


def overview_table(runs: Sequence[Run], names: Sequence[str]) -> Table:
    """Return one row a run: what it scored, and by how much it differs from its best baseline."""
    rows = []
    for run, name in zip(runs, names, strict=True):
        own = next((score for score in comparison(run.result) if score.highlighted), None)
        found = verdict(run.result)
        labels = run.result.get("labels") or {}
        generator = run.result.get("generator") or {}
        key = "frechet_distance"
        distances = generator.get(key), floor_of(generator, key)
        tested = found.kind != "untested"
        rows.append(
            (
                name,
                number(labels.get("labeled"), 0),
                f"{percent(own.value)} ({scored_part(run.result)[0]})" if own else UNKNOWN,
                found.baseline or UNKNOWN,
                f"{100 * found.difference:+.1f} points" if tested else UNKNOWN,
                {"better": "better", "worse": "worse", "noise": "within noise"}.get(
                    found.kind, "untested"
                ),
                " / ".join(number(value, 3) for value in distances)
                if distances[0] is not None
                else UNKNOWN,
            )
        )
    header = (
        "Run",
        "Labels",
        "Score",
        "Best baseline",
        "Difference",
        "Outcome",
        "Fréchet distance, fakes / real",
    )
    return Table(header, rows, [False] * len(rows))


def generator_table(made: Generated) -> Table | None:
    """Return the generator's measures beside real-against-real floors and simple generators."""
    generator = made.measures
    others = {
        name: entry
        for name, entry in (generator.get("baselines") or {}).items()
        if isinstance(entry, Mapping)
    }
    tested = bool(generator.get("measures"))
    rows = []
    for key, name, better, digits in GENERATOR_MEASURES:
        own = _overall(generator, key)
        if own.get("value") is None:
            continue
        cells = [number(_overall(entry, key).get("value"), digits) for entry in others.values()]
        spread = [with_ends(own, at, digits) for at in ("value", "floor")]
        chance = [probability(own.get("p_value"))] if tested else []
        rows.append((name, spread[0], *cells, spread[1], *chance, better))
    if not rows:
        return None
    simple = (capital(readable(name)) for name in others)
    header = ("Measure", "This generator", *simple, "Real against real")
    header = (*header, *(["p"] if tested else []), "Better")
    return Table(header, rows, [False] * len(rows))


def _overall(measures: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return one measure of the whole: its value and floor, with their intervals if known."""
    for row in measures.get("measures") or []:
        if (row.get("class"), row.get("measure")) == ("overall", key):
            return cast(Mapping[str, Any], row)
    return {"value": measures.get(key), "floor": floor_of(measures, key)}


def with_ends(row: Mapping[str, Any], key: str, digits: int) -> str:
    """Return a number and, where it is known, its interval."""
    prefix = "" if key == "value" else f"{key}_"
    low, high = row.get(f"{prefix}low"), row.get(f"{prefix}high")
    ends = "" if low is None else f" ({number(low, digits)} to {number(high, digits)})"
    return f"{number(row.get(key), digits)}{ends}"


def floor_of(measures: Mapping[str, Any], key: str) -> object:
    """Return a measure between real rows alone, None where it is not known."""
    floor = measures.get(f"{key.removesuffix('_distance')}_floor")
    return floor.get("mean") if isinstance(floor, Mapping) else floor


def collapse_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return the measures behind the verdict on collapse, a row a class."""
    cells = []
    for row in rows:
        shares = [_share_beside(row, key) for key in COLLAPSE_SHARES]
        hits = [_share_beside(row, key) for key in ("conditional_accuracy", "conditional_floor")]
        verdict, reason = (str(row.get(key) or "") for key in ("verdict", "reason"))
        parts = (verdict, reason)[reason.startswith(verdict) :]  # as that of too few rows does
        verdict_cell = ": ".join(filter(None, parts)) or "no sign of collapse"
        counts = f"{number(row.get('real'), 0)} / {number(row.get('fake'), 0)}"
        name = shortened(str(row.get("class")), 40)
        cells.append((name, counts, *shares, " /\xa0".join(hits), verdict_cell))
    header = (
        "Class",
        "Rows, real / fake",
        "Effective rank, of real",
        "Spread, of real",
        "Repeated fakes",
        "Real rows in missed modes",
        "Recognized as their class, fake / real",
        "Verdict",
    )
    return Table(header, cells, [bool(row.get("collapsed")) for row in rows])


def fakes_by_class(made: Generated) -> list[tuple[str, list[Fake]]]:
    """Return the first few fakes of each class, in the order of the classes."""
    if made.fake is None:
        return []
    found: dict[str, list[Fake]] = {name: [] for name in made.classes}
    for row in made.fake.rows:
        fakes = found.setdefault(str(row.get("label")), [])
        if len(fakes) < FAKES_PER_CLASS and row.get("neighbors"):
            fakes.append(fake_of(row))
    return [(name, fakes) for name, fakes in found.items() if fakes]


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested keys as dotted names, with their values.

    Example:
        >>> flat({"seed": 1, "smart": {"weight": 5.0}})
        {'seed': 1, 'smart.weight': 5.0}
    """
    values: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        values |= flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return values


def flat_rows(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return nested keys as dotted names, with their values as text."""
    return [(key, plain_text(value)) for key, value in flat(content).items()]


def plain_text(value: object) -> str:
    """Return a string as it is, any other value as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)  # YAML also has dates


def fake_of(row: Mapping[str, Any]) -> Fake:
    """Turn one line of fake.jsonl into text."""
    posterior = sorted((row.get("posterior") or {}).items(), key=lambda item: -item[1])[:2]
    likeliest = ", ".join(f"{shortened(str(name), 30)} {p:.0%}" for name, p in posterior)
    neighbors = [
        (sentence(near), shortened(str(near.get("label")), 30), number(near.get("distance"), 3))
        for near in row.get("neighbors") or ()
    ]
    usual = number(row.get("typicality"), 2)
    return Fake(likeliest or UNKNOWN, usual, bool(row.get("memorized")), neighbors)


def sentence(row: Mapping[str, Any]) -> str:
    """Return the text of a real row on one line, cut where it is very long."""
    texts = [str(row[key]) for key in ("text", "text_pair") if row.get(key)]
    line = " / ".join(" ".join(text.split()) for text in texts)
    return line if len(line) <= SENTENCE_LIMIT else f"{line[:SENTENCE_LIMIT].rstrip()}…"


def _correlation_cells(score: Score) -> tuple[str, str]:
    """Return Pearson's r and its interval, dashes where they are not known."""
    bounds = score.pearson_interval
    ends = f"{bounds.low:.3f} to {bounds.high:.3f}" if bounds else UNKNOWN
    return number(score.pearson, 3), ends


def _calibration_cell(score: Score) -> str:
    """Return the expected calibration error, with what it was before where that differs."""
    before = score.ece_uncalibrated
    changed = score.ece is not None and before is not None and before != score.ece
    return number(score.ece, 3) + (f" ({number(before, 3)} uncalibrated)" if changed else "")


def _share_beside(row: Mapping[str, Any], key: str) -> str:
    """Return a share, its interval and that of real rows, held together by no-break spaces."""
    said = _share(row.get(key))
    for start, form in ((key, " ({}\xa0to\xa0{})"), (f"{key}_floor", " /\xa0{}\xa0to\xa0{}")):
        ends = [_share(row.get(f"{start}_{end}")).rstrip("%") for end in ("low", "high")]
        said += "" if UNKNOWN in ends else form.format(*ends)
    return said


def _share(value: object) -> str:
    """Return a share as whole percent, a dash where there is none."""
    return percent(float(value), 0) if isinstance(value, int | float) else UNKNOWN
