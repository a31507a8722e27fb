"""The measures of a generator class by class, beside what real rows of the class have."""

from collections.abc import Mapping
from typing import Any

from analysis.report.tables import GENERATOR_MEASURES, Table, with_ends
from analysis.runs import Generated
from analysis.words import UNKNOWN, number, percent, probability, shortened

OVERALL = "overall"
CAPTION = (
    "Generated against held-out real embeddings. Real against real is the same measure between "
    "real rows alone: no generator should be expected to do better."
)
TESTED = (
    " In brackets are 95% intervals; of real against real, where 95% of its draws lie. p is how "
    "often rows that nobody could tell apart come out as far from each other."
)
BY_CLASS = (
    "The same class by class: this generator / real against real, at the same numbers of rows. "
    "Values of p are not corrected for how many there are."
)
USES = (
    ("train_on_fake", "Trained on fakes, tested on real: accuracy"),
    ("test_on_fake", "Trained on real, tested on fakes: accuracy"),
    ("augmentation", "Accuracy gained by adding fakes to the labelled rows"),
    ("two_sample", "A classifier's accuracy in telling fakes from real"),
    ("nearer_to_train", "Fakes nearer to training rows than to held-out ones"),
    ("authenticity", "Fakes that no training row is suspiciously near to"),
    ("copies", "Fakes that are training rows"),
)
USE = (
    "What the fakes are good for, all classes together. Real in their place is the same with "
    "held-out real rows instead of fakes."
)
LEFT_OUT = ("frechet_distance", "frechet_shrunk", "frechet_limit")
"""Not for a class: they need more rows than classes have."""


def measures_caption(made: Generated) -> str:
    """Say what the columns of the measures are."""
    return CAPTION + (TESTED if made.measures.get("measures") else "")


def class_measures_table(made: Generated) -> Table | None:
    """Return a row a class with each measure beside its floor, None where no class was measured."""
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in made.measures.get("measures") or []:
        if row.get("class") != OVERALL:
            found.setdefault(str(row.get("class")), {})[str(row.get("measure"))] = row
    known = [
        measure
        for measure in GENERATOR_MEASURES
        if measure[0] not in LEFT_OUT
        and any(rows.get(measure[0], {}).get("value") is not None for rows in found.values())
    ]
    if not known:
        return None
    tested = {
        key
        for key, *_ in known
        if any(rows.get(key, {}).get("p_value") is not None for rows in found.values())
    }
    header, cells = ["Class"], [[shortened(name, 40)] for name in found]
    for key, name, _, digits in known:
        header += [name, *(["p"] if key in tested else [])]
        for line, rows in zip(cells, found.values(), strict=True):
            line.append(_beside(rows.get(key, {}), digits))
            if key in tested:
                line.append(probability(rows.get(key, {}).get("p_value")))
    return Table(header, cells, [False] * len(cells))


def use_table(made: Generated) -> Table | None:
    """Return what the fakes are good for beside real rows in their place, None if unknown."""
    found = {
        str(row.get("measure")): row
        for row in made.measures.get("use") or []
        if row.get("class") == OVERALL and row.get("value") is not None
    }
    rows = []
    for key, name in USES:
        if row := found.get(key):
            own, floor = with_ends(row, "value", 3), with_ends(row, "floor", 3)
            rows.append((name, own, floor, probability(row.get("p_value"))))
    header = ("Use", "Fakes", "Real in their place", "p")
    return Table(header, rows, [False] * len(rows)) if rows else None


def coherence_table(made: Generated) -> Table | None:
    """Return the classes and words around the fakes of each class, None if nobody looked."""
    found = made.measures.get("coherence") or {}
    words: dict[str, list[str]] = {}
    for row in found.get("words") or []:
        words.setdefault(str(row.get("class")), []).append(str(row.get("word")))
    rows = [
        (
            "All classes" if name == OVERALL else shortened(name, 40),
            *(percent(row.get(key)) for key in ("agreement", "floor", "chance")),
            shortened(", ".join(words.get(name, [])), 160) or UNKNOWN,
        )
        for row in found.get("agreement") or []
        if row.get("agreement") is not None and (name := str(row.get("class")))
    ]
    header = ("Asked for", "Neighbors of that class", "Of real rows", "By chance", "Words around")
    return Table(header, rows, [False] * len(rows)) if rows else None


def _beside(row: Mapping[str, Any], digits: int) -> str:
    """Return a value and its floor, a dash where it was not measured."""
    if row.get("value") is None:
        return UNKNOWN
    return f"{number(row['value'], digits)} / {number(row.get('floor'), digits)}"
