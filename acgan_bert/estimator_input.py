"""What the scikit-learn face is given: texts or a matrix, labels of any kind, a seed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task


def unlabeled_corpus(X: Sequence[str], classes: tuple[str, ...] = ()) -> Corpus:
    """Put texts into a corpus without labels."""
    texts = tuple(X)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"X: row {row} is {text!r}; every row must be a string")
    task = Task(name="text", arity=1, output="classes", classes=classes)
    unlabeled, ids = np.full(len(texts), -1), tuple(str(row) for row in range(len(texts)))
    return Corpus(task, "fit", ids, texts, None, unlabeled, None, ())


def is_text(X: Any) -> bool:  # noqa: ANN401
    """Return whether X is a sequence of strings rather than a matrix or a table."""
    if isinstance(X, str):
        raise InputError("X: one string was given; a list of strings is needed")
    if len(getattr(X, "shape", (0,))) != 1 or not hasattr(X, "__len__"):
        return False
    return isinstance(next(iter(X), None), str)


def encode_labels(y: Any, *, count: int) -> tuple[np.ndarray, np.ndarray]:  # noqa: ANN401
    """Return class indices (N,), -1 where unlabelled, and the sorted classes (C,).

    Raises:
        InputError: The labels do not fit the rows, or fewer than two classes are labelled.
    """
    if y is None:
        raise InputError("y: requires y to be passed, but the target y is None")
    raw = list(column_or_1d(np.asarray(y, dtype=object), warn=True))
    if len(raw) != count:
        raise InputError(f"y: {len(raw)} labels for {count} rows; give one per row, -1 if unknown")
    unknown = np.array([_is_unlabeled(value) for value in raw], dtype=bool)
    known = np.array([value for value, skip in zip(raw, unknown, strict=True) if not skip])
    if len(known) == 0:
        raise InputError("y: no labelled row; label at least one row of each of two classes")
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        raise InputError("y: contains infinity; a label is a string or an integer")
    check_classification_targets(known)
    classes, indices = np.unique(known, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"y: one class only ({classes.tolist()[0]!r}); label rows of two or more classes"
        )
    labels = np.full(count, -1, dtype=np.int64)
    labels[~unknown] = indices
    return labels, classes


def _is_unlabeled(value: Any) -> bool:  # noqa: ANN401
    return bool(pd.isna(value)) or value == "" or value in (-1, "-1")


def plain_value(value: Any) -> Any:  # noqa: ANN401
    """Return a NumPy number, as a parameter grid may hold, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """Turn what scikit-learn takes for randomness into a seed; a stream gives its next number."""
    if isinstance(random_state, (int, np.integer)):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
