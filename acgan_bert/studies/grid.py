"""The grids of the four kinds of study, and the axes that a user adds to them."""

import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import yaml

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import brief, read_values, recipe_fields, unknown_key
from acgan_bert.recipe_io import apply, check_recipe
from acgan_bert.studies.parts import removable
from acgan_bert.studies.rows import EQUAL_PARAMETERS, Row, row_id, trains_alone
from acgan_bert.studies.sizes import DataSize, equal_widths
from mtl.errors import InputError

Kind = Literal["depth", "labels", "unlabeled", "ablation"]
KINDS: tuple[Kind, ...] = ("depth", "labels", "unlabeled", "ablation")
MOST_ROWS = 100_000
REMOVED, NOTHING = "removed", "nothing"
"""The axis of an ablation, and its level at which the recipe is whole."""

_DEPTHS = ("generator.depth", "discriminator.depth")
MOST_MAPPED = 12
"""Points of a study of depths whose fakes are drawn."""
_LABELS = "data.label_fraction"
_FEW = [0.01, 0.05, 0.1]
_NO_AXES = {
    "seed": "use --seeds N, which count from the recipe's seed",
    "gan": "a study trains GANs, or their rivals, on the same rows",
    "report.figures": "the rows of a study draw nothing",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """What a study is over.

    Args:
        kind: Of the study.
        recipes: By name, resolved; the first is the one that was asked for.
        axes: Levels under dotted keys, in order.
        methods: Baselines, and names of recipes; empty where there is one recipe and no name.
        seeds: How many, from the recipe's own on.
        control: Whether rows of equal parameters stand beside those of a depth study.
    """

    kind: Kind
    recipes: Mapping[str, Recipe]
    axes: Mapping[str, Sequence[Any]]
    methods: Sequence[str] = ()
    seeds: int = 5
    control: bool = True

    def count(self) -> int:
        """Return an upper bound of the number of rows."""
        controls = 2 if self.control and self.kind == "depth" else 1
        levels = math.prod(len(levels) for levels in self.axes.values())
        return levels * max(1, len(self.methods)) * controls * self.seeds


def parse_axis(text: str) -> tuple[str, list[Any]]:
    """Read ``KEY=[VALUE,…]``.

    Raises:
        InputError: It is not of this form, the key is none of a recipe's, there is no value, one
            is twice there, or one has the wrong type.

    Example:
        >>> parse_axis("generator.width=[64, 256]")
        ('generator.width', [64, 256])
    """
    key, sign, written = (part.strip() for part in text.partition("="))
    if not sign:
        raise InputError(f"--axis {brief(text)}: write KEY=[VALUE,…], as generator.width=[64,256]")
    if key not in recipe_fields():
        raise unknown_key(key, where="--axis: ")
    if key in _NO_AXES:
        raise InputError(f"--axis {key}: cannot be an axis; {_NO_AXES[key]}")
    try:
        values = yaml.safe_load(written)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, list):
        raise InputError(f"--axis {key}: found {brief(written)}, expected a list such as [64,256]")
    if not values:
        raise InputError(f"--axis {key}: the list is empty, and so is the grid; give a value")
    if recipe_fields()[key].hint is str:
        values = [str(value) for value in values]
    typed = [read_values({key: value})[key] for value in values]
    twice = next((value for value in typed if typed.count(value) > 1), None)
    if twice is not None:
        raise InputError(f"--axis {key}: {brief(twice)} is there twice; give it once")
    return key, typed


def axes_of(
    kind: Kind, added: Mapping[str, Sequence[Any]], recipe: Recipe, given: Mapping[str, Any]
) -> dict[str, Sequence[Any]]:
    """Return the axes of a study: its kind's own, unless they are given otherwise, then others.

    Args:
        kind: Of the study.
        added: Axes of the user's.
        recipe: What the study is about.
        given: Keys of the recipe that the user set: these are fixed, and no axes of the kind's.

    Raises:
        InputError: A key is both set and an axis.
    """
    if both := sorted(set(added) & set(given)):
        raise InputError(f"--{both[0]} and --axis {both[0]} contradict each other; give one")
    own: dict[str, Sequence[Any]] = {}
    few_given = {_LABELS, "data.labels_per_class"} & (set(given) | set(added))
    if kind == "depth":
        own = {key: list(range(1, 9)) for key in _DEPTHS}
    elif kind in ("labels", "unlabeled") and not few_given:
        whole = recipe.data.label_fraction == 1 and not recipe.data.labels_per_class
        own = {_LABELS: _FEW} if whole or kind == "labels" else {}
    if kind == "unlabeled":
        own |= {"data.unlabeled_fraction": [0.0, 0.1, 0.25, 0.5, 1.0]}
    if kind == "ablation":
        own = {REMOVED: [NOTHING, *removable(recipe)]}
    own = {key: levels for key, levels in own.items() if key not in given}
    return {key: added.get(key, levels) for key, levels in own.items()} | {
        key: levels for key, levels in added.items() if key not in own
    }


def check_grid(grid: Grid, *, yes: bool = False) -> None:
    """Check the size of a grid.

    Raises:
        InputError: There are no seeds, or more than 100,000 rows and nobody said yes.
    """
    if grid.seeds < 1:
        raise InputError(f"--seeds: found {grid.seeds}, expected 1 or more")
    if grid.count() > MOST_ROWS and not yes:
        raise InputError(
            f"the grid has {grid.count():,} rows, more than {MOST_ROWS:,}; leave out levels or "
            "seeds, or add --yes if you mean it"
        )


def rows_of(grid: Grid, size_of: Callable[[Recipe], DataSize]) -> Iterator[Row]:
    """Yield the rows of a grid, in the order of its table; none twice.

    Args:
        grid: Of the study.
        size_of: Sizes of a recipe's data, which widths of equal parameters depend on.

    Raises:
        InputError: A recipe of the grid contradicts itself; the message says which.
    """
    seen: set[str] = set()
    default, mapped = next(iter(grid.recipes)), mapped_points(grid)
    for levels in itertools.product(*grid.axes.values()):
        axes = dict(zip(grid.axes, levels, strict=True))
        for method in grid.methods or ("",):
            name = method if method in grid.recipes else default
            for control, values in _controls(grid, grid.recipes[name], axes, size_of):
                recipe = _checked(grid.recipes[name], values, axes, method)
                for step in range(grid.seeds):
                    seed = recipe.seed + step
                    identity = row_id(replace(recipe, seed=seed), method)
                    if identity in seen:  # such as the control of the reference itself
                        continue
                    seen.add(identity)
                    yield Row(
                        id=identity,
                        axes=axes,
                        seed=seed,
                        method=method,
                        control=control,
                        recipe=name,
                        values=values,
                        mapped=not (step or control) and [*levels] in mapped,
                    )


def mapped_points(grid: Grid) -> list[list[Any]]:
    """Return the points whose fakes are drawn, level by level of both depths: the diagonal.

    Where one depth has fewer levels it stays at its last; every other axis is at its first.

    Example:
        >>> axes = {"generator.depth": [1, 2, 3], "discriminator.depth": [2, 4], "seed": [7, 8]}
        >>> mapped_points(Grid(kind="depth", recipes={}, axes=axes))
        [[1, 2, 7], [2, 4, 7], [3, 4, 7]]
    """
    counts = [len(levels) for key, levels in grid.axes.items() if key in _DEPTHS]
    if grid.kind != "depth" or not counts:
        return []
    return [
        [
            levels[min(place, len(levels) - 1) if key in _DEPTHS else 0]
            for key, levels in grid.axes.items()
        ]
        for place in range(min(max(counts), MOST_MAPPED))
    ]


def _controls(
    grid: Grid,
    recipe: Recipe,
    axes: Mapping[str, Any],
    size_of: Callable[[Recipe], DataSize],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the values of a point of the grid, and of its control where it has one."""
    values = {key: value for key, value in axes.items() if key != REMOVED}
    if (part := axes.get(REMOVED, NOTHING)) != NOTHING:
        values = {**removable(recipe)[part], **values}
    yield "", values
    if not (grid.control and grid.kind == "depth"):
        return
    here = apply(recipe, values)
    if trains_alone(here):
        return
    reference = (
        min(grid.axes.get(_DEPTHS[0], [here.generator.depth])),
        min(grid.axes.get(_DEPTHS[1], [here.discriminator.depth])),
    )
    yield EQUAL_PARAMETERS, values | equal_widths(here, size_of(here), depths=reference)


def _checked(
    base: Recipe, values: Mapping[str, Any], axes: Mapping[str, Any], method: str
) -> Recipe:
    """Put a point's values in place; what is wrong is said with the point."""
    try:
        recipe = apply(base, values)
        check_recipe(recipe)
    except InputError as error:
        where = [f"{key} {cell(level)}" for key, level in axes.items()]
        raise InputError(f"row {', '.join([*where, method]).strip(', ')}: {error}") from error
    return recipe


def cell(value: Any) -> str:  # noqa: ANN401 - a value of a recipe
    """Write a level as a table has it: lists and truth as JSON.

    Example:
        >>> cell(0.1), cell(True), cell((0.0, 0.5)), cell("hinge")
        ('0.1', 'true', '[0.0, 0.5]', 'hinge')
    """
    if isinstance(value, bool | list | tuple):
        return json.dumps(value)
    return "" if value is None else str(value)
