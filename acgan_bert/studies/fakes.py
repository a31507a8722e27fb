"""Fakes of a row and the real rows they are held against: what a study's maps are drawn of."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from acgan_bert.judge import Reference, Vectors
from mtl.files import write_bytes

MAPS = "maps"
"""Folder of a study."""
FAKES = "fakes"
"""Key, in what a row came to, of the content of its file there."""
MOST_ROWS = 300


def pack_fakes(reference: Reference, fake: Vectors, classes: tuple[str, ...]) -> bytes:
    """Return what a map needs of a row, as the bytes of a file.

    Args:
        reference: R real rows, in a random order.
        fake: (R, D) fakes, one for each and of its class.
        classes: Class names, in index order.

    Returns:
        At most :data:`MOST_ROWS` of both, ``real`` and ``fake`` (M, D), and their ``labels`` (M,);
        the names are under ``classes``.
    """
    tensors: dict[str, NDArray[Any]] = {
        "real": np.ascontiguousarray(reference.vectors[:MOST_ROWS]),
        "fake": np.ascontiguousarray(fake[:MOST_ROWS]),
        "labels": np.ascontiguousarray(reference.labels[:MOST_ROWS]),
    }
    return save(tensors, {"classes": json.dumps(classes)})


def write_fakes(study: Path, row: str, content: bytes) -> None:
    """Put the fakes of a row into the folder of a study."""
    folder = study / MAPS
    folder.mkdir(exist_ok=True)
    write_bytes(folder / f"{row}.safetensors", content)
