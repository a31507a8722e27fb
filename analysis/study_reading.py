"""Reads a study's folder: its definition, its table, and the curves if it has them.

The files are the interface: ``study.json`` says what was planned, ``table.csv`` has a row for each
run that ended, ``curves.csv`` what was recorded along the way. An empty cell is a missing number.
"""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.study_names import as_number, axis_words, level_text, level_words

FORMAT = 1
KINDS = ("depth", "labels", "unlabeled", "ablation")
OWN_COLUMNS = ("row", "study", "seed", "method", "control", "error")
PLAIN = ("", "none", "false", "0", "no")
"""What the column ``control`` says of rows that are no control."""


@dataclass(frozen=True, slots=True)
class Row:
    """One finished run of a study.

    Attributes:
        name: of the row.
        levels: text of the level on each axis, in the order of the study's axes.
        seed: as text.
        method: empty where the study has one method.
        control: empty for a row that is none.
        values: measures by name; only those that are there and finite.
    """

    name: str
    levels: tuple[str, ...]
    seed: str
    method: str
    control: str
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that ended in an error: its name, where it stood in the grid, the cause."""

    name: str
    place: str
    error: str


@dataclass(frozen=True, slots=True)
class Study:
    """What a study left on disk.

    Attributes:
        path: its folder.
        kind: depth, labels, unlabeled or ablation.
        axes: dotted key to the texts of its levels, in order.
        seeds: how many were planned.
        recipe: name of the recipe, or its text.
        rows: finished ones, in the order of the table.
        failures: rows that ended in an error.
        missing: how many planned rows are not in the table.
        curves: (row, step, measure, value) in the order of the file.
        definition: the whole of ``study.json``.
    """

    path: Path
    kind: str
    axes: Mapping[str, tuple[str, ...]]
    seeds: int
    recipe: str
    rows: tuple[Row, ...]
    failures: tuple[Failure, ...]
    missing: int
    curves: tuple[tuple[str, float, str, float], ...] = ()
    definition: Mapping[str, Any] = field(default_factory=dict)

    def has(self, measure: str) -> bool:
        """Tell whether any row has this measure."""
        return any(measure in row.values for row in self.rows)


def read_study(folder: Path | str) -> Study:
    """Read a study's folder.

    Args:
        folder: holds ``study.json`` and ``table.csv``.

    Raises:
        ValueError: A file is missing, damaged or of another format, or two rows are of one place.
    """
    path = Path(folder)
    definition = _definition(path / "study.json")
    lines, columns = _table(path / "table.csv")
    axes = _axes(path / "study.json", definition, lines, columns)
    failures, rows, seen = [], [], dict[tuple[Any, ...], str]()
    measures = [name for name in columns if name not in (*OWN_COLUMNS, *axes)]
    measures = [name for name in measures if _is_numeric(lines, name)]
    for line in lines:
        row = _row(line, tuple(axes), measures)
        place = (row.levels, row.seed, row.method, row.control)
        if place in seen:
            raise ValueError(
                f"{path / 'table.csv'}: found rows {seen[place]!r} and {row.name!r} for "
                f"{_place(row, tuple(axes))}; want one row a place"
            )
        seen[place] = row.name
        if error := " ".join((line.get("error") or "").split()):
            failures.append(Failure(row.name, _place(row, tuple(axes)), error))
        else:
            rows.append(row)
    return Study(
        path=path,
        kind=definition["kind"],
        axes=axes,
        seeds=definition["seeds"],
        recipe=_recipe(definition.get("recipe")),
        rows=tuple(rows),
        failures=tuple(failures),
        missing=_missing(definition, [*seen], axes),
        curves=_curves(path / "curves.csv"),
        definition=definition,
    )


def _definition(file: Path) -> dict[str, Any]:
    """Read and check ``study.json``."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise ValueError(f"{file}: cannot be read; want the folder of a study") from None
    except ValueError:
        raise ValueError(f"{file}: damaged: not JSON") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        version = found.get("format") if isinstance(found, dict) else None
        raise ValueError(f"{file}: found format {version!r}; want {FORMAT}")
    if found.get("kind") not in KINDS:
        raise ValueError(f"{file}: found kind {found.get('kind')!r}; want {', '.join(KINDS)}")
    axes, seeds = found.get("axes"), found.get("seeds")
    if not isinstance(axes, dict) or not all(isinstance(levels, list) for levels in axes.values()):
        raise ValueError(f"{file}: found no axes; want an object of lists")
    if isinstance(seeds, list):
        seeds = found["seeds"] = len(seeds)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise ValueError(f"{file}: found seeds {seeds!r}; want a number of at least 1")
    return found


def _table(file: Path) -> tuple[list[dict[str, str]], Sequence[str]]:
    """Read the lines of a CSV file, and its columns."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"{file}: cannot be read; has the study finished a row?") from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        lines = list(reader)
    except csv.Error as error:
        raise ValueError(f"{file}: damaged: {error}") from None
    columns = [name for name in reader.fieldnames or () if name]
    for number, line in enumerate(lines, start=2):
        if None in line or None in line.values():
            raise ValueError(f"{file}: damaged: line {number} has not {len(columns)} cells")
    return lines, columns


def _axes(
    file: Path,
    definition: Mapping[str, Any],
    lines: Sequence[Mapping[str, str]],
    columns: Sequence[str],
) -> dict[str, tuple[str, ...]]:
    """Return the levels of each axis: the planned ones, then others that rows have."""
    axes = {}
    for key, planned in definition["axes"].items():
        if lines and key not in columns and key not in OWN_COLUMNS:
            raise ValueError(f"{file}: found axis {key!r}; want a column of that name in table.csv")
        found = [level_text(value) for value in planned]
        found += [level_text(line.get(key)) for line in lines if not _is_control(line)]
        axes[key] = tuple(dict.fromkeys(found))
    for own in ("method", "control", "seed"):
        axes.pop(own, None)  # columns with a meaning of their own
    return axes


def _is_control(line: Mapping[str, str]) -> bool:
    """Tell whether a line of the table is a control."""
    return level_text(line.get("control")).lower() not in PLAIN


def _is_numeric(lines: Sequence[Mapping[str, str]], column: str) -> bool:
    """Tell whether a column holds numbers and empty cells only."""
    cells = [line[column].strip().lower() for line in lines]
    return all(cell in ("", "nan", "inf", "-inf") or as_number(cell) is not None for cell in cells)


def _row(line: Mapping[str, str], axes: tuple[str, ...], measures: Sequence[str]) -> Row:
    """Turn a line of the table into a row."""
    numbers = {name: as_number(line[name]) for name in measures}
    return Row(
        name=(line.get("row") or "").strip(),
        levels=tuple(level_text(line.get(key)) for key in axes),
        seed=level_text(line.get("seed")),
        method=" ".join((line.get("method") or "").split()),
        control=level_text(line["control"]) if _is_control(line) else "",
        values={name: value for name, value in numbers.items() if value is not None},
    )


def _place(row: Row, axes: tuple[str, ...]) -> str:
    """Say where a row stands in the grid."""
    parts = [
        f"{axis_words(key)} {level_words(key, text)}"
        for key, text in zip(axes, row.levels, strict=True)
    ]
    parts += [part for part in (row.method, row.control and f"control {row.control}") if part]
    return ", ".join([*parts, f"seed {row.seed or '?'}"])


def _missing(
    definition: Mapping[str, Any],
    places: Sequence[tuple[Any, ...]],
    axes: Mapping[str, tuple[str, ...]],
) -> int:
    """Return how many planned rows are in no line of the table.

    The definition may say how many rows there are; else every place that has a row is taken to
    be planned for each seed, and the full grid of the axes for rows that are no control.
    """
    planned = definition.get("rows")
    if isinstance(planned, list):
        planned = len(planned)
    if not isinstance(planned, int) or isinstance(planned, bool):
        spots = {(levels, method, control) for levels, _, method, control in places}
        cells = math.prod(len(levels) for levels in axes.values())
        controls = sum(1 for spot in spots if spot[2])
        methods = {method for _, method, control in spots if not control} or {""}
        planned = (cells * len(methods) + controls) * definition["seeds"]
    return max(0, planned - len(places))


def _curves(file: Path) -> tuple[tuple[str, float, str, float], ...]:
    """Read what rows recorded along the way, if the study wrote it."""
    if not file.exists():
        return ()
    lines, columns = _table(file)
    if lacking := [name for name in ("row", "step", "measure", "value") if name not in columns]:
        raise ValueError(f"{file}: damaged: no column {lacking[0]!r}")
    points = [
        (line["row"].strip(), as_number(line["step"]), line["measure"], as_number(line["value"]))
        for line in lines
    ]
    return tuple(
        (row, step, measure, value)
        for row, step, measure, value in points
        if step is not None and value is not None
    )


def _recipe(value: object) -> str:
    """Return the recipe's name, or the recipe itself as text."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
