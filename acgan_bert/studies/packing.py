"""Rows to packs: what one program trains together.

Rows of a pack share data, objective, batch and steps; they differ in what members of an
:class:`acgan_bert.ensemble.Ensemble` may. A step costs every member what the deepest and widest
would cost, so like is grouped with like. Packs depend on the rows alone, never on workers or on
what is done already: whoever goes on with a study trains the same programs, and gets the same bits.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self

from acgan_bert.recipe import Recipe
from acgan_bert.studies.rows import Row, trains_alone
from acgan_bert.studies.sizes import DataSize, PlayerSizes, player_sizes

MOST_MEMBERS = 32
"""Members of a pack: beyond, a step costs a member no less, and less is lost with a worker."""
MOST_BYTES = 1 << 30
"""Memory of a pack's members: weights, averages, moments, gradients, and the rows they draw."""
MOST_PADDING = 1.25
"""Cost of a pack beside the cost of its rows without padding, at most."""
COPIES = 8
"""Of a member's weights, in training: weights, average, two moments, gradients, the last good
state of the first four, which a checkpoint copies once more."""
BASELINE_COST, ALONE_COST = 2e10, 1e13
"""Of a row that is no member of an ensemble, in parameters times rows; a guess, to order by."""

Kind = Literal["gan", "baselines", "alone"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """Rows that are trained in one go.

    Args:
        id: Hash of its rows.
        kind: Members of one ensemble, baselines on the same rows, or a run of its own.
        rows: Their ids, in order.
        cost: In parameters times training rows, to order by and to tell the time left.
    """

    id: str
    kind: Kind
    rows: tuple[str, ...]
    cost: float

    @classmethod
    def of(cls, kind: Kind, rows: Sequence[str], cost: float) -> Self:
        """Make a pack of rows."""
        name = hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]
        return cls(id=name, kind=kind, rows=tuple(rows), cost=float(cost))

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild from :meth:`to_json`'s dictionary."""
        return cls(**{**content, "rows": tuple(content["rows"])})

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class _Load:
    """What one row adds to a pack."""

    row: str
    recipe: Recipe
    sizes: PlayerSizes
    steps: int
    data_rows: int

    @property
    def members(self) -> int:
        return self.recipe.training.members


def pack_rows(
    rows: Iterable[tuple[Row, Recipe]], size_of: Callable[[Recipe], DataSize]
) -> list[Pack]:
    """Group rows into packs.

    Args:
        rows: With their resolved recipes.
        size_of: Sizes of a recipe's data.
    """
    packs: list[Pack] = []
    programs: dict[tuple[Recipe, Recipe], list[_Load]] = {}
    baselines: dict[Recipe, list[str]] = {}
    for row, recipe in rows:
        if row.baseline:
            baselines.setdefault(draw_of(recipe), []).append(row.id)
        elif trains_alone(recipe):
            packs.append(Pack.of("alone", [row.id], ALONE_COST))
        else:
            data = size_of(recipe)
            sizes = player_sizes(recipe, data)
            work = recipe.training.steps * recipe.training.batch_size
            load = _Load(row.id, recipe, sizes, work, data.rows)
            programs.setdefault(program_of(recipe), []).append(load)
    packs += [Pack.of("baselines", ids, BASELINE_COST * len(ids)) for ids in baselines.values()]
    for loads in programs.values():
        # The sort is stable: of equal networks, rows stay in the order of the table.
        packs += _cut(sorted(loads, key=_sizes_first), size_of(loads[0].recipe))
    return packs


def program_of(recipe: Recipe) -> tuple[Recipe, Recipe]:
    """Return what members of one ensemble have in common: settings, and :func:`data_of`."""
    common = replace(
        recipe,
        seed=0,
        data=Recipe().data,
        report=Recipe().report,
        generator=replace(recipe.generator, depth=1, width=1, dropout=0.0),
        discriminator=replace(recipe.discriminator, depth=1, width=1, dropout=0.0),
        training=replace(
            recipe.training,
            members=1,
            discriminator_learning_rate=1.0,
            skip_learning_rate=1.0,
            generator_learning_rate=1.0,
        ),
    )
    return common, data_of(recipe)


def data_of(recipe: Recipe) -> Recipe:
    """Return a recipe of the same rows, trained on and scored, whatever labels of them are drawn.

    The players' coordinates are those of the rows that are used, so rows that use others cannot
    share a program. Which are set aside, or used without labels, depends on the seed.
    """
    data = recipe.data
    if data.unlabeled_fraction != 1 or data.unlabeled_imbalance != 1:
        return draw_of(recipe)
    whole = replace(data, label_fraction=1.0, labels_per_class=0, label_imbalance=1.0)
    seed = recipe.seed if data.dev_fraction or data.test_fraction else 0
    return Recipe(seed=seed, data=whole, encoder=recipe.encoder)


def draw_of(recipe: Recipe) -> Recipe:
    """Return a recipe of the same rows and the same labels of them."""
    return Recipe(seed=recipe.seed, data=recipe.data, encoder=recipe.encoder)


def _sizes_first(load: _Load) -> tuple[int, ...]:
    generator, discriminator = load.recipe.generator, load.recipe.discriminator
    return (generator.depth, discriminator.depth, generator.width, discriminator.width)


def _cut(loads: Sequence[_Load], data: DataSize) -> list[Pack]:
    """Fill packs in order; begin another where one would be too big or mostly padding."""
    packs: list[list[_Load]] = []
    for load in loads:
        if packs and _fits([*packs[-1], load], data):
            packs[-1].append(load)
        else:
            packs.append([load])
    return [Pack.of("gan", [load.row for load in pack], _cost(pack, data)) for pack in packs]


def _fits(pack: Sequence[_Load], data: DataSize) -> bool:
    members = sum(load.members for load in pack)
    needed = members * member_bytes(sum(_padded(pack, data)), data)
    own = sum(load.members * sum(load.sizes) * load.steps for load in pack)
    padding = _cost(pack, data) / own
    return members <= MOST_MEMBERS and needed <= MOST_BYTES and padding <= MOST_PADDING


def member_bytes(parameters: int, data: DataSize) -> int:
    """Return the memory of one member in training."""
    # Labels, and where its labelled and unlabelled rows are: three numbers of 8 bytes a row.
    return COPIES * 4 * parameters + 3 * 8 * data.rows


def _cost(pack: Sequence[_Load], data: DataSize) -> float:
    members = sum(load.members for load in pack)
    return float(members * sum(_padded(pack, data)) * pack[0].steps)


def _padded(pack: Sequence[_Load], data: DataSize) -> PlayerSizes:
    """Count the parameters that every member has, padding included."""
    first = pack[0].recipe
    recipes = [load.recipe for load in pack]
    generator = replace(
        first.generator,
        depth=max(recipe.generator.depth for recipe in recipes),
        width=max(recipe.generator.width for recipe in recipes),
    )
    discriminator = replace(
        first.discriminator,
        depth=max(recipe.discriminator.depth for recipe in recipes),
        width=max(recipe.discriminator.width for recipe in recipes),
    )
    return player_sizes(replace(first, generator=generator, discriminator=discriminator), data)
