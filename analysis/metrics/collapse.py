"""Whether a conditional generator has collapsed, class by class and overall.

One number is not enough: collapse inside a class hides behind perfect separation of the classes.
Every measure is put beside what held-out real rows give at the same sizes, limits are taken from
there, and one verdict names the measures that led to it.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_labels, as_sample_pair
from analysis.metrics.diversity import different_bins
from analysis.metrics.gauge import LEAST_ROWS, Gauge
from analysis.neighbors import memorized
from analysis.statistics import difference_interval

PLACES = ("distinct_ratio", "missed_modes")
"""Measures that ask where fakes lie; of those put into another class they say nothing."""
WRONG_CLASS_SHARE, COPIED_SHARE = 0.1, 0.05
COLLAPSED, OFF_CLASS, MEMORIZED, DIFFERENT, SOUND, NOT_JUDGED = (
    "collapsed",
    "off class",
    "memorized",
    "different",
    "sound",
    "not judged",
)


def collapse_report(
    real: ArrayLike,
    real_labels: ArrayLike,
    fake: ArrayLike,
    fake_labels: ArrayLike,
    *,
    train: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Measure collapse, a row per class and one row ``overall``.

    Args:
        real: real embeddings that the generator was not trained on, shape (N, D).
        real_labels: their classes, shape (N,).
        fake: generated embeddings, shape (M, D).
        fake_labels: the class that each was asked for, shape (M,).
        train: rows that the generator was trained on, shape (L, D); None: copies go unseen.
        rng: seed or generator of the subsamples and halves.

    Returns:
        Columns: ``class`` (the label, or "overall"); ``real`` and ``fake`` (rows);
        ``rank_real``, ``rank_fake``, ``rank_ratio`` (participation ratio of the covariance);
        ``spread_ratio`` (mean pairwise distance, fake / real); ``vendi_real``, ``vendi_fake``,
        ``vendi_ratio``; ``distinct_neighbors`` and ``distinct_floor`` (different nearest real rows
        per fake, and per held-out real row), ``distinct_ratio``; ``duplicate_rate`` and
        ``duplicate_floor`` (share of repeated fakes, and real rows); ``missed_modes`` (share of
        real rows in clusters that fakes hardly visit); ``NAME_limit`` beside each of the measures
        that the verdict looks at; ``different_bins`` and ``bins_p_value`` (of
        :func:`analysis.metrics.diversity.different_bins`); ``conditional_accuracy`` and
        ``conditional_floor`` (share of fakes, and of held-out real rows, that a classifier
        trained on real rows puts into their class); ``memorized`` and ``memorized_floor`` (share of
        fakes, and of held-out real rows, that :func:`analysis.memorized` flags); ``verdict``,
        the first that holds of ``collapsed``, ``off class``, ``memorized``, ``different`` (clusters
        of real rows are visited in other shares, and no more is known), ``sound``, or
        ``not judged``; ``collapsed``; ``flags`` (measures beyond their limits, with ", " between);
        ``reason`` (the same in words). NaN marks what too few rows leave unmeasured: below 15 real
        or fake ones the effective rank is noise, and below 30 real ones limits are fixed numbers.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_y = as_labels(real_labels, len(real_ND), "real_labels")
    fake_y = as_labels(fake_labels, len(fake_MD), "fake_labels")
    generator = np.random.default_rng(rng)
    hits, floor_rows, floor_hits = _conditional_hits(real_ND, real_y, fake_MD, fake_y, generator)
    copies, floor_copies = _copies(real_ND, fake_MD, train)
    rows: list[dict[str, Any]] = []
    for label in (*np.union1d(real_y, fake_y), None):
        own_real = np.full(len(real_y), True) if label is None else real_y == label
        own_fake = np.full(len(fake_y), True) if label is None else fake_y == label
        row: dict[str, Any] = {"class": "overall" if label is None else label.item()}
        row |= _diversity(real_ND[own_real], fake_MD[own_fake], generator)
        accurate = (hits[own_fake], floor_hits[own_real[floor_rows]])
        copied = (copies[own_fake], floor_copies[own_real])
        row |= _shares("conditional_accuracy", "conditional_floor", *accurate)
        row |= _shares("memorized", "memorized_floor", *copied)
        inside = sum(of_class["collapsed"] for of_class in rows) if label is None else 0
        rows.append(row | _judge(row, accurate, copied, inside=inside, classes=len(rows)))
    return pd.DataFrame(rows)


def _diversity(real: Matrix, fake: Matrix, rng: np.random.Generator) -> dict[str, Any]:
    """Measure how much fakes vary beside real rows; nothing where there are too few."""
    row: dict[str, Any] = {"real": len(real), "fake": len(fake)}
    if min(len(real), len(fake)) < LEAST_ROWS:
        return row
    gauge = Gauge(real, len(fake), rng=rng)
    row |= gauge.read(fake, rng=rng)
    row["distinct_floor"] = float(gauge.floors["distinct_neighbors"].mean())
    row["duplicate_floor"] = float(gauge.floors["duplicate_rate"].mean())
    row |= {f"{name}_limit": limit for name, limit in gauge.limits.items()}
    bins = different_bins(real, fake, rng=rng)
    row |= {"different_bins": bins.different, "bins_p_value": bins.p_value}
    return row | {"_beyond": gauge.beyond(row)}


def _conditional_hits(
    real: Matrix, real_y: np.ndarray, fake: Matrix, fake_y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classify fakes and held-out real rows with a classifier fitted on half of the real rows.

    Returns:
        Hits of the fakes, shape (M,); indices of the held-out real rows and their hits. All
        hits are NaN where the real rows do not offer two classes.
    """
    from sklearn.linear_model import LogisticRegression

    order = rng.permutation(len(real))
    order = order[np.argsort(real_y[order], kind="stable")]
    fit, held_out = order[::2], order[1::2]
    if len(np.unique(real_y[fit])) < 2:
        return np.full(len(fake), np.nan), held_out, np.full(len(held_out), np.nan)
    # One scale for all columns: encoders have dead ones, whose own scale would blow fakes up.
    center = real[fit].mean(axis=0)
    scale = max(float((real[fit] - center).std()), 1e-12)
    real, fake = (real - center) / scale, (fake - center) / scale
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    model.fit(real[fit], real_y[fit])
    hits = (model.predict(fake) == fake_y).astype(float)
    return hits, held_out, (model.predict(real[held_out]) == real_y[held_out]).astype(float)


def _copies(real: Matrix, fake: Matrix, train: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
    """Flag fakes (M,) and real rows (N,) that repeat training rows; NaN without training rows.

    Each half of the real rows says what is near for the other; fakes are held against both.
    """
    flags = np.full(len(fake), np.nan), np.full(len(real), np.nan)
    if train is None or len(real) < 2 * LEAST_ROWS:
        return flags
    flags[0][:] = memorized(fake, train, real)
    for start in (0, 1):
        flags[1][start::2] = memorized(real[start::2], train, real[1 - start :: 2])
    return flags


def _shares(name: str, floor_name: str, hits: np.ndarray, floor: np.ndarray) -> dict[str, float]:
    """Average the hits of fakes and of held-out real rows; NaN where there are none."""
    return {
        name: float(hits.mean()) if len(hits) else float("nan"),
        floor_name: float(floor.mean()) if len(floor) else float("nan"),
    }


def _surely_above(first: np.ndarray, second: np.ndarray) -> float:
    """Return by how much one share exceeds another at least, at 95 %; −1 where unknown."""
    if not len(first) or not len(second) or np.isnan([*first[:1], *second[:1]]).any():
        return -1.0
    counts = int(first.sum()), int(second.sum())
    return difference_interval(counts, (len(first), len(second))).low


def _judge(
    row: dict[str, Any],
    accurate: tuple[np.ndarray, np.ndarray],
    copied: tuple[np.ndarray, np.ndarray],
    *,
    inside: int,
    classes: int,
) -> dict[str, Any]:
    """Give the verdict on one row, and what led to it.

    Args:
        row: its measures.
        accurate: hits of the fakes, and of held-out real rows.
        copied: which of both repeat training rows.
        inside: classes that have collapsed, of the row overall.
        classes: of how many.
    """
    beyond = row.pop("_beyond", None)
    if beyond is None:
        reason = f"not judged: fewer than {LEAST_ROWS} rows"
        return {"verdict": NOT_JUDGED, "collapsed": False, "flags": "", "reason": reason}
    off_class = _surely_above(accurate[1], accurate[0]) > WRONG_CLASS_SHARE
    copies = _surely_above(*copied) > COPIED_SHARE
    different = row["different_bins"] > 0.0
    lost = [name for name in beyond if not (off_class and name in PLACES)]
    verdicts = {
        COLLAPSED: bool(lost or inside),
        OFF_CLASS: off_class,
        MEMORIZED: copies,
        DIFFERENT: different,
        SOUND: True,
    }
    named = {"conditional_accuracy": off_class, "memorized": copies, "different_bins": different}
    flags = beyond + [name for name, holds in named.items() if holds]
    # Bins that differ are the mildest finding: beside a worse one they add nothing.
    worse = [name for name in flags if name != "different_bins" or flags == ["different_bins"]]
    said = [_WORDS[name].format(**row) for name in worse]
    if inside:
        said.append(f"collapsed inside {inside} of {classes} classes")
    return {
        "verdict": next(name for name, holds in verdicts.items() if holds),
        "collapsed": verdicts[COLLAPSED],
        "flags": ", ".join(flags),
        "reason": "; ".join(said),
    }


_WORDS = {
    "duplicate_rate": "{duplicate_rate:.0%} of the fakes repeat another one",
    "spread_ratio": "distances between fakes are {spread_ratio:.0%} of the real ones",
    "rank_ratio": "the effective rank is {rank_ratio:.0%} of the real one",
    "vendi_ratio": "the effective number of different fakes is {vendi_ratio:.0%} of the real one",
    "missed_modes": "{missed_modes:.0%} of real rows lie in modes hardly visited",
    "distinct_ratio": "fakes share few nearest real rows",
    "conditional_accuracy": "{conditional_accuracy:.0%} of the fakes are recognized as their class,"
    " of real rows {conditional_floor:.0%}",
    "memorized": "{memorized:.0%} of the fakes repeat training rows",
    "different_bins": "{different_bins:.0%} of the clusters of real rows are visited in other"
    " shares",
}
