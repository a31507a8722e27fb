"""What rows must be to be trained on: checked before anything is done with them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from acgan_bert.recipe import Recipe
from mtl.errors import InputError
from mtl.rows import Rows, blocks
from mtl.text.data import Corpus

if TYPE_CHECKING:
    from acgan_bert.trainer import TrainingRows


def check_text_rows(recipe: Recipe, rows: Corpus) -> None:
    """Refuse rows of one task that cannot be trained on, before anything is done with them.

    Raises:
        InputError: A class has no labelled row, or pairs are not read as one text where the encoder
            is trained.
    """
    trained = recipe.encoder.mode != "frozen"
    if trained and rows.task.arity == 2 and recipe.encoder.pair != "cross":
        raise InputError(
            f"encoder.pair {recipe.encoder.pair}: beside an encoder that is trained a pair is read "
            "as one text; use --encoder.pair cross"
        )
    check_classes(rows.labels, rows.task.classes)


def check_rows(rows: "TrainingRows") -> None:
    """Refuse rows that cannot be trained on.

    Raises:
        InputError: The matrix is not (N, D), holds NaN or infinity, does not fit the labels, or
            has fewer than two labelled classes.
    """
    check_vectors(rows.vectors)
    check_labels(rows)


def check_vectors(vectors: Rows) -> None:
    """Refuse a matrix that is not (N, D), or holds NaN or infinity; reads all of it.

    Raises:
        InputError: As :func:`check_rows`.
    """
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise InputError(
            f"embeddings: an (N, D) matrix is needed, found shape {vectors.shape}; "
            "give one row per text"
        )
    for start, block in blocks(vectors):
        finite = np.isfinite(block).all(axis=1)
        if not finite.all():
            raise InputError(
                f"embeddings: row {start + int(finite.argmin())} holds NaN or infinity; "
                "remove the row or embed its text again"
            )


def check_labels(rows: "TrainingRows") -> None:
    """Refuse labels that do not fit the vectors, or are of fewer than two classes.

    Raises:
        InputError: As :func:`check_rows`.
    """
    vectors, labels = rows.vectors, rows.labels
    if len(vectors) != len(labels):
        raise InputError(
            f"embeddings: {len(vectors)} rows, but {len(labels)} labels; give one label per row, "
            "-1 where there is none"
        )
    check_classes(labels, rows.classes)


def check_classes(labels: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Refuse labels (N,), -1 unknown, that leave a class without a row, or are of one class only.

    Raises:
        InputError: As said.
    """
    known = np.unique(labels[labels >= 0])
    if len(known) < len(classes) or len(known) < 2:
        found = ", ".join(classes[index] for index in known) or "none"
        raise InputError(
            f"labels: {len(classes)} classes, labelled rows only for: {found}; "
            "label at least one row of each of two or more classes"
        )
