"""Figures of a study: scores against text, differences from the reference, curves."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from analysis.study_design import compared_axis, condition_words
from analysis.study_findings import Findings, Group, Statement
from analysis.study_layouts import LABEL_AXES, LABELS
from analysis.study_names import axis_words
from analysis.study_numbers import is_share, measure_words
from analysis.study_reading import Study
from analysis.study_statistics import Summary, seed_summary
from analysis.style import ACCENT, COLORS, INK, MUTED, in_percent, styled
from analysis.words import capital, readable, shortened, wrapped

MARKERS = "osD^vP*X<>"
DASHES = ("-", "--", "-.", ":")
DOTTED: dict[str, Any] = {"ls": (0, (1, 2)), "lw": 1.2}
MOST_LINES = 10
MOST_PANELS = 6
CURVE_WORDS = ("accuracy", "f1", "pearson", "distance", "loss")


@dataclass(frozen=True, slots=True)
class Line:
    """One line with a band: where it is known, and what is known there."""

    name: str
    points: Sequence[tuple[float, Summary]]
    baseline: tuple[str, float] | None = None


def text_curves(findings: Findings) -> Figure | None:
    """Draw the score against how much text there is, a line a method, on a logarithmic axis.

    Returns:
        None where the study has no axis of numbers, or fewer than two points.
    """
    groups = [group for group in findings.groups if group.layout.measure == findings.measures[0]]
    lines, label = _lines_of(findings, groups)
    where = sorted({x for line in lines for x, _ in line.points})
    if len(where) < 2:
        return None
    with styled():
        figure = Figure(figsize=(7.6, 4.0), layout="constrained")
        axis = figure.subplots()
        for index, line in enumerate(lines[:MOST_LINES]):
            draw_line(axis, line, index)
            if line.baseline is not None:
                axis.axhline(line.baseline[1], color=COLORS[index % len(COLORS)], **DOTTED)
        for name in dict.fromkeys(line.baseline[0] for line in lines if line.baseline):
            axis.plot([], [], color=MUTED, label=f"best baseline: {readable(name)}", **DOTTED)
        _logarithmic(axis, where, percent=label.endswith("fraction"))
        axis.set_xlabel(label)
        finish_measure(axis, findings.measures[0])
        figure.legend(loc="outside right upper", fontsize=8.5)
    return figure


def difference_bars(findings: Findings) -> Figure | None:
    """Draw how far each condition's score lies from the reference's, with paired intervals.

    Filled bars are supported after correction, open ones are not.
    """
    differences = [one for one in findings.statements if one.kind == "difference"]
    found = [one for one in differences if one.difference and one.measure == findings.measures[0]]
    titles = list(dict.fromkeys(one.group for one in found))[:MOST_PANELS]
    if not found:
        return None
    names = list(dict.fromkeys(one.rival for one in found))
    columns = min(len(titles), 2)
    lines = math.ceil(len(titles) / columns)
    share = is_share(found[0].measure)
    with styled():
        height = 0.9 + lines * (0.85 + 0.34 * len(names))
        figure = Figure(figsize=(5.2 + 2.6 * (columns - 1), height), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axis in axes[len(titles) :]:
            axis.set_axis_off()
        for axis, title in zip(axes, titles, strict=False):
            own = [one for one in found if one.group == title]
            _bars(axis, own, names)
            # Where the usual reference has no results, another takes its place.
            other = own[0].subject != found[0].subject
            axis.set_title(wrapped(f"{title} (minus {own[0].subject})" if other else title, 34))
        for axis in axes[max(0, len(titles) - columns) : len(titles)]:
            axis.tick_params(labelbottom=True)  # the place below it may be empty
        axes[0].invert_yaxis()
        unit = ", points" if share else ""
        words = f"{capital(measure_words(found[0].measure))} minus that of {found[0].subject}{unit}"
        figure.supxlabel(words, fontsize=9, color=MUTED)
        looks = [_bar_look(True) | {"label": "supported"}, _bar_look(False) | {"label": "not"}]
        figure.legend(
            handles=[Patch(**look) for look in looks],
            loc="outside upper right",
            ncols=2,
            fontsize=8,
        )
    return figure


def band_curves(study: Study) -> Figure | None:
    """Draw what rows recorded over their steps, a line a method or level, with bands over seeds.

    Returns:
        None where the study has no curves.
    """
    measures = list(dict.fromkeys(measure for _, _, measure, _ in study.curves))
    ordered = [name for word in CURVE_WORDS for name in measures if word in name]
    chosen = list(dict.fromkeys([*ordered, *measures]))[:4]
    if not chosen:
        return None
    columns = min(len(chosen), 2)
    lines = math.ceil(len(chosen) / columns)
    with styled():
        figure = Figure(figsize=(1.9 + 3.5 * columns, 0.4 + 2.9 * lines), layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis in axes[len(chosen) :]:
            axis.set_axis_off()
        for axis, measure in zip(axes, chosen, strict=False):
            for index, line in enumerate(_curve_lines(study, measure)[:MOST_LINES]):
                draw_line(axis, line, index, marked=False)
            axis.set_xlabel("step")
            axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
            finish_measure(axis, measure)
        handles, labels = axes[0].get_legend_handles_labels()
        if len(labels) > 1:
            figure.legend(handles, labels, loc="outside right upper", fontsize=8.5)
    return figure


def draw_line(axis: Axes, line: Line, index: int, *, marked: bool = True) -> None:
    """Draw a mean and its band; color, marker and dashes all tell lines apart."""
    color = COLORS[index % len(COLORS)]
    xs = [x for x, _ in line.points]
    axis.plot(
        xs,
        [summary.mean for _, summary in line.points],
        DASHES[index % len(DASHES)],
        marker=MARKERS[index % len(MARKERS)] if marked else "",
        color=color,
        label=shortened(line.name, 30),
        lw=1.6,
        ms=5.5,
        mec="white",
        mew=0.6,
    )
    banded = [(x, one.interval) for x, one in line.points if one.interval is not None]
    if banded:
        axis.fill_between(
            [x for x, _ in banded],
            [interval.low for _, interval in banded],
            [interval.high for _, interval in banded],
            color=color,
            alpha=0.14,
            lw=0,
        )


def finish_measure(axis: Axes, measure: str) -> None:
    """Name the vertical axis and write shares in percent."""
    axis.grid(axis="y")
    axis.set_ylabel(capital(measure_words(measure)))
    if is_share(measure):
        in_percent(axis.yaxis)


def _lines_of(findings: Findings, groups: Sequence[Group]) -> tuple[list[Line], str]:
    """Return a line a name over the groups, or a line a group over its names."""
    study = findings.study
    labeled = any(study.has(name) for name in LABELS)
    varied = [key for key, levels in study.axes.items() if len(levels) > 1]
    of_labels = [key for key in varied if key in LABEL_AXES]
    # What the horizontal axis shows; the other levels of a group are part of a line's name.
    place = axis_words(next(iter([*of_labels, *varied] if labeled else varied), ""))
    lines: dict[str, list[tuple[float, Summary]]] = {}
    baselines: dict[str, tuple[str, float] | None] = {}
    if any(group.layout.position is not None for group in groups):
        for group in groups:
            if group.layout.position is None:
                continue
            shared = group.layout.group.split(", ")
            rest = [words for words in shared if words and not words.startswith(f"{place} ")]
            for name, summary in zip(group.layout.names, group.summaries, strict=True):
                line = ", ".join([name, *rest])
                lines.setdefault(line, []).append((group.layout.position, summary))
        label = "labels" if labeled else place
    else:
        for group in groups:
            places = zip(group.layout.positions, group.summaries, strict=True)
            points = [(x, summary) for x, summary in places if x is not None]
            name = group.layout.group or readable(findings.study.recipe) or "all"
            lines[name], baselines[name] = points, group.layout.baseline
        label = axis_words(compared_axis(findings.study) or "")
    made = [
        Line(name, sorted(points, key=lambda point: point[0]), baselines.get(name))
        for name, points in lines.items()
    ]
    return made, label


def _logarithmic(axis: Axes, where: Sequence[float], *, percent: bool) -> None:
    """Make the horizontal axis logarithmic, with room for zero, and mark the points."""
    positive = [x for x in where if x > 0]
    if len(positive) < len(where):
        axis.set_xscale("symlog", linthresh=min(positive), linscale=0.6)
    else:
        axis.set_xscale("log")
    axis.xaxis.set_major_locator(FixedLocator(list(where)))
    axis.xaxis.set_minor_locator(NullLocator())
    if percent:
        in_percent(axis.xaxis)
    else:
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.6g}"))


def _bars(axis: Axes, found: Sequence[Statement], names: Sequence[str]) -> None:
    """Draw the differences of one group from its reference."""
    scale = 100.0 if is_share(found[0].measure) else 1.0
    for one in found:
        if one.difference is None:
            continue
        y, value = names.index(one.rival), -scale * one.difference.mean
        axis.barh(
            y,
            value,
            height=0.62,
            **_bar_look(one.supported),
        )
        if one.difference.interval is not None:
            ends = [-scale * one.difference.interval.low, -scale * one.difference.interval.high]
            axis.plot(ends, [y, y], color=INK, lw=1.5, solid_capstyle="butt")
            axis.plot(ends, [y, y], "|", color=INK, ms=7)
    axis.axvline(0.0, color=INK, lw=0.9)
    axis.set_yticks(range(len(names)), [wrapped(name, 28) for name in names], color=INK)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")


def _bar_look(supported: bool) -> dict[str, Any]:
    """Return how a bar is filled: plain where it is supported, hatched where it is not."""
    if supported:
        return {"facecolor": ACCENT, "edgecolor": ACCENT, "lw": 1.0}
    return {"facecolor": "white", "edgecolor": MUTED, "hatch": "////", "lw": 1.0}


def _curve_lines(study: Study, measure: str) -> list[Line]:
    """Return a recorded measure over the steps, by method or by level of the first axis."""
    rows = {row.name: row for row in study.rows if not row.control}
    methods = len({row.method for row in rows.values()}) > 1
    found: dict[str, dict[float, dict[str, list[float]]]] = {}
    for name, step, kind, value in study.curves:
        row = rows.get(name)
        if row is None or kind != measure:
            continue
        key = readable(row.method) if methods else _level_of(study, row.levels)
        found.setdefault(key, {}).setdefault(step, {}).setdefault(row.seed, []).append(value)
    lines = []
    for key, steps in found.items():
        most = max(len(by_seed) for by_seed in steps.values())
        points = [
            (step, seed_summary([float(np.mean(values)) for values in by_seed.values()]))
            for step, by_seed in sorted(steps.items())
            if len(by_seed) == most
        ]
        lines.append(Line(key, points))
    return lines


def _level_of(study: Study, levels: Iterable[str]) -> str:
    """Return where a row stands on the first axis that has several levels."""
    for (key, planned), level in zip(study.axes.items(), levels, strict=True):
        if len(planned) > 1:
            return condition_words(study, key, level)
    return "all rows"
