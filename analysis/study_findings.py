"""Everything that is tested in a study, corrected together, and what could have been shown.

Statements are planned, not picked: each condition against the reference of its group, the best of
each group against all others, both main effects and the interaction of two depths. One Holm
correction covers all of them, over all groups and measures, so that under no difference at all
the chance that the study supports anything is at most 0.05.

The best of a group is called so where it is told apart from every other condition; testing it
against each two-sided pays for having picked it by its own results (Gutmann & Maymin 1987; Hung &
Fithian 2019).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.study_design import higher_is_better, outcomes
from analysis.study_effects import Effect, two_way_effects
from analysis.study_layouts import Grid, Layout, grids, layouts
from analysis.study_ranks import Ranks, friedman_ranks
from analysis.study_reading import Study
from analysis.study_statistics import (
    DRAWS,
    LEVEL,
    Evidence,
    Summary,
    detectable_effect,
    holm,
    paired_p_value,
    seed_summary,
)

MOST_RANKED = 12  # conditions in one comparison of ranks; of more, no difference would be left

Array = NDArray[np.float64]


@dataclass(slots=True)
class Statement:
    """One thing that a study may support.

    Attributes:
        kind: "difference" (subject against rival), "winner" (subject against all others), or
            "effect" (of a factor).
        measure: that it is about.
        group: where, in words; empty for everywhere.
        subject: condition or factor.
        rival: the other condition; for a winner the one that is hardest to tell apart.
        evidence: p-value before correction, or why there is none.
        difference: subject minus rival over paired seeds; for an effect its slope.
        detectable: least true difference that would have been shown with power 0.8; None where
            the spread is not known, and for effects of more than two levels.
        effect: the effect, where it is one.
        adjusted: p-value corrected for all statements of the study; None where untested.
    """

    kind: str
    measure: str
    group: str
    subject: str
    rival: str
    evidence: Evidence
    difference: Summary | None = None
    detectable: float | None = None
    effect: Effect | None = None
    adjusted: float | None = None

    @property
    def supported(self) -> bool:
        """Tell whether the study supports it."""
        return self.adjusted is not None and self.adjusted <= LEVEL


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Conditions that are compared with each other, and what was found.

    Attributes:
        layout: the values.
        summaries: mean and interval of each condition.
        apart: for each condition whether it is told apart from the best, corrected for the
            conditions of this group alone; None where there is no test.
        best: index of the best mean, None where no seed has every condition.
        ranks: by Friedman, or why there are none.
        grid: the two factors whose cells these are, None elsewhere.
    """

    layout: Layout
    summaries: tuple[Summary, ...]
    apart: tuple[bool | None, ...]
    best: int | None
    ranks: Ranks | str
    grid: Grid | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a study shows.

    Attributes:
        study: as read.
        measures: that statements are made of.
        groups: of every such measure.
        statements: in the order of the groups.
        refusals: why effects could not be known.
    """

    study: Study
    measures: tuple[str, ...]
    groups: tuple[Group, ...]
    statements: tuple[Statement, ...]
    refusals: tuple[str, ...]


def find(study: Study, *, resamples: int = DRAWS) -> Findings:
    """Test everything that a study of its kind is asked, corrected together.

    Args:
        study: as :func:`analysis.study_reading.read_study` returns it.
        resamples: permutations of tests that draw them.
    """
    measures = outcomes(study)
    crossed = [grid for measure in measures for grid in grids(study, measure)]
    sets: list[tuple[Layout, Grid | None]] = [(grid.cells(), grid) for grid in crossed]
    if not crossed:
        sets = [(layout, None) for measure in measures for layout in layouts(study, measure)]
    sets = [(layout, grid) for layout, grid in sets if len(layout.names) > 1]
    planned = sum(_planned(layout, grid) for layout, grid in sets)
    groups: list[Group] = []
    statements: list[Statement] = []
    refusals: list[str] = []
    for layout, grid in sets:
        if grid is not None:
            found = _effects(grid, planned, resamples)
            statements += found if isinstance(found, list) else []
            refusals += [_in_group(found, layout)] if isinstance(found, str) else []
        group, made = _compare(layout, grid, planned, resamples)
        groups.append(group)
        statements += made
    tested = [statement for statement in statements if statement.evidence.p_value is not None]
    p_values = [statement.evidence.p_value or 0.0 for statement in tested]
    for statement, adjusted in zip(tested, holm(p_values), strict=True):
        statement.adjusted = adjusted
    return Findings(study, tuple(measures), tuple(groups), tuple(statements), tuple(refusals))


def _planned(layout: Layout, grid: Grid | None) -> int:
    """Return how many statements a layout is asked for."""
    compared = len(layout.names) - 1 if layout.reference is not None else 0
    effects = 3 if grid is not None and min(grid.values.shape[1:]) > 1 else 0
    # Of two conditions the one comparison with the reference already says which is better.
    winner = 0 if layout.reference is not None and len(layout.names) == 2 else 1
    return compared + effects + winner


def _effects(grid: Grid, planned: int, resamples: int) -> list[Statement] | str:
    """Test both factors and their interaction."""
    found = two_way_effects(
        grid.values, grid.factors, grid.numbers, statements=planned, resamples=resamples
    )
    if isinstance(found, str):
        return found
    first, second = grid.values.shape[1:]
    return [
        Statement(
            kind="effect",
            measure=grid.measure,
            group=grid.group,
            subject=effect.name,
            rival="",
            evidence=effect.test,
            difference=effect.slope,
            # Of more levels than two, or their products, the test is not that of the slope.
            detectable=_detectable(effect.slope, planned) if most == 2 else None,
            effect=effect,
        )
        for effect, most in zip(found, (first, second, max(first, second)), strict=True)
    ]


def _compare(
    layout: Layout, grid: Grid | None, planned: int, resamples: int
) -> tuple[Group, list[Statement]]:
    """Compare the conditions of one layout with its reference, and its best with all others."""
    higher = higher_is_better(layout.measure)
    summaries = tuple(seed_summary(column) for column in layout.values.T)
    statements = []
    if layout.reference is not None:
        rivals = [index for index in range(len(layout.names)) if index != layout.reference]
        statements = [_difference(layout, layout.reference, rival, planned) for rival in rivals]
    best = _best(layout.values, higher)
    apart: list[bool | None] = [None] * len(layout.names)
    if best is not None:
        winner, apart = _winner(layout, best, planned)
        statements += [winner] if _planned(layout, None) > len(statements) else []
    few = len(layout.names) <= MOST_RANKED
    ranks = (
        friedman_ranks(layout.values, layout.names, higher_is_better=higher, resamples=resamples)
        if few
        else f"ranks: {len(layout.names)} conditions are too many to tell apart by their ranks"
    )
    return Group(layout, summaries, tuple(apart), best, ranks, grid), statements


def _difference(layout: Layout, subject: int, rival: int, planned: int) -> Statement:
    """Compare two conditions over the seeds that both have."""
    pairs = layout.values[:, subject] - layout.values[:, rival]
    pairs = pairs[np.isfinite(pairs)]
    summary = seed_summary(pairs) if len(pairs) else None
    return Statement(
        kind="difference",
        measure=layout.measure,
        group=layout.group,
        subject=layout.names[subject],
        rival=layout.names[rival],
        evidence=paired_p_value(pairs, planned),
        difference=summary,
        detectable=_detectable(summary, planned),
    )


def _best(values: Array, higher: bool) -> int | None:
    """Return the condition with the best mean over complete seeds, None where there is none."""
    whole = _complete(values)
    if not len(whole):
        return None
    means = whole.mean(axis=0)
    return int(np.argmax(means) if higher else np.argmin(means))


def _complete(values: Array) -> Array:
    """Return the seeds that every condition has."""
    return values[np.isfinite(values).all(axis=1)]


def _winner(layout: Layout, best: int, planned: int) -> tuple[Statement, list[bool | None]]:
    """Compare the best condition with each other one; all have to be told apart.

    Over the seeds that it is best of: over those that two alone have it might be behind.
    """
    shared = replace(layout, values=_complete(layout.values))
    rivals = [index for index in range(len(layout.names)) if index != best]
    against = [_difference(shared, best, rival, planned) for rival in rivals]
    p_values = [statement.evidence.p_value for statement in against]
    known = [(p, index) for p, index in zip(p_values, rivals, strict=True) if p is not None]
    apart: list[bool | None] = [None] * len(layout.names)
    for adjusted, (_, index) in zip(holm([p for p, _ in known]), known, strict=True):
        apart[index] = adjusted <= LEVEL
    statement = max(against, key=_hardness)
    statement.kind = "winner"
    return statement, apart


def _hardness(statement: Statement) -> tuple[float, float]:
    """Order comparisons with the best by how little they tell apart."""
    p_value = statement.evidence.p_value
    nearness = -abs(statement.difference.mean) if statement.difference else 0.0
    return (2.0 if p_value is None else p_value, nearness)


def _detectable(summary: Summary | None, planned: int) -> float | None:
    """Return the least true mean that a test of these values would have shown."""
    if summary is None or not summary.deviation:
        return None
    return detectable_effect(summary.seeds, planned) * summary.deviation


def _in_group(reason: str, layout: Layout) -> str:
    """Say where something could not be known."""
    return f"{layout.group}: {reason}" if layout.group else reason
