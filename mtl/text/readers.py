"""Files -> Table: CSV, TSV, JSONL and Parquet, by the ending of the name; UTF-8 only.

Nothing in a file is ever executed. Every mistake names the file and, where it can, the line.
"""

import difflib
import json
import os
from pathlib import Path

from mtl.errors import InputError
from mtl.text.delimited import read_delimited
from mtl.text.hub import read_hub
from mtl.text.table import Table

_JSON_LINES = (".jsonl", ".ndjson", ".json")
_PARQUET = (".parquet", ".pq")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# Openings of files that a text column is sometimes mistaken for: zip and xlsx, gzip, Parquet, PDF.
_BINARY_MARKS = (b"PK\x03\x04", b"\x1f\x8b", b"PAR1", b"%PDF")


def read_table(source: str, *, split: str = "train") -> Table:
    """Read a file or a ``hub:`` address.

    Args:
        source: A path, or ``hub:OWNER/NAME[:CONFIG]``.
        split: Which part of a hub data set: ``train``, ``dev`` or ``test``.

    Raises:
        InputError: The source cannot be read, in one line that says where and what to do.
    """
    if source.startswith("hub:"):
        return read_hub(source, split=split)
    path = _existing_file(source)
    if path.suffix.lower() in _PARQUET:
        return read_parquet(source, path)
    text = read_text(source, path)
    if path.suffix.lower() in _JSON_LINES:
        return read_json_lines(source, text)
    return read_delimited(source, text)


def _existing_file(source: str) -> Path:
    # Unlike pathlib's, the functions of os.path answer False where a folder may not be searched.
    path = Path(os.path.expanduser(source))
    if os.path.isdir(path):
        raise InputError(f"{source}: this is a folder; name a file in it")
    if os.path.isfile(path):
        return path
    try:
        names = os.listdir(path.parent)
    except (OSError, ValueError):
        names = []
    close = difflib.get_close_matches(path.name, names, n=1)
    hint = f"did you mean {path.parent / close[0]}?" if close else "check the path"
    raise InputError(f"{source}: no such file; {hint}")


def read_text(source: str, path: Path) -> str:
    """Read a file as UTF-8, with or without a byte order mark.

    Raises:
        InputError: The file is empty, binary, UTF-16 or in another encoding.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror}); check it") from error
    if not content.strip():
        raise InputError(f"{source}: the file is empty; expected a header line and rows")
    if content.startswith(_UTF16_MARKS):
        raise InputError(f"{source}, line 1: the file is UTF-16; save it as UTF-8")
    null = content.find(b"\0")
    if null >= 0 or content.startswith(_BINARY_MARKS):
        line = content.count(b"\n", 0, max(null, 0)) + 1
        raise InputError(
            f"{source}, line {line}: the file is binary or UTF-16, not text; save it as UTF-8 text"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{source}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8 (the file "
            "may be Latin-1 or Windows-1252); save it as UTF-8"
        ) from error


def read_json_lines(source: str, text: str) -> Table:
    """Read one JSON object a line; a key that a line lacks is a missing cell there.

    Raises:
        InputError: A line is no JSON object, or no line has a key.
    """
    lines: list[int] = []
    records: list[dict[str, object]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            records.append(_json_object(source, number, line))
            lines.append(number)
    names = dict.fromkeys(name for record in records for name in record)
    if not names:
        raise InputError(f'{source}: the objects are empty; expected {{"text": …, "label": …}}')
    columns = {name: [record.get(name) for record in records] for name in names}
    return Table(source=source, columns=columns, lines=tuple(lines))


def _json_object(source: str, number: int, line: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except ValueError as error:
        reason = getattr(error, "msg", str(error))
        raise InputError(
            f"{source}, line {number}: not JSON ({reason}); write one object a line"
        ) from error
    except RecursionError:
        raise InputError(f"{source}, line {number}: nested too deeply") from None
    if not isinstance(record, dict):
        raise InputError(
            f"{source}, line {number}: a JSON {type(record).__name__}, not an object; write "
            'one {"text": …, "label": …} a line'
        )
    # An escape such as \ud83d alone is legal JSON, but no text that UTF-8 can hold.
    if "\\ud" in line.lower() and any(
        isinstance(cell, str) and not _is_unicode(cell) for cell in record.values()
    ):
        raise InputError(
            f"{source}, line {number}: half of a surrogate pair (an escape such as \\ud83d alone); "
            "write the whole character"
        )
    return record


def _is_unicode(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


def read_parquet(source: str, path: Path) -> Table:
    """Read a Parquet file through pyarrow, which is imported only here.

    Raises:
        InputError: pyarrow is not installed, or the file is damaged or without rows.
    """
    try:
        from pyarrow import ArrowException  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(
            f"{source}: Parquet files need pyarrow; pip install 'acgan-bert[hub]'"
        ) from error
    try:
        with ParquetFile(path) as file:
            columns = file.read().to_pydict()
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{source}: not a whole Parquet file ({reason}); write it anew") from error
    if not columns or not next(iter(columns.values())):
        raise InputError(f"{source}: no row; expected a text column and rows")
    return Table(source=source, columns=columns)
