"""Delimited text -> Table: the delimiter sniffed, every row's line number known.

A ragged row stops the reading. In tab-separated files a quote that does not enclose its whole
cell is a plain character, as in files that never quote; it must not swallow the rows after it.
"""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import dropwhile

from mtl.errors import InputError
from mtl.text.table import Table, brief, some

DELIMITERS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "pipe"}
# The unit separator stands in where a file has one column only: no text holds it.
NO_DELIMITER = "\x1f"
_NEWLINE = re.compile("\r\n|\r|\n")
_QUOTED = re.compile(r'"(?:[^"]|"")*"')
_SNIFFED_LINES = 21

Rows = list[tuple[int, list[str]]]


def read_delimited(source: str, text: str) -> Table:
    r"""Split text into named columns.

    Args:
        source: What messages call it.
        text: The whole decoded file, its first line the column names.

    Raises:
        InputError: Empty, header only, a column named twice, a ragged row, an unclosed quote.

    Example:
        >>> read_delimited("x.csv", "text;label\nfine;1\n").columns
        {'text': ['fine'], 'label': ['1']}
    """
    with _cells_of_any_length(len(text)):
        delimiter = sniff(text)
        rows = list(dropwhile(lambda row: not row[1], _split(source, text, delimiter)))
    if not rows:
        raise InputError(f"{source}: the file is empty; expected a header line and rows")
    header = [name.strip() for name in rows[0][1]]
    _check_header(f"{source}, line {rows[0][0]}", header)
    body = [(line, cells) for line, cells in rows[1:] if not _is_blank(cells, len(header))]
    if not body:
        raise InputError(
            f"{source}: only a header line ({', '.join(map(brief, header))}) and no row; "
            "add rows below it"
        )
    _check_widths(source, body, len(header), _in_words(delimiter))
    blank = [str(line) for line, cells in rows[1:] if _is_blank(cells, len(header))]
    inner = [line for line in blank if int(line) < body[-1][0]]
    return Table(
        source=source,
        columns={
            name: [cells[index] for _, cells in body] for index, name in enumerate(header) if name
        },
        lines=tuple(line for line, _ in body),
        delimiter=_in_words(delimiter),
        notes=(f"{source}: {len(inner)} blank lines left out: {some(inner)}",) if inner else (),
    )


def sniff(text: str) -> str:
    r"""Find the delimiter with which the header and the first rows agree on the most fields.

    Example:
        >>> sniff("id\ttext\n1\tWell, well, well\n")
        '\t'
    """
    lines = _NEWLINE.split(text, maxsplit=_SNIFFED_LINES)[:_SNIFFED_LINES]  # without the rest
    lines = [line for line in lines if line]
    best, best_score = NO_DELIMITER, (-1.0, 0)
    for delimiter in DELIMITERS:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter)]
        if not widths or widths[0] < 2:
            continue
        agreeing = sum(width == widths[0] for width in widths[1:]) / max(len(widths) - 1, 1)
        if (agreeing, widths[0]) > best_score:
            best, best_score = delimiter, (agreeing, widths[0])
    return best


def _in_words(delimiter: str) -> str:
    return DELIMITERS.get(delimiter, f"none of {', '.join(DELIMITERS.values())}")


def _split(source: str, text: str, delimiter: str) -> Rows:
    """Split into rows by lines where quotes cannot matter, else by the rules of CSV."""
    if delimiter in DELIMITERS and delimiter != "\t":
        return _by_quotes(source, text, delimiter)
    by_lines = _by_lines(text, delimiter)
    # In one column every line fits, in others some may: a quote left open says that a cell goes on.
    open_quote = any(_opens(cell) for _, cells in by_lines for cell in cells)
    aligned = len({len(cells) for _, cells in by_lines if cells}) == 1
    spans_lines = open_quote and (delimiter == NO_DELIMITER or _all_quoted(text, delimiter))
    if '"' not in text or (aligned and not spans_lines):
        return by_lines
    try:
        return _by_quotes(source, text, delimiter)
    except InputError:
        return by_lines


def _all_quoted(text: str, delimiter: str) -> bool:
    """Say whether the header has every cell in quotes: whoever wrote it leaves no quote stray."""
    header = _NEWLINE.split(text, maxsplit=1)[0]
    return all(_QUOTED.fullmatch(cell) for cell in header.split(delimiter))


def _by_lines(text: str, delimiter: str) -> Rows:
    return [
        (number, [_unquote(cell) for cell in line.split(delimiter)] if line else [])
        for number, line in enumerate(_NEWLINE.split(text), start=1)
    ]


def _by_quotes(source: str, text: str, delimiter: str) -> Rows:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: Rows = []
    first_line = 1
    try:
        for cells in reader:
            rows.append((first_line, cells))
            first_line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{source}, line {first_line}: the quotes of the row that begins here do not match "
            f"({error}); double each quote inside a quoted cell, and close it"
        ) from error
    return rows


def _unquote(cell: str) -> str:
    if cell.startswith('"') and _QUOTED.fullmatch(cell):
        return cell[1:-1].replace('""', '"')
    return cell


def _opens(cell: str) -> bool:
    return cell.startswith('"') and cell.count('"') % 2 == 1


def _is_blank(cells: list[str], width: int) -> bool:
    """Say whether a line is empty; in a single column ``""`` is an empty text, not a blank."""
    return not cells or (len(cells) == 1 < width and not cells[0].strip())


def _check_header(where: str, header: list[str]) -> None:
    for index, name in enumerate(header):
        if name and name in header[:index]:
            raise InputError(
                f"{where}: column {name!r} is named twice (fields "
                f"{header.index(name) + 1} and {index + 1}); rename one of them"
            )
    if not any(header):
        raise InputError(f"{where}: no column has a name; give a header line")


def _check_widths(source: str, rows: Rows, width: int, delimiter: str) -> None:
    for line, cells in rows:
        if len(cells) != width:
            raise InputError(
                f"{source}, line {line}: {len(cells)} fields found, {width} expected as in the "
                f"header (delimiter sniffed: {delimiter}); mend the row, or quote the cell that "
                "holds a delimiter"
            )


@contextmanager
def _cells_of_any_length(limit: int) -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a cell, which is global to a process."""
    previous = csv.field_size_limit(limit + 1)
    try:
        yield
    finally:
        csv.field_size_limit(previous)
