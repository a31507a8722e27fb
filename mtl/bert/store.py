"""Embedding matrices on disk: a folder with one safetensors file and the index that checks it.

Rows are appended as they are made and read back through a memory map, so memory stays flat in
their number. A folder appears under its name in one rename, complete or not at all.
"""

import hashlib
import json
import logging
import math
import os
import shutil
import struct
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]

VECTORS = "vectors.safetensors"
INDEX = "index.json"
FORMAT = 1

logger = logging.getLogger(__name__)


def read_matrix(folder: Path) -> Matrix | None:
    """Read a stored matrix, after its checksum.

    Args:
        folder: What :func:`write_matrix` made.

    Returns:
        The matrix with shape (N, D), memory-mapped copy-on-write; or None where there is none. A
        damaged one is said in a log warning, removed, and then there is none.
    """
    if not folder.exists():
        return None
    try:
        index = json.loads((folder / INDEX).read_bytes())
        if index["format"] != FORMAT or _sha256(folder / VECTORS) != index["sha256"]:
            raise ValueError("the checksum of the vectors is not the one in the index")
        return _map(folder / VECTORS, shape=(index["rows"], index["dimension"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("embedding cache %s is damaged (%s); computing it again", folder, error)
    if folder.is_dir():
        shutil.rmtree(folder)
    else:
        folder.unlink()
    return None


def write_matrix(folder: Path, parts: Iterable[Matrix], *, shape: tuple[int, int]) -> Matrix:
    """Write a matrix part by part and give it its name at the end.

    Two processes may write the same folder: the second one to finish discards its own.

    Args:
        folder: Name of the finished folder; its parents are made.
        parts: Blocks of rows, each (n, D), together (N, D); drawn one at a time.
        shape: (N, D).

    Returns:
        The matrix with shape (N, D), memory-mapped copy-on-write.

    Raises:
        OSError: The disk is full or not writable; nothing is left behind.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name[:16]}-", dir=folder.parent))
    try:
        _write_vectors(temporary / VECTORS, parts, shape=shape)
        index = {"format": FORMAT, "rows": shape[0], "dimension": shape[1]}
        _write_index(temporary / INDEX, index | {"sha256": _sha256(temporary / VECTORS)})
        matrix = _map(temporary / VECTORS, shape=shape)
        _publish(temporary, folder)
    finally:
        # After the rename there is nothing under this name.
        shutil.rmtree(temporary, ignore_errors=True)
    return matrix


def _write_vectors(path: Path, parts: Iterable[Matrix], *, shape: tuple[int, int]) -> None:
    """Write a safetensors file whose tensor ``vectors`` arrives in parts, and sync it."""
    header = json.dumps(_header(shape)).encode()
    header += b" " * (-len(header) % 8)
    rows = 0
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype="<f4").data)
            rows += len(part)
        if rows != shape[0]:
            raise ValueError(f"{rows} rows came, {shape[0]} were announced")
        file.flush()
        os.fsync(file.fileno())


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
    """Map the tensor of a file that is known to be whole; changes stay in memory."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if json.loads(file.read(length)) != _header(shape):
            raise ValueError("the index tells another shape than the vectors have")
    if math.prod(shape) == 0:
        return np.zeros(shape, dtype=np.float32)
    return np.asarray(np.memmap(path, dtype="<f4", mode="c", offset=8 + length, shape=shape))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
