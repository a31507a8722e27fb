"""Every measure of use as one table: a row a measure and class, value beside floor.

Source: see :mod:`analysis.metrics.utility`, :mod:`analysis.metrics.two_sample` and
:mod:`analysis.metrics.memorization`, whose numbers these are.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_labels, as_sample_pair
from analysis.metrics.memorization import memorization
from analysis.metrics.two_sample import FOLDS, classifier_two_sample
from analysis.metrics.utility import utility
from analysis.statistics import accuracy_interval

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
        ``floor_low``, ``floor_high``, ``p_value``, ``rows``, ``note`` (why there is no value).
        Measures: ``train_on_fake``, ``test_on_fake`` and ``augmentation`` of
        :func:`analysis.metrics.utility.utility`; ``two_sample`` (the accuracy of
        :func:`analysis.classifier_two_sample`); and overall alone, as training rows have no need of
        labels, ``nearer_to_train``, ``authenticity`` and ``copies`` of
        :func:`analysis.memorization`, the last two without p-values.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_y = as_labels(real_labels, len(real_ND), "real_labels")
    fake_y = as_labels(fake_labels, len(fake_MD), "fake_labels")
    generator = np.random.default_rng(rng)
    few: dict[str, Any] = {}
    train_ND = None
    if train is not None:
        train_ND = as_sample_pair(real_ND, train, names=("real", "train"), minimum=1)[1]
        if train_labels is not None:
            known = as_labels(train_labels, len(train_ND), "train_labels")
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
                        value=use.value,
                        low=use.interval.low,
                        high=use.interval.high,
                        floor=use.floor,
                        floor_low=use.floor_interval.low,
                        floor_high=use.floor_interval.high,
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
        spread = {"low": found.interval.low, "high": found.interval.high}
        rows.append(
            _row(
                name,
                "two_sample",
                value=found.accuracy,
                **spread,
                floor=found.null,
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
    shares = {"authenticity": found.authenticity_floor, "copies": found.copies_floor}
    nearer = _row(
        OVERALL,
        "nearer_to_train",
        value=found.nearer_to_train,
        low=found.interval.low,
        high=found.interval.high,
        floor=0.5,
        p_value=found.p_value,
        rows=found.rows,
    )
    return [nearer] + [
        _share_row(name, getattr(found, name), floor, found.rows) for name, floor in shares.items()
    ]


def _share_row(measure: str, share: float, floor: float, rows: int) -> dict[str, Any]:
    ends = accuracy_interval(round(share * rows), rows)
    spread = {"low": ends.low, "high": ends.high}
    return _row(OVERALL, measure, value=share, **spread, floor=floor, rows=rows)


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
