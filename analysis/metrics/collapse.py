"""Whether a conditional generator has collapsed, class by class and overall.

One number is not enough: collapse inside a class hides behind perfect separation of the classes.
Every measure is put beside what held-out real rows give at the same sizes, limits are taken from
there, and one verdict names the measures that led to it.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_label_pair, as_sample_pair, as_sample_sets
from analysis.metrics.diversity import different_bins
from analysis.metrics.gauge import LEAST_ROWS, PARTINGS, Gauge
from analysis.neighbors import nearest_real, suspicious
from analysis.statistics import Interval, accuracy_interval, difference_interval

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
        real rows in clusters that fakes hardly visit); beside each of the ratios, the duplicates
        and missed modes: ``NAME_low`` and ``NAME_high`` (95 %), ``NAME_floor`` (the same of
        held-out real rows), ``NAME_floor_low``, ``NAME_floor_high`` (where 95 % of their draws
        lie) and ``NAME_limit`` (beyond which it speaks of collapse); ``different_bins`` and
        ``bins_p_value`` (of :func:`analysis.metrics.diversity.different_bins`);
        ``conditional_accuracy`` and ``conditional_floor`` (share of fakes, and of held-out real
        rows, that a classifier trained on real rows puts into their class); ``memorized`` and
        ``memorized_floor`` (share of fakes, and of held-out real rows, that
        :func:`analysis.memorized` flags), these four with ``_low`` and ``_high`` (Wilson's, with
        the classifier as it is); ``verdict``,
        the first that holds of ``collapsed``, ``off class``, ``memorized``, ``different`` (clusters
        of real rows are visited in other shares, and no more is known), ``sound``, or
        ``not judged``; ``collapsed``; ``flags`` (measures beyond their limits, with ", " between);
        ``reason`` (the same in words). NaN marks what too few rows leave unmeasured: below 15 real
        or fake ones the effective rank is noise, and below 30 real ones limits are fixed numbers.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """
    return collapse_reports(real, real_labels, [fake], fake_labels, train=train, rng=rng)[0]


def collapse_reports(
    real: ArrayLike,
    real_labels: ArrayLike,
    fakes: Sequence[ArrayLike],
    fake_labels: ArrayLike,
    *,
    train: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> list[pd.DataFrame]:
    """Measure collapse of several sets of fakes of the same labels; limits are found once for all.

    Each table is what :func:`collapse_report` gives of that set and the same seed.

    Args:
        real: as for :func:`collapse_report`.
        real_labels: as for :func:`collapse_report`.
        fakes: sets of fakes, each of shape (M, D).
        fake_labels: the class that the fakes of each set were asked for, shape (M,).
        train: as for :func:`collapse_report`.
        rng: as for :func:`collapse_report`.

    Raises:
        ValueError: as :func:`collapse_report`, there is no set, or they differ in their number of
            rows.
    """
    real_ND, sets = as_sample_sets(real, fakes)
    real_y, fake_y = as_label_pair(real_labels, fake_labels, (len(real_ND), len(sets[0])))
    generator = np.random.default_rng(rng)
    hits, floor_rows, floor_hits = conditional_hits(real_ND, real_y, sets, fake_y, generator)
    copies, floor_copies = _copies(real_ND, sets, train)
    tables: list[list[dict[str, Any]]] = [[] for _ in sets]
    for label in (*np.union1d(real_y, fake_y), None):
        own_real = np.full(len(real_y), True) if label is None else real_y == label
        own_fake = np.full(len(fake_y), True) if label is None else fake_y == label
        name = "overall" if label is None else label.item()
        varied = _diversity(real_ND[own_real], [fake[own_fake] for fake in sets], generator)
        for number, rows in enumerate(tables):
            row: dict[str, Any] = {"class": name} | varied[number]
            accurate = (hits[number][own_fake], floor_hits[own_real[floor_rows]])
            copied = (copies[number][own_fake], floor_copies[own_real])
            row |= _shares("conditional_accuracy", "conditional_floor", *accurate)
            row |= _shares("memorized", "memorized_floor", *copied)
            inside = sum(of_class["collapsed"] for of_class in rows) if label is None else 0
            rows.append(row | _judge(row, accurate, copied, inside=inside, classes=len(rows)))
    return [pd.DataFrame(rows) for rows in tables]


def _diversity(
    real: Matrix, sets: Sequence[Matrix], rng: np.random.Generator
) -> list[dict[str, Any]]:
    """Measure how much fakes vary beside real rows; nothing where there are too few."""
    rows: list[dict[str, Any]] = [{"real": len(real), "fake": len(fake)} for fake in sets]
    if min(len(real), len(sets[0])) < LEAST_ROWS:
        return rows
    gauge = Gauge(real, len(sets[0]), rng=rng)
    halves, half = gauge, len(sets[0]) // 2
    if gauge.size > half:  # an interval wants samples of at most half of the fakes
        halves = Gauge(real, half, rng=deepcopy(rng), partings=PARTINGS // 2)
    after = rng
    for row, fake in zip(rows, sets, strict=True):
        after = deepcopy(rng)  # each set meets the same draws, as if it were the only one
        readings = gauge.readings(fake, rng=after)
        row |= gauge.mean(readings)
        others = readings if halves is gauge else halves.readings(fake, rng=deepcopy(after))
        row |= halves.ends(row, others) | gauge.floor_ends()
        row["distinct_floor"] = float(gauge.floors["distinct_neighbors"].mean())
        row["duplicate_floor"] = row["duplicate_rate_floor"]
        row |= {f"{name}_limit": limit for name, limit in gauge.limits.items()}
        bins = different_bins(real, fake, rng=after)
        row |= {"different_bins": bins.different, "bins_p_value": bins.p_value}
        row["_beyond"] = gauge.beyond(row)
    rng.bit_generator.state = after.bit_generator.state
    return rows


def conditional_hits(
    real: Matrix,
    real_y: np.ndarray,
    sets: Sequence[Matrix],
    fake_y: np.ndarray,
    rng: np.random.Generator,
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Classify fakes and held-out real rows with a classifier fitted on half of the real rows.

    Returns:
        Hits of the fakes of each set, shape (M,); indices of the held-out real rows and their hits.
        All hits are NaN where the real rows do not offer two classes.
    """
    from sklearn.linear_model import LogisticRegression

    order = rng.permutation(len(real))
    order = order[np.argsort(real_y[order], kind="stable")]
    fit, held_out = order[::2], order[1::2]
    if len(np.unique(real_y[fit])) < 2:
        unknown = [np.full(len(fake_y), np.nan) for _ in sets]
        return unknown, held_out, np.full(len(held_out), np.nan)
    # One scale for all columns: encoders have dead ones, whose own scale would blow fakes up.
    center = real[fit].mean(axis=0)
    scale = max(float((real[fit] - center).std()), 1e-12)
    real = (real - center) / scale
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=1000)
    model.fit(real[fit], real_y[fit])
    hits = [(model.predict((fake - center) / scale) == fake_y).astype(float) for fake in sets]
    return hits, held_out, (model.predict(real[held_out]) == real_y[held_out]).astype(float)


def _copies(
    real: Matrix, sets: Sequence[Matrix], train: ArrayLike | None
) -> tuple[list[np.ndarray], np.ndarray]:
    """Flag fakes (M,) of each set and real rows (N,) that repeat training rows; NaN without these.

    Each half of the real rows says what is near for the other; fakes are held against both.
    """
    train_LD = None
    if train is not None:
        train_LD = as_sample_pair(real, train, names=("real", "train"), minimum=1)[1]
    floor = np.full(len(real), np.nan)
    if train_LD is None or len(real) < 2 * LEAST_ROWS:
        return [np.full(len(fake), np.nan) for fake in sets], floor
    near = nearest_real(np.concatenate([real, *sets]), train_LD, k=1)[1][:, 0]
    usual, *found = np.split(near, len(real) + np.arange(len(sets)) * len(sets[0]))
    for start in (0, 1):
        floor[start::2] = suspicious(usual[start::2], usual[1 - start :: 2])
    return [suspicious(of_set, usual).astype(float) for of_set in found], floor


def _shares(name: str, floor_name: str, hits: np.ndarray, floor: np.ndarray) -> dict[str, float]:
    """Average the hits of fakes and of held-out real rows, each with its 95 % interval, Wilson's.

    NaN where there are none.
    """
    row: dict[str, float] = {}
    for key, found in ((name, hits), (floor_name, floor)):
        share = float(found.mean()) if len(found) else float("nan")
        ends = Interval(np.nan, np.nan)
        if share == share:
            ends = accuracy_interval(int(found.sum()), len(found))
        row |= {key: share, f"{key}_low": ends.low, f"{key}_high": ends.high}
    return row


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
