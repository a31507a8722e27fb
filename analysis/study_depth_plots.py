"""Figures of two crossed depths: maps of a measure, and the measure along either depth."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.study_baselines import baseline_means
from analysis.study_design import higher_is_better
from analysis.study_findings import Findings, Group
from analysis.study_layouts import Grid, grids
from analysis.study_numbers import is_share, measure_words
from analysis.study_plots import Line, draw_line, finish_measure
from analysis.study_reading import Study
from analysis.study_statistics import seed_summary
from analysis.style import INK, MUTED, RULE, SHARES, finish_bar, ink_on, styled
from analysis.words import capital, readable, shortened

SIMPLE = "class_gaussian"  # what a generator should beat
PANELS_A_ROW = 3

Array = NDArray[np.float64]


def depth_maps(findings: Findings, measure: str) -> Figure | None:
    """Draw a measure over both depths: the mean, how sure it is, and the control beside.

    The best cell is framed; a dot marks cells that are not told apart from it, as far as there was
    a test.
    """
    groups = [group for group in findings.groups if group.layout.measure == measure and group.grid]
    if not groups:
        return None
    panels = [(group, kind) for group in groups for kind in _kinds(group)]
    columns = min(PANELS_A_ROW, len(panels))
    lines = math.ceil(len(panels) / columns)
    wide, high = (
        max(group.grid.values.shape[side] for group in groups if group.grid) for side in (2, 1)
    )
    with styled():
        size = (
            0.6 + columns * (0.75 + 0.38 * max(wide, 5)),
            0.3 + lines * (1.15 + 0.36 * max(high, 4)),
        )
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(lines, columns, squeeze=False).ravel()
        for axis in axes[len(panels) :]:
            axis.set_axis_off()
        means = np.concatenate([_means(group).ravel() for group in groups])
        limits = (float(np.nanmin(means)), float(np.nanmax(means)))
        for axis, (group, kind) in zip(axes, panels, strict=False):
            if kind == "mean":
                image = _map(axis, group, _means(group), limits)
                _marks(axis, group)
            else:
                image = _map(axis, group, _widths(group), None)
            bar = figure.colorbar(image, ax=axis, fraction=0.046, pad=0.03, ticks=MaxNLocator(5))
            finish_bar(bar, "")
            axis.set_title(shortened(_title(group, kind), 34), fontsize=9)
        unit = ", %" if is_share(measure) else ""
        title = f"{capital(measure_words(measure))}{unit} (means: darker is better)"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return figure


def depth_lines(study: Study, measures: Sequence[str]) -> Figure | None:
    """Draw measures along either depth, averaged over the other, beside floors and controls.

    Args:
        study: of depths.
        measures: a column each; those that the study lacks are left out.
    """
    found = {measure: grids(study, measure) for measure in dict.fromkeys(measures)}
    chosen = [measure for measure in found if found[measure]]
    if not chosen:
        return None
    with styled():
        size = (1.2 + 2.55 * len(chosen), 5.4)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(2, len(chosen), squeeze=False, sharey="col")
        for column, measure in enumerate(chosen):
            for side in (0, 1):
                _along(axes[side, column], study, found[measure], side)
            axes[0, column].set_title(capital(measure_words(measure)))
        entries: dict[str, Artist] = {}
        for axis in axes.ravel():
            handles, labels = axis.get_legend_handles_labels()
            entries |= dict(zip(labels, handles, strict=True))
        figure.legend(
            handles=list(entries.values()),
            labels=list(entries),
            loc="outside lower center",
            ncols=min(len(entries), 4),
            fontsize=8.5,
        )
    return figure


def _kinds(group: Group) -> tuple[str, ...]:
    """Return what is drawn of a group: its means, and of what is no control how sure they are."""
    sure = any(summary.interval is not None for summary in group.summaries)
    return ("mean", "width") if sure and not group.layout.control else ("mean",)


def _title(group: Group, kind: str) -> str:
    """Return the title of a panel."""
    if kind == "width":
        return "± 95% interval" + (", points" if is_share(group.layout.measure) else "")
    return group.layout.group or "as in the recipe"


def _means(group: Group) -> Array:
    """Return the mean of each cell, shape (A, B), NaN where there is none."""
    return _spread_out(group, [summary.mean for summary in group.summaries])


def _widths(group: Group) -> Array:
    """Return half the width of each cell's interval, shape (A, B)."""
    return _spread_out(
        group,
        [
            (one.interval.high - one.interval.low) / 2 if one.interval else math.nan
            for one in group.summaries
        ],
    )


def _spread_out(group: Group, numbers: Sequence[float]) -> Array:
    """Put one number a condition back on the grid."""
    assert group.grid is not None
    there = np.isfinite(group.grid.values).any(axis=0)
    values = np.full(there.shape, math.nan)
    values[there] = numbers
    return values


def _map(axis: Axes, group: Group, values: Array, limits: tuple[float, float] | None) -> AxesImage:
    """Draw one map with its numbers; darker is better, and for widths wider."""
    assert group.grid is not None
    measure = group.layout.measure
    scale = 100.0 if is_share(measure) else 1.0
    colors = SHARES if limits is None or higher_is_better(measure) else SHARES.reversed()
    low, high = limits or (0.0, float(np.nanmax(values)))
    low, high = (scale * low, scale * high) if high > low else (scale * low, scale * low + 1.0)
    image = axis.imshow(scale * values, cmap=colors, vmin=low, vmax=high, aspect="auto")
    digits = _digits(low, high, least=1 if scale > 1 else 0)
    for (a, b), value in np.ndenumerate(values):
        if math.isfinite(value):
            ground = image.to_rgba(np.array([scale * value]))[0]
            text = f"{scale * value:.{digits}f}"
            axis.text(b, a, text, ha="center", va="center", fontsize=7.5, color=ink_on(ground))
        else:
            axis.text(b, a, "\N{EN DASH}", ha="center", va="center", fontsize=8, color=MUTED)
    axis.set_yticks(range(len(group.grid.levels[0])), group.grid.levels[0])
    axis.set_xticks(range(len(group.grid.levels[1])), group.grid.levels[1])
    axis.set_ylabel(group.grid.factors[0])
    axis.set_xlabel(group.grid.factors[1])
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set(visible=True, color=RULE)
    return image


def _digits(low: float, high: float, *, least: int) -> int:
    """Return the decimals by which cells can be told apart: two figures of what they vary by."""
    return min(max(least, 1 - math.floor(math.log10(max(high - low, 1e-9)))), 4)


def _marks(axis: Axes, group: Group) -> None:
    """Frame the best cell, and dot those that are not told apart from it."""
    if group.best is None:
        return
    flags = [apart is False for apart in group.apart]
    places = np.argwhere(np.isfinite(_means(group)))
    for index, (a, b) in enumerate(places):
        if index == group.best:
            for color, width in (("white", 4.2), (INK, 1.8)):  # one of them on any ground
                corner = (b - 0.45, a - 0.45)
                axis.add_patch(Rectangle(corner, 0.9, 0.9, fill=False, ec=color, lw=width))
        elif flags[index]:
            axis.plot(b + 0.36, a - 0.34, "o", ms=3.4, mfc=INK, mec="white", mew=0.6)


def _along(axis: Axes, study: Study, found: Sequence[Grid], side: int) -> None:
    """Draw a measure along one depth, a line a group, with what to compare it with."""
    for index, grid in enumerate(found):
        levels = grid.numbers[side]
        values = grid.values if side == 0 else grid.values.transpose(0, 2, 1)
        points = []
        for level, sheet in zip(levels, np.moveaxis(values, 1, 0), strict=True):
            whole = sheet[np.isfinite(sheet).all(axis=1)]
            if level is not None and len(whole):
                points.append((level, seed_summary(whole.mean(axis=1))))
        draw_line(axis, Line(grid.group or "as in the recipe", points), index)
        axis.set_xticks([level for level in levels if level is not None])
    _references(axis, study, found[0].measure)
    axis.set_xlabel(found[0].factors[side])
    finish_measure(axis, found[0].measure)
    axis.set_ylabel("")


def _references(axis: Axes, study: Study, measure: str) -> None:
    """Draw what a measure is to be compared with: the floor, the best baseline, a Gaussian."""
    rows = [row.values for row in study.rows if not row.control]
    best, mean = next(iter(baseline_means(study.rows, measure).items()), ("", None))
    columns = (
        ("real against real", [_floor(values, measure) for values in rows], INK, (1, 1.5)),
        (f"best baseline: {readable(best)}", [mean], MUTED, (5, 2)),
        (
            "a Gaussian for each class",
            [values.get(f"{SIMPLE}.{measure}") for values in rows],
            MUTED,
            (5, 1.5, 1, 1.5),
        ),
    )
    for label, found, color, dashes in columns:
        known = [value for value in found if value is not None]
        if known:
            axis.axhline(float(np.mean(known)), color=color, ls=(0, dashes), lw=1.4, label=label)


def _floor(values: Mapping[str, float], measure: str) -> float | None:
    """Return the measure between real rows alone."""
    return values.get(f"{measure.removesuffix('_distance')}_floor")
