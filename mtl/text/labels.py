"""Label cells -> a Task's classes or scores: what a column of labels means, decided once."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtl.errors import InputError
from mtl.text.table import Table, brief, some
from mtl.text.tasks import Output, Task

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# A column of more distinct labels than this (or than a fifth of its rows) is hardly one of classes.
_MOST_CLASSES = 50
_MOST_BUCKETS = 10
_TASK_NAMES = {"is_duplicate": "paraphrase"}


@dataclass(frozen=True, slots=True)
class LabelKind:
    """What a column of labels holds.

    Args:
        output: ``classes`` or ``score``.
        classes: Class or bucket names, in order.
        low: Lowest score.
        high: Highest score.
    """

    output: Output
    classes: tuple[str, ...]
    low: float = 0.0
    high: float = 1.0


def number(cell: str) -> float:
    """Read a cell as a finite number; NaN where it is none.

    Example:
        >>> number("1.50"), number("1_5"), number("inf")
        (1.5, nan, nan)
    """
    if not _NUMBER.fullmatch(cell):
        return math.nan
    value = float(cell)
    return value if math.isfinite(value) else math.nan


def is_number(cell: str) -> bool:
    """Say whether a cell is a finite number."""
    return not math.isnan(number(cell))


def is_whole(cell: str) -> bool:
    """Say whether a cell is a whole number, however it is written."""
    return number(cell).is_integer()


def normalized(cell: str) -> str:
    """Write a whole number plainly; leave any other label as it is.

    Example:
        >>> [normalized(cell) for cell in ("1.0", "+07", "-1", "good", "0.5")]
        ['1', '7', '-1', 'good', '0.5']
        >>> normalized("12345678901234567891")
        '12345678901234567891'
    """
    if not is_whole(cell):
        return cell
    # Digits alone may be more than a float holds exactly.
    return str(int(number(cell)) if set(cell) & set(".eE") else int(cell))


def clean(cells: Sequence[str]) -> list[str]:
    """Strip each label; ``nan`` in a column that is otherwise numbers is a missing one."""
    stripped = [cell.strip() for cell in cells]
    numeric = all(cell.lower() == "nan" or is_number(cell) for cell in set(stripped) if cell)
    return ["" if numeric and cell.lower() == "nan" else cell for cell in stripped]


def infer_kind(table: Table, column: str, cells: Sequence[str]) -> LabelKind:
    """Find the classes of a column, or the range of its scores.

    Whole numbers are classes, in numeric order, and -1 is a missing label; numbers with
    fractions are scores; anything else are class names, in alphabetic order.

    Args:
        table: Where the column stands, for messages.
        column: Its name.
        cells: (N,) cleaned labels, ``""`` where missing.

    Raises:
        InputError: No label, one class only, more distinct labels than classes could be, or
            scores over too wide a range.
    """
    distinct = {cell for cell in cells if cell}
    numeric = all(map(is_number, distinct))
    if numeric and not all(map(is_whole, distinct)):
        return _score_kind(table, column, [number(cell) for cell in distinct])
    names = {normalized(cell) for cell in distinct} if numeric else distinct
    if numeric:
        names -= {"-1"}
    _check_classes(table, column, sorted(names), num_rows=len(cells))
    order = sorted(names, key=int) if numeric else sorted(names)
    return LabelKind(output="classes", classes=tuple(order))


def _score_kind(table: Table, column: str, values: Sequence[float]) -> LabelKind:
    lowest, highest = min(values), max(values)
    if math.ceil(highest) - math.floor(lowest) > _MOST_BUCKETS:
        raise InputError(
            f"{table.source}: column {column!r} holds scores from {lowest:g} to {highest:g}, more "
            f"than {_MOST_BUCKETS} units apart; bin them into classes, or rescale them to 0 to 5"
        )
    low, high = math.floor(lowest), math.ceil(highest)
    # Where scores are rounded to: beyond, a bucket at either end would be a class without rows.
    first, last = math.floor(lowest + 0.5), math.floor(highest + 0.5)
    if first == last:  # one bucket would be no classes to tell apart
        first, last = low, high
    buckets = tuple(str(bucket) for bucket in range(first, last + 1))
    return LabelKind(output="score", classes=buckets, low=float(low), high=float(high))


def _check_classes(table: Table, column: str, names: Sequence[str], *, num_rows: int) -> None:
    where = f"{table.source}: column {column!r}"
    if not names:
        raise InputError(f"{where} holds no label; label some rows, or name the column that does")
    if len(names) == 1:
        raise InputError(
            f"{where} holds one class only, {brief(names[0])!r}; two classes at least are needed"
        )
    if len(names) > max(_MOST_CLASSES, num_rows / 5):
        raise InputError(
            f"{where} holds {len(names)} distinct labels in {num_rows} rows; it is probably not "
            f"the label column; choose with --data.label among: {table.listed()}"
        )


def task_name(column: str) -> str:
    """Name a task after its label column.

    Example:
        >>> task_name("is_duplicate"), task_name("sentiment")
        ('paraphrase', 'sentiment')
    """
    return _TASK_NAMES.get(column.lower(), column)


def class_indices(table: Table, cells: Sequence[str], task: Task) -> NDArray[np.int64]:
    """Look each label up among a task's classes.

    Args:
        table: Where the rows stand, for messages.
        cells: (N,) cleaned labels, ``""`` where missing.
        task: The task, with ``output`` ``classes``.

    Returns:
        (N,) class indices; -1 where the label is missing.

    Raises:
        InputError: A label is none of the classes.
    """
    known = {name: index for index, name in enumerate(task.classes)}
    whole = all(map(is_whole, task.classes))
    known.setdefault("", -1)
    if whole:
        known.setdefault("-1", -1)
    names = [normalized(cell) if cell not in known and whole else cell for cell in cells]
    try:
        return np.array([known[name] for name in names], dtype=np.int64)
    except KeyError:
        row = next(row for row, name in enumerate(names) if name not in known)
        raise InputError(
            f"{table.source}, {table.where(row)}: label {brief(cells[row])!r} is unknown; the "
            f"classes of {task.name!r} are {some(task.classes)}; mend it, or leave it empty"
        ) from None


def score_values(table: Table, cells: Sequence[str], task: Task) -> NDArray[np.float64]:
    """Read each score.

    Args:
        table: Where the rows stand, for messages.
        cells: (N,) cleaned labels, ``""`` where missing.
        task: The task, with ``output`` ``score``.

    Returns:
        (N,) scores; NaN where missing, which -1 means where scores start above it.

    Raises:
        InputError: A cell is no number, or outside the task's range.
    """
    scores = np.array([number(cell) for cell in cells], dtype=np.float64)
    given = np.array([bool(cell) for cell in cells], dtype=bool)
    if task.low > -1:
        given &= scores != -1
        scores[~given] = np.nan
    inside = (scores >= task.low) & (scores <= task.high)
    wrong = np.flatnonzero(given & ~inside)
    if wrong.size:
        row = int(wrong[0])
        raise InputError(
            f"{table.source}, {table.where(row)}: score {brief(cells[row])!r} is no number from "
            f"{task.low:g} to {task.high:g}, the range of {task.name!r}; mend it, or leave it empty"
        )
    return scores
