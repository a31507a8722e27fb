"""Losses and scores over training as a figure, of one classifier, of several tasks, of both."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from analysis.style import COLORS, INK, MUTED, in_percent, styled
from analysis.tasks import MEASURES
from analysis.words import readable

SCORE_WORDS = ("accuracy", "f1", "pearson", "spearman")
LOSS, CLASSES = "_loss", ".class"  # ends of keys: of a loss, of the discriminator's about classes
# The losses of a GAN beside the tasks that are of no task.
GAME = {"source_loss": "source (discriminator)", "loss_generator": "generator"}
# What a watch on the generator measures, of real rows about 1, and how often it warned.
WATCHED = tuple(f"collapse/{name}_ratio" for name in ("rank", "spread", "vendi", "distinct"))
WARNINGS = "collapse/warnings"
LEAST_SCORE_SPAN = 0.1  # shares of one that the axis of scores spans at least


@dataclass(frozen=True, slots=True)
class _Curve:
    """One line: the records' key, its name, its look."""

    key: str
    label: str
    color: str
    style: str = "-"
    width: float = 1.5


@dataclass(frozen=True, slots=True)
class _Panel:
    """The lines of one panel, in a legend of so many columns."""

    title: str
    curves: Sequence[_Curve]
    columns: int = 2
    scores: bool = False
    unit: str = ""


def learning_curves(
    records: Sequence[Mapping[str, Any]], *, best_step: int | None = None
) -> Figure:
    """Draw losses and scores, and how far rows have moved, over the training step.

    Records with ``TASK_loss`` are of several tasks: a task has one color, and of its scores its
    own alone is drawn (Pearson's r of a score, else accuracy), beside their mean. Those of a GAN
    beside them (``TASK.class_loss``, ``source_loss``, ``loss_generator``, ``moved_TASK``) have
    panels of their own, and the class losses dashes. Records of the contrastive stage are like
    those of tasks without scores.

    Args:
        records: flat records with ``step``; keys that start with ``loss`` are losses, keys that
            name an accuracy, F1 or correlation are scores, others are left out.
        best_step: the step whose weights were kept, marked on the scores.
    """
    keys = list(dict.fromkeys(key for record in records for key in record))
    several = any(key.endswith(LOSS) for key in keys)
    panels = (_of_tasks(keys) if several else _of_one(keys)) + [_of_watch(keys)]
    panels = panels[:1] + [panel for panel in panels[1:] if panel.curves]
    lines = math.ceil(len(panels) / 2)
    with styled():
        size = (7.2, 2.6) if len(panels) == 1 else (8.6, 3.3 * lines)
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(h_pad=0.04 * lines))
        axes = figure.subplots(lines, min(2, len(panels)), squeeze=False).ravel()
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        for axis, panel in zip(axes, panels, strict=False):
            _curves(axis, records, panel)
            if panel.scores and axis.lines:
                _finish_scores(axis, panel, best_step)
            if panel.unit:  # a distance, or a ratio
                axis.set_ylim(bottom=0.0)
            if any(curve.key in WATCHED for curve in panel.curves):
                _mark_warnings(axis, records)
    return figure


def _of_one(keys: Sequence[str]) -> list[_Panel]:
    """Return losses and scores among the keys of one classifier."""

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
    scores = [key for key in scores if key not in losses]
    title = "Loss" if losses == ["loss"] else "Losses"
    return [_Panel(title, curves(losses), 3), _Panel("Scores", curves(scores), 3, scores=True)]


def _of_tasks(keys: Sequence[str]) -> list[_Panel]:
    """Return the tasks' losses and own scores; with a GAN beside, its losses and the movement."""
    game = [key for key in GAME if key in keys]
    paying = [key.removesuffix(LOSS) for key in keys if key.endswith(LOSS) and key not in game]
    tasks = list(dict.fromkeys(name.removesuffix(CLASSES) for name in paying))
    losses, classes, scores, moved = [], [], [], []
    for index, task in enumerate(tasks):
        color = COLORS[index % len(COLORS)]
        if task in paying:
            losses.append(_Curve(f"{task}{LOSS}", task, color))
        if (name := f"{task}{CLASSES}") in paying:
            style = "--" if task in paying else "-"
            classes.append(_Curve(f"{name}{LOSS}", name, color, style))
        measure = "pearson" if f"dev_{task}_pearson" in keys else "accuracy"
        if (key := f"dev_{task}_{measure}") in keys:
            scores.append(_Curve(key, f"{task} ({MEASURES[measure]})", color))
        if (key := f"moved_{task}") in keys:
            moved.append(_Curve(key, task, color))
    if "dev_mean" in keys and len(scores) > 1:
        scores.append(_Curve("dev_mean", "mean", INK, width=2.8))
    colors = (INK, COLORS[4])
    rivals = [_Curve(key, GAME[key], color) for key, color in zip(game, colors, strict=False)]
    return [
        _Panel("Losses about the tasks" if game else "Losses", losses + classes),
        _Panel("Scores on dev", scores, scores=True),
        _Panel("Losses of the game", rivals),
        _Panel("How far the rows moved", moved, unit="moved (1 = spread at the start)"),
    ]


def _of_watch(keys: Sequence[str]) -> _Panel:
    """Return how much the fakes vary, where a watch has measured it."""
    curves = [
        _Curve(key, readable(key.removeprefix("collapse/").removesuffix("_ratio")), color)
        for key, color in zip(WATCHED, COLORS, strict=False)
        if key in keys
    ]
    return _Panel("Diversity of the fakes", curves, 4, unit="fake / real rows")


def _mark_warnings(axis: Axes, records: Sequence[Mapping[str, Any]]) -> None:
    """Mark the steps at which the watch warned of a collapse."""
    warned = [record["step"] for record in records if record.get(WARNINGS)]
    if warned:  # along the upper edge: they may be as many as there are records
        low, high = axis.get_ylim()
        axis.set_ylim(low, high + 0.08 * (high - low))
        top = axis.get_xaxis_transform()
        axis.plot(warned, [0.97] * len(warned), "v", color=INK, ms=4.5, transform=top)
        axis.set_xlabel("step (triangles: a warning of collapse)")


def _finish_scores(axis: Axes, panel: _Panel, best_step: int | None) -> None:
    """Give scores their unit, and mark the step whose weights were kept."""
    in_percent(axis.yaxis)
    _widen(axis, LEAST_SCORE_SPAN)
    if any(score.key.endswith("_pearson") for score in panel.curves):
        axis.yaxis.set_major_formatter(ScalarFormatter())
    if best_step is not None:
        axis.axvline(best_step, color=MUTED, ls=":", lw=1.2, zorder=1)
        axis.set_xlabel("step (dotted: the best, whose weights were kept)")


def _widen(axis: Axes, least: float) -> None:
    """Give the vertical axis at least some span, or noise would fill the panel."""
    low, high = axis.get_ylim()
    if high - low < least:
        middle = (low + high) / 2
        axis.set_ylim(middle - least / 2, middle + least / 2)


def _curves(axis: Axes, records: Sequence[Mapping[str, Any]], panel: _Panel) -> None:
    """Draw the lines, with a legend above the axes."""
    alike = [curve.label for curve in panel.curves] == [panel.title.lower()]
    named = 0 if alike else math.ceil(len(panel.curves) / panel.columns)
    axis.set_title(panel.title, pad=8 + 13 * named)
    for curve in panel.curves:
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
    axis.set_ylabel(panel.unit)
    axis.grid(axis="y")
    if len({step for line in axis.lines for step in line.get_xdata()}) > 1:  # type: ignore[union-attr]
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axis.set_xlim(left=0)  # a record may be the first after many steps
    else:
        axis.set_xticks(axis.lines[0].get_xdata())
    if named:
        axis.legend(
            loc="lower left",
            bbox_to_anchor=(-0.02, 1.0),
            ncols=panel.columns,
            fontsize=8,
            borderaxespad=0.2,
        )
