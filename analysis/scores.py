"""The comparison of a run's model with its baselines: scores with intervals, and a verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from analysis.statistics import (
    Interval,
    accuracy_interval,
    correlation_interval,
    difference_interval,
)
from analysis.words import readable

MEASURES = ("accuracy", "pearson")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One method's score on the rows that all methods were scored on.

    Attributes:
        name: of the method, for people.
        value: its accuracy (or correlation).
        low: lower end of the 95 % interval; NaN where unknown.
        high: upper end; NaN where unknown.
        macro_f1: NaN where unknown.
        highlighted: whether this is the run's own model.
        difference: interval of the model's score minus this one, from paired answers, if known.
        pearson: correlation beside the accuracy of a score's buckets; None where unknown.
        pearson_interval: its 95 % interval by Fisher's z; None where unknown.
        ece: expected calibration error of its probabilities; None where unknown.
        ece_uncalibrated: the same before a temperature was fitted; None where there is none.
    """

    name: str
    value: float
    low: float
    high: float
    macro_f1: float = float("nan")
    highlighted: bool = False
    difference: Interval | None = None
    pearson: float | None = None
    pearson_interval: Interval | None = None
    ece: float | None = None
    ece_uncalibrated: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the model beat the best baseline.

    Attributes:
        kind: better, noise, worse, or untested (nothing to compare).
        difference: model minus best baseline; NaN if untested.
        interval: its 95 % interval, None where it cannot be known.
        baseline: name of the best baseline.
        paired: whether the interval comes from answers on the same rows.
    """

    kind: Literal["better", "noise", "worse", "untested"]
    difference: float = float("nan")
    interval: Interval | None = None
    baseline: str = ""
    paired: bool = False


def scored_part(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return which part ("test", else "dev") and measure a run is compared on; empty if none."""
    for part in ("test", "dev"):
        for measure in MEASURES:
            if _number((result.get(part) or {}).get(measure)) is not None:
                return part, measure
    return "", ""


def comparison(result: Mapping[str, Any]) -> list[Score]:
    """Return the model and the baselines scored on the same part, best first.

    Args:
        result: the content of ``result.json``.
    """
    part, measure = scored_part(result)
    if not part:
        return []
    own = result[part]
    rows = own.get("rows")
    name = f"this model ({result['name']})" if result.get("name") else "this model"
    scores = [_score(own, measure, name=name, rows=rows, highlighted=True)]
    for key, entry in (result.get("baselines") or {}).items():
        known = isinstance(entry, Mapping) and _number(entry.get(measure)) is not None
        if known and entry.get("on", part) == part:
            label = readable(key)
            scores.append(_score(entry, measure, name=label, rows=entry.get("rows", rows)))
    return sorted(scores, key=lambda score: (-score.value, not score.highlighted, score.name))


def verdict(result: Mapping[str, Any]) -> Verdict:
    """Say whether the model beat the best baseline, counting what chance alone does.

    Args:
        result: the content of ``result.json``. A baseline's optional ``difference_low`` and
            ``difference_high`` are the paired interval of model minus baseline; without them the
            two accuracies are treated as independent, which errs towards "noise".
    """
    scores = comparison(result)
    baselines = [score for score in scores if not score.highlighted]
    if not baselines:
        return Verdict("untested")
    model = next(score for score in scores if score.highlighted)
    best = baselines[0]
    part, measure = scored_part(result)
    rows = result[part].get("rows")
    interval = best.difference
    if interval is None and measure == "accuracy" and rows:
        counts = (round(model.value * rows), round(best.value * rows))
        interval = difference_interval(counts, (rows, rows))
    kind: Literal["better", "noise", "worse"] = "noise"
    if interval is not None and interval.low > 0.0:
        kind = "better"
    elif interval is not None and interval.high < 0.0:
        kind = "worse"
    paired = best.difference is not None
    return Verdict(kind, model.value - best.value, interval, best.name, paired)


def _score(
    entry: Mapping[str, Any],
    measure: str,
    *,
    name: str,
    rows: int | None,
    highlighted: bool = False,
) -> Score:
    """Build the score of one method, with the written interval or else Wilson's."""
    value = float(entry[measure])
    low, high = _number(entry.get(f"{measure}_low")), _number(entry.get(f"{measure}_high"))
    if low is None and measure == "accuracy" and rows:
        bounds = accuracy_interval(round(value * rows), rows)
        low, high = bounds.low, bounds.high
    pearson = _number(entry.get("pearson")) if measure == "accuracy" else None
    below, above = _number(entry.get("difference_low")), _number(entry.get("difference_high"))
    macro_f1 = _number(entry.get("macro_f1"))
    unknown = float("nan")
    return Score(
        name=name,
        value=value,
        low=unknown if low is None else low,
        high=unknown if high is None else high,
        macro_f1=unknown if macro_f1 is None else macro_f1,
        highlighted=highlighted,
        difference=None if below is None or above is None else Interval(below, above),
        pearson=pearson,
        pearson_interval=(
            None if pearson is None or not rows or rows < 4 else correlation_interval(pearson, rows)
        ),
        ece=_number(entry.get("ece")),
        ece_uncalibrated=_number(entry.get("ece_uncalibrated")),
    )


def _number(value: object) -> float | None:
    """Return a finite number as float, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) != float("inf") and value == value else None
