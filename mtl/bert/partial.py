"""A matrix on its way to disk: rows appended and journaled part by part; a kill costs one part.

A part counts once its bytes are on the disk and a line of the journal tells their SHA-256. Whoever
continues checks every journaled part and goes on behind the last one that is whole.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Parts = Callable[[int], Iterable[NDArray[np.float32]]]
"""Takes a row, and gives the rows from there on in blocks (n, D), drawn one at a time."""

JOURNAL = "journal.jsonl"

logger = logging.getLogger(__name__)


@contextmanager
def working_folder(folder: Path) -> Iterator[Path]:
    """Give a folder beside ``folder`` to write in: what an interrupted writer left, or a new one.

    One writer has it at a time; a second one meanwhile gets a folder of its own. What has been
    journaled stays after an interruption; after an error, or a rename, nothing does.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    shared = folder.with_name(f".{folder.name}.part")
    taken = _take(shared)
    path, kept = shared, False
    if taken is None:
        path = Path(tempfile.mkdtemp(prefix=".", suffix=".part", dir=folder.parent))
    try:
        yield path
    except Exception:
        raise
    except BaseException:
        journal = path / JOURNAL
        kept = taken is not None and journal.is_file() and journal.stat().st_size > 0
        raise
    finally:
        # Once it is renamed, another writer may have made a folder of the same name.
        if not kept and (taken is None or _is(taken, path)):
            shutil.rmtree(path, ignore_errors=True)
        if taken is not None:
            os.close(taken)


def append_parts(path: Path, parts: Parts, *, header: bytes, shape: tuple[int, int]) -> None:
    """Write a file of a header and a float32 matrix, or go on with one, and sync it.

    The journal stays: what the caller does next may be interrupted too.

    Args:
        path: The file; its journal is beside it.
        parts: Gives the rows that are missing.
        header: What stands before the matrix.
        shape: (N, D).

    Raises:
        ValueError: Not N rows came.
        OSError: The disk is full; too little room is noticed before any row is asked for.
    """
    journal = path.with_name(JOURNAL)
    row_bytes = 4 * shape[1]
    with path.open("r+b" if path.exists() else "w+b") as file, journal.open("a+b") as lines:
        rows = _whole_rows(file, lines, header=header, shape=shape)
        _check_room(path, row_bytes * (shape[0] - rows))
        file.seek(0)
        file.write(header)
        file.truncate(len(header) + row_bytes * rows)
        file.seek(0, os.SEEK_END)
        for part in parts(rows):
            data = np.ascontiguousarray(part, dtype="<f4").data
            file.write(data)
            rows += len(part)
            if rows < shape[0]:  # behind the last part the index follows
                _sync(file)
                line = {"rows": rows, "sha256": hashlib.sha256(data).hexdigest()}
                lines.write(json.dumps(line).encode() + b"\n")
                _sync(lines)
        if rows != shape[0]:
            raise ValueError(f"{rows} rows came, {shape[0]} were announced")
        _sync(file)


def _whole_rows(file: BinaryIO, lines: BinaryIO, *, header: bytes, shape: tuple[int, int]) -> int:
    """Count the rows of a file that its journal vouches for, and cut the journal behind them."""
    lines.seek(0)
    rows, end = 0, 0
    file.seek(0)
    for line in lines if file.read(len(header)) == header else ():
        try:
            told = json.loads(line)
            size = 4 * shape[1] * (told["rows"] - rows)
            if not line.endswith(b"\n") or size <= 0 or not told["rows"] < shape[0]:
                break
            if hashlib.sha256(file.read(size)).hexdigest() != told["sha256"]:
                break
        except (ValueError, KeyError, TypeError):
            break
        rows, end = told["rows"], end + len(line)
    lines.truncate(end)
    if rows:
        logger.info("going on with %s behind row %d of %d", file.name, rows, shape[0])
    return rows


def _take(folder: Path) -> int | None:
    """Make and open a folder for this writer alone, until it is closed; None where it is taken."""
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # its last writer has just renamed it, or it cannot be made
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is(descriptor, folder):
            return descriptor
    except OSError:  # taken, or on a file system that locks no folders
        pass
    os.close(descriptor)
    return None


def _is(descriptor: int, path: Path) -> bool:
    """Say whether an open folder is the one that has this name now."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _check_room(path: Path, size: int) -> None:
    """Find out now, not in hours, that there is no room for so many bytes more."""
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {size} bytes needed", str(path))


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
