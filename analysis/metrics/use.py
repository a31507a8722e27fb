"""Every measure of use as one table: a row a measure and class, value beside floor.

Source: see :mod:`analysis.metrics.utility`, :mod:`analysis.metrics.two_sample` and
:mod:`analysis.metrics.memorization`, whose numbers these are.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_label_pair, as_sample_pair
from analysis.metrics.memorization import memorization
from analysis.metrics.two_sample import FOLDS, classifier_two_sample
from analysis.metrics.utility import utility
from analysis.statistics import Interval

LEAST_ROWS = 15
"""Real rows and fakes of a class below which nothing is said of it."""
UNLABELED = -1
OVERALL = "overall"
_BLANK = dict.fromkeys(("value", "low", "high", "floor", "floor_low", "floor_high", "p_value"))


def use_report(
    real: ArrayLike,
    real_labels: ArrayLike,
    fake: ArrayLike,
    fake_labels: ArrayLike,
    *,
    train: ArrayLike | None = None,
    train_labels: ArrayLike | None = None,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Measure what fakes are good for, overall and class by class.

    Args:
        real: real rows that the generator was not trained on, shape (N, D).
        real_labels: their classes, (N,).
        fake: shape (M, D).
        fake_labels: the classes asked for, (M,).
        train: rows that the generator was trained on, (L, D); None: neither gain nor memorization.
        train_labels: their classes, (L,), -1 where unlabelled; None: no gain.
        rng: seed or generator.

    Returns:
        A row a measure and class, columns ``class`` (the label, or "overall"), ``measure``,
        ``value``, ``low``, ``high`` (95 %), ``floor`` (the same of real rows in the fakes' place),
        ``floor_low``, ``floor_high`` (of ``two_sample`` and ``nearer_to_train``: where 95 % of
        what chance gives lie), ``p_value``, ``rows``, ``note`` (why there is no value).
        Measures: ``train_on_fake``, ``test_on_fake`` and ``augmentation`` of
        :func:`analysis.metrics.utility.utility`; ``two_sample`` (the accuracy of
        :func:`analysis.classifier_two_sample`); and overall alone, as training rows have no need of
        labels, ``nearer_to_train``, ``authenticity`` and ``copies`` of
        :func:`analysis.memorization`, the last two without p-values.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_y, fake_y = as_label_pair(real_labels, fake_labels, (len(real_ND), len(fake_MD)))
    generator = np.random.default_rng(rng)
    few: dict[str, Any] = {}
    train_ND = None
    if train is not None:
        train_ND = as_sample_pair(real_ND, train, names=("real", "train"), minimum=1)[1]
        if train_labels is not None:
            names, counts = ("real_labels", "train_labels"), (len(real_ND), len(train_ND))
            known = as_label_pair(real_y, train_labels, counts, names=names)[1]
            shown = known != UNLABELED
            few = {"few": train_ND[shown], "few_labels": known[shown]} if shown.any() else {}
    rows = _utility_rows(
        (real_ND, real_y), (fake_MD, fake_y), few, rng=generator
    ) + _two_sample_rows((real_ND, real_y), (fake_MD, fake_y), rng=generator)
    if train_ND is not None:
        rows += _memorization_rows(fake_MD, train_ND, real_ND, rng=generator)
    return pd.DataFrame(rows)


def _utility_rows(
    real: tuple[Matrix, np.ndarray],
    fake: tuple[Matrix, np.ndarray],
    few: dict[str, Any],
    *,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    answers = utility(*real, *fake, **few, rng=rng)
    if not answers:
        return [_row(OVERALL, "train_on_fake", note="fewer than two classes with rows of both")]
    rows = []
    for measure, found in answers.items():
        for label in (*_classes(real[1], fake[1]), None):
            use = found.of(label)
            name = OVERALL if label is None else label
            if label is not None and (note := _too_few(label, real[1], fake[1])):
                rows.append(_row(name, measure, note=note))
            elif use is not None:
                rows.append(
                    _row(
                        name,
                        measure,
                        **_between("", use.value, use.interval),
                        **_between("floor", use.floor, use.floor_interval),
                        p_value=use.p_value,
                        rows=use.rows,
                    )
                )
    return rows


def _two_sample_rows(
    real: tuple[Matrix, np.ndarray], fake: tuple[Matrix, np.ndarray], *, rng: np.random.Generator
) -> list[dict[str, Any]]:
    rows = []
    for label in (*_classes(real[1], fake[1]), None):
        name = OVERALL if label is None else label
        parts = [part if label is None else part[own == label] for part, own in (real, fake)]
        if min(map(len, parts)) < max(LEAST_ROWS, FOLDS):
            rows.append(_row(name, "two_sample", note=_few_rows(*map(len, parts))))
            continue
        found = classifier_two_sample(*parts, rng=rng)
        rows.append(
            _row(
                name,
                "two_sample",
                **_between("", found.accuracy, found.interval),
                **_between("floor", found.null, found.null_interval),
                p_value=found.p_value,
                rows=2 * found.rows,
            )
        )
    return rows


def _memorization_rows(
    fake: Matrix, train: Matrix, held_out: Matrix, *, rng: np.random.Generator
) -> list[dict[str, Any]]:
    least = min(len(fake), len(held_out), len(train))
    if least < LEAST_ROWS:
        return [_row(OVERALL, "nearer_to_train", note=_few_rows(least))]
    found = memorization(fake, train, held_out, rng=rng)
    nearer = _between("", found.nearer_to_train, found.interval)
    nearer |= _between("floor", 0.5, found.null_interval) | {"p_value": found.p_value}
    authentic = _between("", found.authenticity, found.authenticity_interval)
    authentic |= _between("floor", found.authenticity_floor, found.authenticity_floor_interval)
    copies = _between("", found.copies, found.copies_interval)
    copies |= _between("floor", found.copies_floor, found.copies_floor_interval)
    measures = {"nearer_to_train": nearer, "authenticity": authentic, "copies": copies}
    return [_row(OVERALL, name, **values, rows=found.rows) for name, values in measures.items()]


def _between(prefix: str, value: float, ends: Interval) -> dict[str, float]:
    """Name a value and the ends of its interval; a floor's with its prefix."""
    start = f"{prefix}_" if prefix else ""
    return {prefix or "value": value, f"{start}low": ends.low, f"{start}high": ends.high}


def _row(label: object, measure: str, **values: object) -> dict[str, Any]:
    """Make one row; what is not given is missing."""
    name = label.item() if isinstance(label, np.generic) else label
    return {"class": name, "measure": measure} | _BLANK | {"rows": 0, "note": ""} | values


def _classes(real_labels: np.ndarray, fake_labels: np.ndarray) -> list[Any]:
    return list(np.union1d(real_labels, fake_labels))


def _too_few(label: object, real_labels: np.ndarray, fake_labels: np.ndarray) -> str:
    """Say that a class has too few rows; '' where it has enough."""
    counts = [int((labels == label).sum()) for labels in (real_labels, fake_labels)]
    return _few_rows(*counts) if min(counts) < LEAST_ROWS else ""


def _few_rows(*counts: int) -> str:
    return f"not measured: {min(counts)} rows, {LEAST_ROWS} are needed"
