"""How the gradients of a multitask run's losses agreed, as a figure.

Shapes: G groups of parameters, V evaluations, P pairs of losses.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.conflicts import MOST_PANELS, WHOLE, PairConflicts, pair_conflicts
from analysis.style import COSINES, INK, MISSING, RULE, finish_bar, in_percent, styled
from analysis.words import percent, shortened

LEAST_COSINE = 0.1  # to which the colors of cosines reach at least, or noise would look like much


def conflict_map(
    records: Sequence[Mapping[str, Any]], *, evaluations: Sequence[int] = ()
) -> Figure:
    """Draw how the gradients of the losses agreed over training.

    Of few pairs each has a column of panels: above the mean cosine of each group of parameters,
    below the share of steps in conflict over all parameters. Of more than :data:`MOST_PANELS` each
    has a line: cosines over the steps, by group, and its share of steps in conflict. A value stands
    for all steps since the evaluation before, and is as wide.

    Args:
        records: the lines of ``conflicts.jsonl``.
        evaluations: steps of all evaluations, see :func:`analysis.conflicts.pair_conflicts`; gray
            is where no two gradients met.

    Raises:
        ValueError: no record.
    """
    pairs = pair_conflicts(records, evaluations)
    if not pairs:
        raise ValueError("records: found none; want at least one line of conflicts.jsonl")
    with styled():
        return _panels(pairs) if len(pairs) <= MOST_PANELS else _lines(pairs)


def _panels(pairs: Sequence[PairConflicts]) -> Figure:
    """Draw a column of panels a pair."""
    columns = min(len(pairs), 3)
    lines = math.ceil(len(pairs) / columns)
    map_height = max(0.7, 0.19 * len(pairs[0].groups) + 0.1)
    limit = _limit([pair.cosines for pair in pairs])
    size = (max(2.5 * columns, 5.0) + 1.6, lines * (map_height + 1.6))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(
        2 * lines,
        columns,
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=[map_height, 0.8] * lines,
    )
    for place, pair in enumerate(pairs):
        line, column = divmod(place, columns)
        _cosine_panel(axes[2 * line][column], pair, limit)
        _share_panel(axes[2 * line + 1][column], pair)
    for place in range(len(pairs), lines * columns):
        for axis in axes[2 * (place // columns) :, place % columns][:2]:
            axis.set_axis_off()
    _label_rows(axes, pairs[0].groups)
    _explain_colors(figure, list(axes.ravel()), limit)
    return figure


def _lines(pairs: Sequence[PairConflicts]) -> Figure:
    """Draw a line a pair: over the steps, by group of parameters, and the share in conflict."""
    groups = pairs[0].groups
    whole = groups.index(WHOLE)
    over_steps_PV = np.array([pair.cosines[whole] for pair in pairs])
    by_group_PG = np.array([[pair.total(group)[2] for group in groups] for pair in pairs])
    limit = _limit([over_steps_PV, by_group_PG])
    widths = [3.2, max(0.9, 0.22 * len(groups)), 1.1]
    figure = Figure(figsize=(sum(widths) + 3.4, 0.2 * len(pairs) + 1.7), layout="constrained")
    steps, parts, shares = figure.subplots(1, 3, sharey=True, width_ratios=widths)
    for axis, edges, cosines in (
        (steps, _edges(pairs[0].ends), over_steps_PV),
        (parts, np.arange(len(groups) + 1), by_group_PG),
    ):
        _mesh(axis, edges, cosines, limit)
        for line in range(1, len(pairs)):
            axis.axhline(line, color="white", lw=1.0)
    _finish_steps(steps, _edges(pairs[0].ends))
    _share_bars(shares, [pair.total()[1] for pair in pairs])
    steps.set_title("All parameters, over the steps")
    parts.set_title("By layer")
    shares.set_title("In conflict")
    names = ["all" if group == WHOLE else group for group in groups]
    parts.set_xticks(np.arange(len(groups)) + 0.5, names, rotation=90, color=INK, fontsize=8)
    parts.axvline(1, color="white", lw=2.5)
    steps.set_yticks(
        np.arange(len(pairs)) + 0.5, [shortened(pair.name, 40) for pair in pairs], color=INK
    )
    _explain_colors(figure, [steps, parts, shares], limit)
    return figure


def _limit(cosines: Sequence[NDArray[np.float64]]) -> float:
    """Return the cosine at which colors end."""
    known = np.concatenate([each.ravel() for each in cosines])
    return max(LEAST_COSINE, float(np.nanmax(np.abs(known))))


def _edges(ends_V: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each evaluation's steps begin and end, shape (V + 1,)."""
    return np.concatenate([[min(0, ends_V[0] - 1)], ends_V])


def _cosine_panel(axis: Axes, pair: PairConflicts, limit: float) -> None:
    """Draw the mean cosines of one pair, a row a group of parameters, all of them on top."""
    axis.set_title(shortened(pair.name, 34))
    _mesh(axis, _edges(pair.ends), pair.cosines, limit)
    if len(pair.groups) > 1 and pair.groups[0] == WHOLE:
        axis.axhline(1, color="white", lw=2.5)


def _mesh(axis: Axes, edges: NDArray[Any], cosines: NDArray[np.float64], limit: float) -> None:
    """Draw cosines as colors, the first row on top."""
    axis.pcolormesh(
        edges,
        np.arange(len(cosines) + 1),
        np.ma.masked_invalid(cosines),
        cmap=COSINES.with_extremes(bad=MISSING),
        vmin=-limit,
        vmax=limit,
        rasterized=True,  # as vectors, neighbors would show seams
    )
    axis.set_ylim(len(cosines), 0)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def _share_panel(axis: Axes, pair: PairConflicts) -> None:
    """Draw the share of steps in conflict of one pair, over all parameters."""
    share_V = pair.shares[pair.groups.index(WHOLE)]
    axis.stairs(share_V, _edges(pair.ends), baseline=None, color=COSINES(0.2), lw=1.8)
    axis.axhline(0.5, color=RULE, lw=0.8, zorder=0)
    axis.set_ylim(-0.04, 1.04)
    _finish_steps(axis, _edges(pair.ends))


def _share_bars(axis: Axes, shares: Sequence[float]) -> None:
    """Draw the share of steps in conflict of each pair, with its number."""
    places = np.arange(len(shares)) + 0.5
    axis.barh(places, np.nan_to_num(shares), height=0.62, color=COSINES(0.3))
    for place, share in zip(places, shares, strict=True):
        axis.text(1.02, place, percent(share, 0), va="center", fontsize=8)
    axis.set_xlim(0.0, 1.0)
    axis.set_xticks([0.0, 0.5, 1.0])
    in_percent(axis.xaxis)
    axis.set_xlabel("share of steps")
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x")


def _finish_steps(axis: Axes, edges: NDArray[np.int64]) -> None:
    """Let the horizontal axis be that of steps."""
    axis.set_xlim(*edges[[0, -1]])
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.set_xlabel("step")


def _label_rows(axes: NDArray[Any], groups: Sequence[str]) -> None:
    """Name groups and shares at the left."""
    for cosines, shares in zip(axes[::2, 0], axes[1::2, 0], strict=True):
        names = ["all parameters" if group == WHOLE else group for group in groups]
        cosines.set_yticks(np.arange(len(groups)) + 0.5, names, color=INK, fontsize=8)
        shares.set_yticks([0.0, 0.5, 1.0])
        in_percent(shares.yaxis)
        shares.set_ylabel("steps in\nconflict")


def _explain_colors(figure: Figure, axes: Sequence[Axes], limit: float) -> None:
    """Say at the right what the colors mean."""
    colors = ScalarMappable(Normalize(-limit, limit), COSINES)
    bar = figure.colorbar(colors, ax=axes, aspect=28, pad=0.02)
    finish_bar(bar, "mean cosine (below 0: conflict)")
