"""Rows for training with few labels: classes in equal parts, and the surest of guessed ones."""

import numpy as np
from numpy.typing import NDArray


def balanced_rows(
    labels: NDArray[np.int64], count: int, stream: np.random.Generator
) -> NDArray[np.int64]:
    """Draw rows of all classes in equal parts.

    Where a class has fewer rows than its part, they come again: as a pair of one text under two
    dropout masks. Where there are more classes than the draw has pairs, some sit it out.

    Args:
        labels: (N,) classes; rows of -1 are not drawn.
        count: How many, at least 2.
        stream: Random numbers.
    """
    classes = stream.permutation(np.unique(labels[labels >= 0]))[: count // 2]
    sizes = [len(part) for part in np.array_split(np.arange(count), len(classes))]
    drawn = [
        np.resize(stream.permutation(np.flatnonzero(labels == index)), size)
        for index, size in zip(classes, sizes, strict=True)
    ]
    return np.concatenate(drawn)


def surest(probabilities: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Keep the likeliest class of the surest rows of each class, at least one row each.

    Args:
        probabilities: (n, C).
        share: How many of the rows of a class, in (0, 1].

    Returns:
        (n,) classes, -1 for the other rows.

    Example:
        >>> surest(np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]), 0.5).tolist()
        [0, -1, 1]
    """
    guessed, sureness = probabilities.argmax(axis=1), probabilities.max(axis=1)
    kept = np.full(len(probabilities), -1)
    for index in np.unique(guessed):
        rows = np.flatnonzero(guessed == index)
        first = rows[np.argsort(-sureness[rows], kind="stable")]
        kept[first[: max(1, round(share * len(rows)))]] = index
    return kept
