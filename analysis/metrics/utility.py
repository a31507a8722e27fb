"""What fakes are good for: classifiers trained on them, tested on them, trained with their help.

Source: classification accuracy score, Ravuri & Vinyals 2019, arXiv 1905.10887; train on one, test
on the other, Esteban et al. 2017, arXiv 1706.02633; shrinkage, Ledoit & Wolf 2004.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from analysis.distances import Matrix, as_label_pair, as_sample_pair
from analysis.statistics import (
    Interval,
    accuracy_interval,
    exact_mcnemar,
    paired_accuracy_interval,
)

Hits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class LinearClassifier:
    """Linear discriminant analysis with one covariance, shrunk after Ledoit & Wolf.

    It has no penalty to choose, so that what it gains from further rows is the rows' merit.

    Attributes:
        classes: labels, (C,).
        weights: (D, C).
        offsets: (C,).
    """

    classes: np.ndarray
    weights: Matrix
    offsets: Matrix

    @classmethod
    def fit(cls, rows: Matrix, labels: np.ndarray) -> Self:
        """Fit it to rows (N, D) and their labels (N,)."""
        from sklearn.covariance import ledoit_wolf

        classes, index, counts = np.unique(labels, return_inverse=True, return_counts=True)
        means = np.stack([rows[index == c].mean(axis=0) for c in range(len(classes))])
        residuals = rows - means[index]
        if residuals.any():
            covariance = ledoit_wolf(residuals, assume_centered=True)[0]
        else:  # a row a class, or fakes that are one point each: the nearest mean
            covariance = np.eye(rows.shape[1])
        # Fakes that fill a plane leave no spread beside it; what is real would be blown up there.
        covariance += 1e-6 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        weights = np.linalg.solve(covariance, means.T)
        offsets = np.log(counts / counts.sum()) - 0.5 * np.einsum("cd,dc->c", means, weights)
        return cls(classes, weights, offsets)

    def hits(self, rows: Matrix, labels: np.ndarray) -> Hits:
        """Say which rows (N, D) it puts into their class, (N,)."""
        answers = self.classes[(rows @ self.weights + self.offsets).argmax(axis=1)]
        return np.asarray(answers == labels)


@dataclass(frozen=True, slots=True)
class Use:
    """One measure of use, of one class or overall.

    Attributes:
        value: an accuracy, or of a gain the difference of two.
        interval: 95 %, Wilson's of an accuracy; paired, of a gain.
        floor: the same with real rows in the fakes' place.
        floor_interval: of the floor.
        p_value: of an accuracy, two-sided, that it is the floor's (exact McNemar test on the same
            rows, Fisher's on different ones); of a gain, that it is 0 (McNemar). It takes the
            classifiers as they are: what chance did to the rows they were fitted to is left out.
        rows: rows that were classified.
    """

    value: float
    interval: Interval
    floor: float
    floor_interval: Interval
    p_value: float
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Which rows were classified rightly with fakes, and with real rows in their place.

    Attributes:
        labels: classes of the rows classified, (N,).
        hits: with fakes, (N,).
        floor_labels: classes of the rows that the floor is of, (M,); the same rows where paired.
        floor_hits: with real rows, (M,).
        before: of a gain, with neither, (N,); else None.
        paired: whether both are about the same rows.
    """

    labels: np.ndarray
    hits: Hits
    floor_labels: np.ndarray
    floor_hits: Hits
    before: Hits | None = None
    paired: bool = True

    def of(self, label: object = None) -> Use | None:
        """Return the measure of one class, of all for None; None where no row was classified."""
        own = np.full(len(self.labels), True) if label is None else self.labels == label
        other = (
            np.full(len(self.floor_labels), True) if label is None else self.floor_labels == label
        )
        hits, floor = self.hits[own], self.floor_hits[other]
        if not len(hits) or not len(floor):
            return None
        if self.before is not None:
            before = self.before[own]
            return Use(
                float(hits.mean() - before.mean()),
                paired_accuracy_interval(hits, before),
                float(floor.mean() - before.mean()),
                paired_accuracy_interval(floor, before),
                exact_mcnemar(hits, before),
                len(hits),
            )
        return Use(
            float(hits.mean()),
            accuracy_interval(int(hits.sum()), len(hits)),
            float(floor.mean()),
            accuracy_interval(int(floor.sum()), len(floor)),
            exact_mcnemar(hits, floor) if self.paired else _fisher(hits, floor),
            len(hits),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Labeled:
    """Rows (N, D) and their classes (N,)."""

    rows: Matrix
    labels: np.ndarray

    def take(self, index: NDArray[np.int64]) -> "_Labeled":
        return _Labeled(self.rows[index], self.labels[index])

    def join(self, other: "_Labeled") -> "_Labeled":
        labels = np.concatenate([self.labels, other.labels])
        return _Labeled(np.concatenate([self.rows, other.rows]), labels)

    def fit(self) -> LinearClassifier:
        return LinearClassifier.fit(self.rows, self.labels)


def utility(
    real: ArrayLike,
    real_labels: ArrayLike,
    fake: ArrayLike,
    fake_labels: ArrayLike,
    *,
    few: ArrayLike | None = None,
    few_labels: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> dict[str, Answers]:
    """Classify with fakes, and with real rows in their place.

    The real rows are halved by class. Each half in turn is trained on, and its classes say how many
    fakes take its place; the other half is tested on. So value and floor are of the same sizes and
    the same test rows; fakes that are tested on stand beside as many real rows of each class.

    Args:
        real: held-out real rows, shape (N, D).
        real_labels: their classes, (N,).
        fake: shape (M, D).
        fake_labels: the classes asked for, (M,).
        few: real rows that there are to train on, (L, D); None: no gain is measured.
        few_labels: their classes, (L,).
        rng: seed or generator of the halves.

    Returns:
        ``train_on_fake`` (tested on real rows), ``test_on_fake`` (trained on real rows) and
        ``augmentation`` (``few`` and fakes against ``few`` alone); empty where fewer than two
        classes have two real rows and two fakes.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_y, fake_y = as_label_pair(real_labels, fake_labels, (len(real_ND), len(fake_MD)))
    true, made = _Labeled(real_ND, real_y), _Labeled(fake_MD, fake_y)
    there = None
    if few is not None:
        few_LD = as_sample_pair(real_ND, few, names=("real", "few"), minimum=1)[1]
        known, rows = np.asarray(few_labels), (len(real_ND), len(few_LD))
        there = _Labeled(
            few_LD, as_label_pair(real_y, known, rows, names=("real_labels", "few_labels"))[1]
        )
    generator = np.random.default_rng(rng)
    classes = [
        c for c in np.unique(true.labels) if min((p.labels == c).sum() for p in (true, made)) > 1
    ]
    if len(classes) < 2:
        return {}
    true_halves, made_halves = _halves(true, classes, generator), _halves(made, classes, generator)
    folds = [
        _fold(true_halves[turn], true_halves[1 - turn], made_halves, turn, there) for turn in (0, 1)
    ]
    return {name: _joined([fold[name] for fold in folds]) for name in folds[0]}


def _halves(
    rows: _Labeled, classes: list[Any], rng: np.random.Generator
) -> tuple[_Labeled, _Labeled]:
    """Part rows at random into halves with equal shares of the classes; others are left out."""
    order = [rng.permutation(np.flatnonzero(rows.labels == c)) for c in classes]
    parts = (np.concatenate([own[start::2] for own in order]) for start in (0, 1))
    first, second = (rows.take(part) for part in parts)
    return first, second


def _fold(
    fit: _Labeled,
    test: _Labeled,
    made: tuple[_Labeled, _Labeled],
    turn: int,
    few: _Labeled | None,
) -> dict[str, Answers]:
    """Train on one half and test on the other."""
    stand_in, fakes = _matched(fit, made[turn].join(made[1 - turn]))
    by_real = stand_in.fit()
    real_hits = by_real.hits(test.rows, test.labels)
    # Equal shares of the classes: fakes of harder ones in larger numbers are not worse for it.
    alike, judged = _matched(test, made[turn])
    found = {
        "train_on_fake": Answers(
            test.labels, fakes.fit().hits(test.rows, test.labels), test.labels, real_hits
        ),
        "test_on_fake": Answers(
            judged.labels,
            by_real.hits(judged.rows, judged.labels),
            alike.labels,
            by_real.hits(alike.rows, alike.labels),
            paired=False,
        ),
    }
    if few is not None:
        hits, floor, before = (
            rows.fit().hits(test.rows, test.labels)
            for rows in (few.join(fakes), few.join(stand_in), few)
        )
        found["augmentation"] = Answers(test.labels, hits, test.labels, floor, before)
    return found


def _matched(first: _Labeled, second: _Labeled) -> tuple[_Labeled, _Labeled]:
    """Take as many rows of each class from both; halves are in a random order within classes."""
    chosen: tuple[list[Any], list[Any]] = ([], [])
    for label in np.unique(first.labels):
        both = [np.flatnonzero(part.labels == label) for part in (first, second)]
        equal = min(map(len, both))
        for kept, own in zip(chosen, both, strict=True):
            kept.append(own[:equal])
    one, other = (
        part.take(np.concatenate(kept)) for part, kept in zip((first, second), chosen, strict=True)
    )
    return one, other


def _joined(folds: list[Answers]) -> Answers:
    """Put the answers of both folds behind each other."""
    first, second = folds
    before = None
    if first.before is not None and second.before is not None:
        before = np.concatenate([first.before, second.before])
    return Answers(
        np.concatenate([first.labels, second.labels]),
        np.concatenate([first.hits, second.hits]),
        np.concatenate([first.floor_labels, second.floor_labels]),
        np.concatenate([first.floor_hits, second.floor_hits]),
        before,
        first.paired,
    )


def _fisher(first: Hits, second: Hits) -> float:
    """Return Fisher's exact two-sided p-value that two are right equally often."""
    table = [[int(part.sum()), int((~part).sum())] for part in (first, second)]
    return float(stats.fisher_exact(table).pvalue)
