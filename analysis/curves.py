"""Losses and scores over training as a figure, of one classifier or of several tasks."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from analysis.style import COLORS, INK, MUTED, in_percent, styled
from analysis.tasks import MEASURES
from analysis.words import readable

SCORE_WORDS = ("accuracy", "f1", "pearson", "spearman")
LEAST_SCORE_SPAN = 0.1  # shares of one that the axis of scores spans at least


@dataclass(frozen=True, slots=True)
class _Curve:
    """One line: the records' key, its name, its look."""

    key: str
    label: str
    color: str
    style: str = "-"
    width: float = 1.5


def learning_curves(
    records: Sequence[Mapping[str, Any]], *, best_step: int | None = None
) -> Figure:
    """Draw losses on the left and scores, if there are any, on the right, over the training step.

    Records with ``TASK_loss`` are of several tasks: a task has one color, and of its scores its
    own alone is drawn (Pearson's r of a score, else accuracy), beside their mean. Records of the
    contrastive stage are like those of tasks without scores.

    Args:
        records: flat records with ``step``; keys that start with ``loss`` are losses, keys that
            name an accuracy, F1 or correlation are scores, others are left out.
        best_step: the step whose weights were kept, marked on the scores.
    """
    keys = list(dict.fromkeys(key for record in records for key in record))
    tasks = [key.removesuffix("_loss") for key in keys if key.endswith("_loss")]
    losses, scores = _of_tasks(tasks, keys) if tasks else _of_one(keys)
    with styled():
        size = (8.6, 3.3) if scores else (7.2, 2.6)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, 2 if scores else 1, squeeze=False)[0]
        columns = 2 if tasks else 3
        _curves(axes[0], records, losses, "Losses", columns)
        if scores:
            _curves(axes[1], records, scores, "Scores on dev" if tasks else "Scores", columns)
        if scores and axes[1].lines:
            in_percent(axes[1].yaxis)
            _widen(axes[1], LEAST_SCORE_SPAN)
            if any(score.key.endswith("_pearson") for score in scores if tasks):
                axes[1].yaxis.set_major_formatter(ScalarFormatter())
            if best_step is not None:
                axes[1].axvline(best_step, color=MUTED, ls=":", lw=1.2, zorder=1)
                axes[1].set_xlabel("step (dotted: the best, whose weights were kept)")
    return figure


def _of_one(keys: Sequence[str]) -> tuple[list[_Curve], list[_Curve]]:
    """Return the losses and the scores among the keys of one classifier."""

    def curves(chosen: Sequence[str]) -> list[_Curve]:
        return [
            _Curve(
                key,
                readable(key.removeprefix("loss_")),
                COLORS[index % len(COLORS)],
                "--" if index >= len(COLORS) else "-",
            )
            for index, key in enumerate(chosen)
        ]

    losses = [key for key in keys if key.startswith("loss")]
    scores = [key for key in keys if any(word in key for word in SCORE_WORDS)]
    return curves(losses), curves([key for key in scores if key not in losses])


def _of_tasks(tasks: Sequence[str], keys: Sequence[str]) -> tuple[list[_Curve], list[_Curve]]:
    """Return each task's loss and own score, and the mean of the scores."""
    losses, scores = [], []
    for index, task in enumerate(tasks):
        color = COLORS[index % len(COLORS)]
        losses.append(_Curve(f"{task}_loss", task, color))
        measure = "pearson" if f"dev_{task}_pearson" in keys else "accuracy"
        key = f"dev_{task}_{measure}"
        if key in keys:
            scores.append(_Curve(key, f"{task} ({MEASURES[measure]})", color))
    if "dev_mean" in keys and len(scores) > 1:
        scores.append(_Curve("dev_mean", "mean", INK, width=2.8))
    return losses, scores


def _widen(axis: Axes, least: float) -> None:
    """Give the vertical axis at least some span, or noise would fill the panel."""
    low, high = axis.get_ylim()
    if high - low < least:
        middle = (low + high) / 2
        axis.set_ylim(middle - least / 2, middle + least / 2)


def _curves(
    axis: Axes,
    records: Sequence[Mapping[str, Any]],
    curves: Sequence[_Curve],
    title: str,
    columns: int,
) -> None:
    """Draw the lines, with a legend above the axes."""
    axis.set_title(title, pad=8 + 13 * math.ceil(len(curves) / columns))
    for curve in curves:
        steps = [record.get("step", row) for row, record in enumerate(records)]
        points = [
            (step, record[curve.key])
            for step, record in zip(steps, records, strict=True)
            if isinstance(record.get(curve.key), int | float) and math.isfinite(record[curve.key])
        ]
        if points:
            axis.plot(
                *zip(*points, strict=True),
                curve.style,
                marker="o" if len(points) < 3 else "",
                color=curve.color,
                label=curve.label,
                lw=curve.width,
            )
    if not axis.lines:
        axis.text(0.5, 0.5, "none recorded", ha="center", color=MUTED, transform=axis.transAxes)
        axis.set_xticks([])
        axis.set_yticks([])
        return
    axis.set_xlabel("step")
    axis.grid(axis="y")
    if len({step for line in axis.lines for step in line.get_xdata()}) > 1:  # type: ignore[union-attr]
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    else:
        axis.set_xticks(axis.lines[0].get_xdata())
    axis.legend(
        loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, fontsize=8, borderaxespad=0.2
    )
