"""Which rows carry labels: stratified draws that nest, so that a study's rows compare.

A draw takes the first rows of one shuffle per class, hence the same seed with a larger share
holds every row of the smaller draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtl.errors import InputError
from mtl.text.data import Corpus

# Streams of one seed: a draw of labels, of unlabelled rows and of a held-out part are independent.
_LABELED, _UNLABELED, _SET_ASIDE = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows of a training corpus that are trained on.

    Args:
        labeled: Sorted int64 row indices whose labels may be used.
        unlabeled: Sorted int64 row indices whose texts alone may be used.
    """

    labeled: NDArray[np.int64]
    unlabeled: NDArray[np.int64]

    def counts(self) -> dict[str, int]:
        """Return how many rows of either kind there are."""
        return {"labeled": len(self.labeled), "unlabeled": len(self.unlabeled)}


def draw_labels(
    labels: ArrayLike,
    *,
    fraction: float = 1.0,
    per_class: int = 0,
    unlabeled_fraction: float = 1.0,
    imbalance: float = 1.0,
    unlabeled_imbalance: float = 1.0,
    seed: int,
    classes: Sequence[str] = (),
) -> Split:
    """Draw the rows that keep their labels, class by class; the others are unlabelled.

    Args:
        labels: (N,) class indices; -1 where there is no label to draw.
        fraction: Share of each class, in (0, 1]; at least one row of every class is drawn.
        per_class: Rows of each class, instead of a share, where above 0.
        unlabeled_fraction: Share of the other rows that is used without labels, in [0, 1].
        imbalance: How many times as many of its labels the first class keeps as the last; below 1
            the last keeps more. Classes between lie on a geometric series, as in long-tailed
            benchmarks (Cui et al. 2019). One label of each is kept.
        unlabeled_imbalance: Likewise of the rows without labels, by the labels that they hide; rows
            that never had one all stay.
        seed: Draws with the same seed nest.
        classes: Class names, for messages.

    Raises:
        InputError: A share is out of range, no row is labelled, all are of one class, or a class
            has fewer than ``per_class`` rows.

    Example:
        >>> split = draw_labels([0, 0, 1, 1, -1], per_class=1, seed=0)
        >>> len(split.labeled), len(split.unlabeled)
        (2, 3)
    """
    array = np.asarray(labels, dtype=np.int64)
    _check_share(fraction, "label_fraction", zero_allowed=False)
    _check_share(unlabeled_fraction, "unlabeled_fraction", zero_allowed=True)
    if per_class < 0:
        raise InputError(f"labels_per_class is {per_class}; give 1 or more, or 0 for a share")
    counts = _class_counts(array, classes)
    for index, count in counts.items():
        if count < per_class:
            raise InputError(
                f"labels_per_class is {per_class}, but class {_name(index, classes)} has {count} "
                f"labelled row{'s' * (count != 1)}; give {min(counts.values())} at most"
            )
    kept = _long_tail(list(counts), imbalance, "label_imbalance")
    sizes = {
        index: max(1, round(kept[index] * (per_class or fraction * count)))
        for index, count in counts.items()
    }
    labeled = _draw(array, sizes, seed=seed, stream=_LABELED)
    others = _draw_others(len(array), labeled, unlabeled_fraction, seed)
    kept = _long_tail(list(counts), unlabeled_imbalance, "unlabeled_imbalance")
    return Split(labeled, _thinned(others, array, kept))


def set_aside(corpus: Corpus, *, fraction: float, seed: int) -> tuple[Corpus, Corpus]:
    """Set a share of the labelled rows aside, class by class, as a dev or test part.

    Unlabelled rows, on which nothing can be scored, stay; so does one row of every class.

    Args:
        corpus: All rows.
        fraction: Share of each class, in (0, 1).
        seed: Draws with the same seed nest.

    Returns:
        The rest and the part set aside, rows in their order.

    Raises:
        InputError: The fraction is out of range, or leaves one of the two without labels.
    """
    if not 0 < fraction < 1:
        raise InputError(
            f"the share to set aside is {fraction:g}; give a fraction above 0 and below 1"
        )
    counts = _class_counts(corpus.labels, corpus.task.classes)
    sizes = {
        index: min(count - 1, max(1, round(fraction * count))) for index, count in counts.items()
    }
    part = _draw(corpus.labels, sizes, seed=seed, stream=_SET_ASIDE)
    if not part.size:
        raise InputError(
            f"{corpus.source}: every class has a single row, so that none can be set aside; give "
            "more rows, or no share to set aside"
        )
    rest = np.setdiff1d(np.arange(len(corpus)), part, assume_unique=True)
    return corpus.select(rest), corpus.select(part)


def _draw(
    labels: NDArray[np.int64], sizes: dict[int, int], *, seed: int, stream: int
) -> NDArray[np.int64]:
    """Take the first so many rows of one shuffle of each class."""
    drawn = [
        _generator(seed, stream, index).permutation(np.flatnonzero(labels == index))[:size]
        for index, size in sizes.items()
    ]
    return np.sort(np.concatenate(drawn))


def _draw_others(
    num_rows: int, labeled: NDArray[np.int64], fraction: float, seed: int
) -> NDArray[np.int64]:
    # All rows are shuffled, not the others only, so that label draws of any size share an order.
    order = _generator(seed, _UNLABELED).permutation(num_rows)
    others = order[~np.isin(order, labeled)]
    return others[: round(fraction * len(others))]


def _long_tail(classes: Sequence[int], ratio: float, key: str) -> dict[int, float]:
    """Return the share that each class keeps: from 1 at one end to 1 / ratio at the other."""
    if not 0 < ratio < float("inf"):
        raise InputError(f"{key} is {ratio:g}; give a number above 0, 1 for what there is")
    places = np.linspace(0.0, 1.0, len(classes)) - (ratio < 1)
    return dict(zip(classes, (ratio**-places).tolist(), strict=True))


def _thinned(
    rows: NDArray[np.int64], labels: NDArray[np.int64], kept: dict[int, float]
) -> NDArray[np.int64]:
    """Take the first share of the rows of each class, sorted; of no class, all."""
    parts = [rows[labels[rows] < 0]]
    for index, share in kept.items():
        of_class = rows[labels[rows] == index]
        parts.append(of_class[: round(share * len(of_class))])
    return np.sort(np.concatenate(parts))


def _generator(seed: int, *stream: int) -> np.random.Generator:
    if seed < 0:
        raise InputError(f"seed is {seed}; give 0 or more")
    return np.random.default_rng((seed, *stream))


def _class_counts(labels: NDArray[np.int64], classes: Sequence[str]) -> dict[int, int]:
    present, counts = np.unique(labels[labels >= 0], return_counts=True)
    if not present.size:
        raise InputError("no row is labelled; label some rows of the training data")
    if present.size == 1:
        raise InputError(
            f"all {counts[0]} labelled rows are of one class, {_name(int(present[0]), classes)}; "
            "two classes at least are needed"
        )
    return dict(zip(present.tolist(), counts.tolist(), strict=True))


def _name(index: int, classes: Sequence[str]) -> str:
    return repr(classes[index]) if index < len(classes) else str(index)


def _check_share(value: float, key: str, *, zero_allowed: bool) -> None:
    if not (0 < value <= 1 or (zero_allowed and value == 0)):
        allowed = "from 0 to 1" if zero_allowed else "above 0 and at most 1"
        raise InputError(f"{key} is {value:g}; give a fraction {allowed}")
