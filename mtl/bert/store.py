"""Embedding matrices on disk: a folder with one safetensors file and the index that checks it.

Rows are appended as they are made and read back through a memory map, so memory stays flat in
their number. A folder appears under its name in one rename, complete or not at all; until then
:mod:`mtl.bert.partial` keeps what an interruption leaves.
"""

import hashlib
import json
import logging
import math
import os
import shutil
import struct
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtl.bert.partial import JOURNAL, Parts, append_parts, working_folder
from mtl.rows import is_held

Matrix = NDArray[np.float32]

VECTORS = "vectors.safetensors"
INDEX = "index.json"
FORMAT = 1
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)

logger = logging.getLogger(__name__)


def read_matrix(folder: Path) -> Matrix | None:
    """Read a stored matrix, after its checksum.

    Args:
        folder: What :func:`write_matrix` made.

    Returns:
        The matrix with shape (N, D), memory-mapped: copy-on-write where it is small enough to be
        held, else read-only; or None where there is none. A damaged one is said in a log warning,
        removed, and then there is none.

    Raises:
        OSError: It cannot be read now; that is no damage, and nothing is removed.
    """
    if not folder.exists():
        return None
    try:
        index = json.loads((folder / INDEX).read_bytes())
        if index["format"] != FORMAT or _sha256(folder / VECTORS) != index["sha256"]:
            raise ValueError("the checksum of the vectors is not the one in the index")
        return _map(folder / VECTORS, shape=(index["rows"], index["dimension"]))
    except (*_ABSENT, ValueError, KeyError, TypeError) as error:
        logger.warning("embedding cache %s is damaged (%s); computing it again", folder, error)
    if folder.is_dir():
        shutil.rmtree(folder)
    else:
        folder.unlink()
    return None


def write_matrix(folder: Path, parts: Parts, *, shape: tuple[int, int]) -> Matrix:
    """Write a matrix part by part and give it its name at the end.

    After an interruption, a kill included, the next call goes on behind the last whole part. Two
    processes may write the same folder: the second one to finish discards its own.

    Args:
        folder: Name of the finished folder; its parents are made.
        parts: Gives the rows from the one it is called with on, in blocks (n, D).
        shape: (N, D).

    Returns:
        The matrix with shape (N, D), memory-mapped as :func:`read_matrix` does.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    with working_folder(folder) as temporary:
        vectors = temporary / VECTORS
        append_parts(vectors, parts, header=_header_bytes(shape), shape=shape)
        index = {"format": FORMAT, "rows": shape[0], "dimension": shape[1]}
        _write_index(temporary / INDEX, index | {"sha256": _sha256(vectors)})
        matrix = _map(vectors, shape=shape)
        (temporary / JOURNAL).unlink()
        _publish(temporary, folder)
    return matrix


def unnamed_matrix(folder: Path, parts: Parts, *, shape: tuple[int, int]) -> Matrix:
    """Put the parts into one matrix that nobody else will ask for.

    Returns:
        The matrix with shape (N, D): in memory where it is small enough to be held, else mapped
        read-only from a file in ``folder`` that has no name, and ends with the process.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    if is_held(shape):
        return np.concatenate([np.zeros((0, shape[1]), dtype=np.float32), *parts(0)])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        for part in parts(0):
            file.write(np.ascontiguousarray(part, dtype="<f4").data)
        file.flush()
        return np.asarray(np.memmap(file, dtype="<f4", mode="r", shape=shape))


def _header_bytes(shape: tuple[int, int]) -> bytes:
    """Return what stands before the matrix in its file."""
    header = json.dumps(_header(shape)).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header


def _header(shape: tuple[int, int]) -> dict[str, Any]:
    """Describe one float32 matrix as the safetensors format does."""
    offsets = [0, 4 * math.prod(shape)]
    return {"vectors": {"dtype": "F32", "shape": list(shape), "data_offsets": offsets}}


def _write_index(path: Path, index: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(index, file)
        file.flush()
        os.fsync(file.fileno())


def _publish(temporary: Path, folder: Path) -> None:
    """Rename into place; keep what another process has put there in the meantime."""
    try:
        temporary.rename(folder)
    except OSError:
        if not (folder / INDEX).is_file():
            raise
        return
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _map(path: Path, *, shape: tuple[int, int]) -> Matrix:
    """Map the tensor of a file that is known to be whole; changes stay in memory.

    What is too large to be held is mapped read-only: a system may count every page that might
    be changed as memory in use, and refuse.
    """
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if json.loads(file.read(length)) != _header(shape):
            raise ValueError("the index tells another shape than the vectors have")
    if math.prod(shape) == 0:
        return np.zeros(shape, dtype=np.float32)
    mode: Literal["c", "r"] = "c" if is_held(shape) else "r"
    return np.asarray(np.memmap(path, dtype="<f4", mode=mode, offset=8 + length, shape=shape))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
