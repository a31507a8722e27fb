"""What a study compares with what: conditions side by side over seeds, or two factors crossed."""

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from analysis.study_baselines import baseline_means, baseline_values
from analysis.study_design import (
    compared_axis,
    condition_words,
    control_words,
    depth_axes,
    methods_of,
    ordered_levels,
    reference_level,
    reference_method,
    seeds_of,
)
from analysis.study_names import TIMES, as_number, axis_words, level_words
from analysis.study_reading import Row, Study
from analysis.words import readable

LABELS = ("labeled", "labels")  # columns that count rows with a label
LABEL_AXES = ("data.label_fraction", "data.labels_per_class")  # what decides them

Array = NDArray[np.float64]
Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Conditions that are compared with each other, paired by seed.

    Attributes:
        measure: what the values are.
        group: what all conditions share, in words; empty where there is one layout.
        position: a number for the group, such as the labels it has; None where there is none.
        names: of the K conditions, in words.
        positions: a number for each condition, None where there is none.
        values: shape (S, K), NaN where missing.
        reference: index of the condition that the others are compared with; None for none.
        control: what the group is a control for, as the table says it; empty for none.
        averaged: whether the values are means over other layouts.
        baseline: the best of the baselines that the rows carry, and its mean; None without any.
    """

    measure: str
    group: str
    position: float | None
    names: tuple[str, ...]
    positions: tuple[float | None, ...]
    values: Array
    reference: int | None
    control: str = ""
    averaged: bool = False
    baseline: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Two crossed factors.

    Attributes:
        measure: what the values are.
        group: what all cells share, in words.
        control: what the group is a control for; empty for none.
        factors: names of both, in words.
        levels: texts of both factors' levels.
        values: shape (S, A, B), NaN where missing.
    """

    measure: str
    group: str
    control: str
    factors: tuple[str, str]
    levels: tuple[tuple[str, ...], tuple[str, ...]]
    values: Array

    @property
    def numbers(self) -> tuple[list[float | None], list[float | None]]:
        """Return the levels of both factors as numbers, None where they are none."""
        first, second = ([as_number(text) for text in levels] for levels in self.levels)
        return first, second

    def cells(self) -> Layout:
        """Return the cells that have any value as conditions of a layout."""
        flat = self.values.reshape(len(self.values), -1)
        there = present(flat)
        names = [f"{a} {TIMES} {b}" for a, b in product(*self.levels)]
        kept = tuple(name for name, found in zip(names, there, strict=True) if found)
        nowhere = (None,) * len(kept)
        values = flat[:, there]
        return Layout(self.measure, self.group, None, kept, nowhere, values, None, self.control)


def grids(study: Study, measure: str) -> list[Grid]:
    """Return a study of depths as grids, one a control and a combination of the other axes."""
    crossed = depth_axes(study)
    if study.kind != "depth" or crossed is None:
        return []
    first, second = (list(study.axes).index(key) for key in crossed)
    groups = _grouped(study, lambda row: _others(row, (first, second)))
    found = []
    for key, rows in groups.items():
        if key[-1]:  # the shallowest players are their own control, and no rows of theirs differ
            rows = [*rows, *_own_control(groups.get((*key[:-1], ""), []), rows, (first, second))]
        levels = tuple(
            ordered_levels({row.levels[index] for row in rows}, study.axes[name])
            for index, name in ((first, crossed[0]), (second, crossed[1]))
        )
        values = _array(
            rows,
            measure,
            seeds_of(study),
            [(a, b) for a in levels[0] for b in levels[1]],
            lambda row: (row.levels[first], row.levels[second]),
        ).reshape(-1, len(levels[0]), len(levels[1]))
        if np.isfinite(values).any():
            group = _group_words(study, key, crossed)
            factors = (axis_words(crossed[0]), axis_words(crossed[1]))
            found.append(Grid(measure, group, key[-1], factors, (levels[0], levels[1]), values))
    return found


def _own_control(
    plain: Sequence[Row], controls: Sequence[Row], indices: tuple[int, ...]
) -> list[Row]:
    """Return the rows of the least levels of both factors, where the controls have none."""

    def place(row: Row) -> tuple[float, ...]:
        return tuple(as_number(row.levels[index]) or 0.0 for index in indices)

    least = min((place(row) for row in plain), default=())
    if any(place(row) == least for row in controls):
        return []
    return [row for row in plain if place(row) == least]


def layouts(study: Study, measure: str) -> list[Layout]:
    """Return the conditions that a study compares, a layout for each combination of the rest."""
    if study.kind == "depth" and depth_axes(study):
        return [grid.cells() for grid in grids(study, measure)]
    axis = compared_axis(study)
    if axis is None:
        return _method_layouts(study, measure)
    index = list(study.axes).index(axis)
    groups = _grouped(study, lambda row: (*_others(row, (index,)), row.method))
    found = []
    for key, rows in groups.items():
        if key[-2] and study.kind == "depth":
            plain = groups.get((*key[:-2], "", key[-1]), [])
            rows = [*rows, *_own_control(plain, rows, (index,))]
        levels = ordered_levels({row.levels[index] for row in rows}, study.axes[axis])
        values = _array(rows, measure, seeds_of(study), levels, lambda row: row.levels[index])
        there = present(values)
        kept = [level for level, has in zip(levels, there, strict=True) if has]
        if len(kept) > 1:
            group = _group_words(study, key, (axis,))
            names = _distinct([condition_words(study, axis, level) for level in kept], kept)
            numbers = tuple(as_number(level) for level in kept)
            reference = reference_level(study, kept)
            found.append(
                Layout(
                    measure=measure,
                    group=group,
                    position=None,
                    names=names,
                    positions=numbers,
                    values=values[:, there],
                    reference=reference,
                    control=key[-2],
                    baseline=next(iter(baseline_means(rows, measure).items()), None),
                )
            )
    return found


def _method_layouts(study: Study, measure: str) -> list[Layout]:
    """Return the methods side by side, a layout for each fraction of labels."""
    groups = _grouped(study, lambda row: _others(row, ()))
    found = []
    for key, rows in groups.items():
        methods = [name for name in methods_of(study) if any(row.method == name for row in rows)]
        values = _array(rows, measure, seeds_of(study), methods, lambda row: row.method)
        names, values = _with_baselines(rows, measure, seeds_of(study), methods, values)
        there = present(values)
        kept = [name for name, has in zip(names, there, strict=True) if has]
        if len(kept) > 1:
            labels = [row.values[name] for row in rows for name in LABELS if name in row.values]
            numbers = [as_number(text) for text in key[:-1]]
            position = float(np.median(labels)) if labels else next(iter(numbers), None)
            found.append(
                Layout(
                    measure=measure,
                    group=_group_words(study, key, ()),
                    position=position,
                    names=_distinct([readable(name) for name in kept], kept),
                    positions=(None,) * len(kept),
                    values=values[:, there],
                    reference=reference_method(study, kept),
                    control=key[-1],
                )
            )
    return [*found, *_averaged(found, study)]


def _distinct(words: Sequence[str], written: Sequence[str]) -> tuple[str, ...]:
    """Return conditions as people read them; as written where two would read the same."""
    return tuple(words if len(set(words)) == len(words) else written)


def _averaged(found: Sequence[Layout], study: Study) -> list[Layout]:
    """Return the methods averaged over all groups in each seed, where there are several groups.

    That is one comparison where the groups are many, and a steadier one.
    """
    plain = [layout for layout in found if not layout.control]
    if len(plain) < 2 or len({layout.names for layout in plain}) > 1:
        return []
    values = np.mean([layout.values for layout in plain], axis=0)
    if not all(present(values)):
        return []
    over = ", ".join(axis_words(key) for key, levels in study.axes.items() if len(levels) > 1)
    group = f"averaged over {over}"
    return [replace(plain[0], group=group, position=None, values=values, averaged=True)]


def _with_baselines(
    rows: Sequence[Row],
    measure: str,
    seeds: Sequence[str],
    methods: Sequence[str],
    values: Array,
) -> tuple[list[str], Array]:
    """Add the baselines that rows carry and that are no method with rows of their own."""
    names, columns = list(methods), [values]
    for name, by_seed in baseline_values(rows, measure).items():
        if name not in methods:
            means = [float(np.mean(by_seed.get(seed, [math.nan]))) for seed in seeds]
            names.append(name)
            columns.append(np.array(means)[:, None])
    return names, np.concatenate(columns, axis=1)


def _grouped(study: Study, key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    """Return the rows by a key, in the order of the table."""
    groups: dict[Key, list[Row]] = {}
    for row in study.rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _others(row: Row, indices: Sequence[int]) -> Key:
    """Return the levels on the axes that are not compared, then the control."""
    levels = (text for index, text in enumerate(row.levels) if index not in indices)
    return (*levels, row.control)


def _group_words(study: Study, key: Key, compared: Iterable[str]) -> str:
    """Say what a group shares: levels of axes that vary between groups, control, method."""
    left = [axis for axis in study.axes if axis not in compared]
    parts = [
        f"{axis_words(axis)} {level_words(axis, text)}"
        for axis, text in zip(left, key, strict=False)
        if len(study.axes[axis]) > 1
    ]
    control, *method = key[len(left) :]
    parts += [control_words(control)] if control else []
    if len(methods_of(study)) > 1:
        parts += [readable(name) for name in method if name]
    return ", ".join(parts)


def present(values: Array) -> list[bool]:
    """Return which conditions have any value, from shape (S, K)."""
    return [bool(np.isfinite(column).any()) for column in values.T]


def _array(
    rows: Sequence[Row],
    measure: str,
    seeds: Sequence[str],
    conditions: Sequence[Hashable],
    condition_of: Callable[[Row], Hashable],
) -> Array:
    """Return a measure by seed and condition, NaN where missing."""
    values = np.full((len(seeds), len(conditions)), np.nan)
    lines = {seed: index for index, seed in enumerate(seeds)}
    columns = {condition: index for index, condition in enumerate(conditions)}
    for row in rows:
        column = columns.get(condition_of(row))
        if column is not None and measure in row.values:
            values[lines[row.seed], column] = row.values[measure]
    return values
