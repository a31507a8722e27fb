"""Whether a conditional generator has collapsed, class by class and overall.

One number is not enough: collapse inside a class hides behind perfect separation of the classes.
Every measure is put beside what held-out real rows give at the same size, and the verdict names
the measures that led to it.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from analysis.distances import Matrix, as_labels, as_sample_pair, mean_pairwise_distance
from analysis.metrics.diversity import (
    distinct_neighbors,
    duplicate_rate,
    effective_rank,
    missed_modes,
    similarity_width,
    vendi_score,
)

LEAST_ROWS = 15
RANK_LIMIT, SPREAD_LIMIT, DISTINCT_LIMIT = 0.5, 0.7, 0.25
DUPLICATE_LIMIT, MISSED_LIMIT = 0.1, 0.3


def collapse_report(
    real: ArrayLike,
    real_labels: ArrayLike,
    fake: ArrayLike,
    fake_labels: ArrayLike,
    *,
    rng: int | np.random.Generator = 0,
) -> pd.DataFrame:
    """Measure collapse, a row per class and one row ``overall``.

    Args:
        real: real embeddings that the generator was not trained on, shape (N, D).
        real_labels: their classes, shape (N,).
        fake: generated embeddings, shape (M, D).
        fake_labels: the class that each was asked for, shape (M,).
        rng: seed or generator of the subsamples and halves.

    Returns:
        Columns: ``class`` (the label, or "overall"); ``real`` and ``fake`` (rows);
        ``rank_real``, ``rank_fake``, ``rank_ratio`` (participation ratio of the covariance, at
        equal sizes); ``spread_ratio`` (mean pairwise distance, fake / real);
        ``distinct_neighbors`` and ``distinct_floor`` (different nearest real rows per fake, and
        per held-out real row); ``duplicate_rate`` and ``duplicate_floor`` (share of repeated
        fakes, and real rows); ``missed_modes`` (share of real rows in clusters that fakes hardly
        visit); ``vendi_real``, ``vendi_fake``; ``conditional_accuracy`` and
        ``conditional_floor`` (share of fakes, and of held-out real rows, that a classifier
        trained on real rows puts into their class); ``collapsed`` and ``reason``. NaN marks what
        too few rows leave unmeasured: below 15 real or fake ones the effective rank is noise.

    Raises:
        ValueError: an array is not a finite matrix, or labels do not fit it.
    """
    real_ND, fake_MD = as_sample_pair(real, fake)
    real_y = as_labels(real_labels, len(real_ND), "real_labels")
    fake_y = as_labels(fake_labels, len(fake_MD), "fake_labels")
    generator = np.random.default_rng(rng)
    hits, floor_rows, floor_hits = _conditional_hits(real_ND, real_y, fake_MD, fake_y, generator)
    rows = []
    for label in np.union1d(real_y, fake_y):
        row: dict[str, Any] = {"class": label.item()}
        row |= _diversity(real_ND[real_y == label], fake_MD[fake_y == label], generator)
        row |= _accuracy(hits[fake_y == label], floor_hits[real_y[floor_rows] == label])
        rows.append(row | _judge(row))
    overall = {"class": "overall"} | _diversity(real_ND, fake_MD, generator)
    overall |= _accuracy(hits, floor_hits)
    rows.append(overall | _judge_overall(_judge(overall), rows))
    return pd.DataFrame(rows)


def _diversity(real: Matrix, fake: Matrix, rng: np.random.Generator) -> dict[str, Any]:
    """Measure how much fakes vary beside real rows; NaN where there are too few."""
    row: dict[str, Any] = {"real": len(real), "fake": len(fake)}
    if min(len(real), len(fake)) < LEAST_ROWS:
        return row
    real, fake = real[rng.permutation(len(real))], fake[rng.permutation(len(fake))]
    equal = min(len(real), len(fake))
    rank_real, rank_fake = effective_rank(real[:equal]), effective_rank(fake[:equal])
    spread = mean_pairwise_distance(real)
    half = len(real) // 2
    few = min(len(fake), half)
    width = similarity_width(real)
    return row | {
        "rank_real": rank_real,
        "rank_fake": rank_fake,
        "rank_ratio": _ratio(rank_fake, rank_real),
        "spread_ratio": _ratio(mean_pairwise_distance(fake), spread),
        "distinct_neighbors": distinct_neighbors(fake[:few], real[half:]),
        "distinct_floor": distinct_neighbors(real[:few], real[half:]),
        "duplicate_rate": duplicate_rate(fake[:equal]),
        "duplicate_floor": duplicate_rate(real[:equal]),
        "missed_modes": missed_modes(real, fake, rng=rng),
        "vendi_real": vendi_score(real[:equal], width),
        "vendi_fake": vendi_score(fake[:equal], width),
    }


def _ratio(value: float, reference: float) -> float:
    """Return value / reference, NaN where the reference does not vary."""
    return value / reference if reference > 0.0 else float("nan")


def _conditional_hits(
    real: Matrix, real_y: np.ndarray, fake: Matrix, fake_y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Classify fakes and held-out real rows with a classifier fitted on half of the real rows.

    Returns:
        Hits of the fakes, shape (M,); indices of the held-out real rows and their hits. All
        empty hits are NaN where the real rows do not offer two classes.
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


def _accuracy(hits: np.ndarray, floor_hits: np.ndarray) -> dict[str, float]:
    """Average the hits of fakes and of held-out real rows; NaN where there are none."""
    return {
        "conditional_accuracy": float(hits.mean()) if len(hits) else float("nan"),
        "conditional_floor": float(floor_hits.mean()) if len(floor_hits) else float("nan"),
    }


def _judge(row: dict[str, Any]) -> dict[str, Any]:
    """Say whether the measures of one row mean collapse, and which of them say so."""
    if "rank_ratio" not in row:
        return {"collapsed": False, "reason": f"not judged: fewer than {LEAST_ROWS} rows"}
    reasons = []
    # Comparisons with NaN are false: what was not measured accuses nobody.
    rate = row["duplicate_rate"]
    noise = 3.0 * float(np.sqrt(rate * (1.0 - rate) / min(row["real"], row["fake"])))
    if rate > row["duplicate_floor"] + DUPLICATE_LIMIT + noise:
        reasons.append(f"{rate:.0%} of the fakes repeat another one")
    if row["spread_ratio"] < SPREAD_LIMIT:
        reasons.append(f"distances between fakes are {row['spread_ratio']:.0%} of the real ones")
    if row["rank_ratio"] < RANK_LIMIT:
        reasons.append(f"the effective rank is {row['rank_ratio']:.0%} of the real one")
    if row["missed_modes"] > MISSED_LIMIT:
        reasons.append(f"{row['missed_modes']:.0%} of real rows lie in modes hardly visited")
    if row["distinct_neighbors"] < DISTINCT_LIMIT * row["distinct_floor"]:
        reasons.append("fakes share few nearest real rows")
    return {"collapsed": bool(reasons), "reason": "; ".join(reasons)}


def _judge_overall(judged: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the collapsed classes to the verdict on the whole."""
    bad = sum(row["collapsed"] for row in rows)
    if not bad:
        return judged
    inside = f"collapsed inside {bad} of {len(rows)} classes"
    return {"collapsed": True, "reason": "; ".join(filter(None, [judged["reason"], inside]))}
