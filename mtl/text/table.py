"""Named columns of cells, each row with its place in the source: what every reader returns."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mtl.errors import InputError

# How many rows, lines or classes a message lists before it counts the others.
SHOWN = 5
_BRIEF = 48


@dataclass(frozen=True, slots=True)
class Table:
    """Columns as they were read, before anything is known about their meaning.

    Args:
        source: What messages call it: the path or address that the user gave.
        columns: Cells by column name, each list N long; a missing cell is None or ``""``.
        lines: (N,) line of the file on which each row begins, from 1; empty where the format
            has no lines.
        delimiter: In words, as sniffed; empty where the format has none.
        notes: What a user should be told of the reading.
    """

    source: str
    columns: dict[str, list[object]]
    lines: tuple[int, ...] = ()
    delimiter: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def listed(self) -> str:
        """Name the columns, for a message."""
        return ", ".join(map(brief, self.columns))

    def where(self, row: int) -> str:
        """Say where a row stands: counted from 1, and its line in the file where it has one."""
        line = f" (line {self.lines[row]})" if self.lines else ""
        return f"row {row + 1}{line}"

    def cells(self, column: str) -> list[str]:
        """Give a column as text; a missing cell is the empty string.

        Raises:
            InputError: A cell holds a list, an object or bytes.
        """
        values = self.columns[column]
        try:
            return [value if type(value) is str else cell_text(value) for value in values]
        except TypeError:
            row = next(row for row, value in enumerate(values) if not is_scalar(value))
            raise InputError(
                f"{self.source}, {self.where(row)}: column {column!r} holds a "
                f"{type(values[row]).__name__}, not text or a number; choose another column"
            ) from None


def is_scalar(value: object) -> bool:
    """Say whether a cell is text, a number, a truth value or missing."""
    return value is None or isinstance(value, (str, int, float))


def cell_text(value: object) -> str:
    """Write one cell as the text that a CSV file would hold.

    Raises:
        TypeError: The cell is no scalar.

    Example:
        >>> [cell_text(value) for value in ("a", 1, 2.0, True, None, float("nan"))]
        ['a', '1', '2.0', 'true', '', '']
    """
    if not is_scalar(value):
        raise TypeError(f"{type(value).__name__} is no scalar")
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def brief(cell: str) -> str:
    r"""Cut a name or a cell to what a one-line message can hold.

    Example:
        >>> brief("two\nlines"), len(brief("long " * 100))
        ('two lines', 48)
    """
    line = " ".join(cell[: 2 * _BRIEF].split())
    return line if len(line) <= _BRIEF else line[: _BRIEF - 1] + "…"


def some(items: Sequence[str], *, total: int = 0) -> str:
    """List the first few items, and count the rest.

    Args:
        items: What to list.
        total: How many there are, where ``items`` holds the first few only.

    Example:
        >>> some(["a", "b"]), some(["a"] * 7)
        ('a, b', 'a, a, a, a, a and 2 more')
    """
    rest = max(total, len(items)) - SHOWN
    return ", ".join(map(brief, items[:SHOWN])) + (f" and {rest} more" if rest > 0 else "")
