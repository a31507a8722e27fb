from dataclasses import replace

import pytest

from acgan_bert.gan.streams import MemberStreams
from acgan_bert.networks import Shape, build_discriminator, build_generator
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, check_recipe, load_recipe
from acgan_bert.studies.grid import Grid, axes_of, check_grid, parse_axis, rows_of
from acgan_bert.studies.packing import (
    MOST_MEMBERS,
    MOST_PADDING,
    member_bytes,
    pack_rows,
    program_of,
)
from acgan_bert.studies.parts import PARTS, removable
from acgan_bert.studies.rows import EQUAL_PARAMETERS, Row
from acgan_bert.studies.sizes import DataSize, equal_widths, player_sizes
from mtl.errors import InputError

DATA = DataSize(rows=8544, width=24, classes=5)
WITH_PARTS = apply(Recipe(), {"data.train": "a.csv", "data.test": "b.csv"})


def grid(kind="depth", recipe=WITH_PARTS, **settings):
    axes = {"generator.depth": [1, 2, 4], "discriminator.depth": [1, 3]}
    return Grid(**{"kind": kind, "recipes": {"default": recipe}, "axes": axes, **settings})


def rows(grid, data=DATA):
    return list(rows_of(grid, lambda _: data))


def packed(grid, data=DATA):
    found = rows(grid, data)
    recipes = {row.id: row.resolved(grid.recipes) for row in found}
    return recipes, pack_rows([(row, recipes[row.id]) for row in found], lambda _: data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("generator.dept=[1]", "unknown key 'generator.dept'; did you mean generator.depth"),
        ("generator.depth=[]", "list is empty, and so is the grid"),
        ("generator.depth=3", "expected a list"),
        ("generator.depth=[1,", "expected a list"),
        ("generator.depth", r"write KEY=\[VALUE"),
        ("generator.depth=[1,two]", "generator.depth: found 'two', expected a whole number"),
        ("generator.depth=[1,2,1]", "1 is there twice"),
        ("objective.name=[hinge,hinj]", r"did you mean hinge"),
        ("seed=[1,2]", "use --seeds"),
    ],
)
def test_an_axis_that_is_none_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        parse_axis(text)


def test_axes_are_typed_as_the_recipe_is():
    assert parse_axis("discriminator.spectra=[[0], [0, 1]]")[1] == [(0.0,), (0.0, 1.0)]
    assert parse_axis("data.label_fraction=[1, 0.5]")[1] == [1.0, 0.5]
    assert parse_axis("data.train=[a.csv, 7]")[1] == ["a.csv", "7"]
    assert parse_axis("generator.warm_start=[true, false]")[1] == [True, False]


def test_each_kind_has_its_axes_unless_they_are_given():
    recipe = Recipe()
    depth = axes_of("depth", {}, recipe, {})
    assert depth == {"generator.depth": [*range(1, 9)], "discriminator.depth": [*range(1, 9)]}
    added = {"generator.depth": [1, 5], "objective.name": ["hinge"]}
    assert axes_of("depth", added, recipe, {"discriminator.depth": 2}) == added
    unlabeled = axes_of("unlabeled", {}, recipe, {"data.labels_per_class": 8})
    assert list(unlabeled) == ["data.unlabeled_fraction"]
    assert list(axes_of("labels", {}, recipe, {})) == ["data.label_fraction"]
    with pytest.raises(InputError, match="contradict"):
        axes_of("depth", {"generator.depth": [1]}, recipe, {"generator.depth": 1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"seeds": 0}, "--seeds: found 0"), ({"seeds": 20_000}, r"240,000 rows, more than 100,000")],
)
def test_sizes_of_a_grid_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        check_grid(grid(**settings))
    if settings["seeds"]:
        check_grid(grid(**settings), yes=True)


def test_a_depth_study_has_every_point_and_its_control_for_every_seed():
    found = rows(grid(seeds=3))
    assert len(found) == 3 * (6 + 5)  # the control of the reference is the reference
    assert len({row.id for row in found}) == len(found)
    places = {(*row.axes.values(), row.seed, row.control) for row in found}
    assert len(places) == len(found)
    assert (1, 1, 0, EQUAL_PARAMETERS) not in places


def test_a_row_is_named_by_its_recipe():
    """Any key that changes gives another row; the grid around it does not matter."""
    first, again = rows(grid(seeds=1)), rows(grid(seeds=2))
    assert {row.id for row in first} < {row.id for row in again}
    changed = apply(WITH_PARTS, {"training.weight_decay": 0.02})
    assert not {row.id for row in first} & {row.id for row in rows(grid(recipe=changed))}
    assert Row.from_json(first[0].to_json()) == first[0]


def test_a_point_that_contradicts_itself_is_named():
    axes = {"generator.depth": [1, 99]}
    with pytest.raises(InputError, match=r"row generator\.depth 99: generator\.depth: found 99"):
        rows(grid(axes=axes))


@pytest.mark.parametrize("name", ["hinge", "ac-gan", "gan-bert", "tac-gan", "reac-gan"])
@pytest.mark.parametrize("skip", [True, False])
def test_parameters_are_counted_as_networks_are_built(name, skip):
    recipe = apply(
        load_recipe("gan-bert") if not skip else Recipe(),
        {"objective.name": name, "generator.depth": 3, "discriminator.depth": 2},
    )
    recipe = apply(recipe, {"generator.width": 7, "discriminator.width": 5})
    shape, streams = Shape.of([recipe], DATA.width, (DATA.classes,)), MemberStreams([0])
    built = [build(shape, streams) for build in (build_generator, build_discriminator)]
    counted = [sum(p.numel() for p in player.parameters()) for player in built]
    assert list(player_sizes(recipe, DATA)) == counted


@pytest.mark.parametrize("depth", [1, 2, 5, 8])
def test_widths_of_equal_parameters_are_the_nearest(depth):
    recipe = apply(Recipe(), {"generator.depth": depth, "discriminator.depth": depth})
    reference = player_sizes(apply(Recipe(), {}), DATA)
    widths = equal_widths(recipe, DATA, depths=(1, 1))

    def misses(key, player, step):
        other = apply(recipe, widths | {key: widths[key] + step})
        return abs(player_sizes(other, DATA)[player] - reference[player])

    for player, key in enumerate(widths):
        assert misses(key, player, 0) <= min(misses(key, player, 1), misses(key, player, -1))
    if depth == 1:
        assert widths == {"generator.width": 128, "discriminator.width": 128}


def test_what_is_removed_is_what_the_recipe_has():
    named = removable(Recipe())
    assert "adaptation" not in named
    assert "adaptation" in removable(load_recipe("few-labels"))
    for part, values in PARTS.items():
        without = apply(Recipe(), values)
        assert (without != Recipe()) == (part in named)


@pytest.mark.parametrize("name", ["gan-bert", "paper", "default"])
def test_every_part_is_removed_in_a_way_of_its_own(name):
    """The published recipes match no moments: without its adversary, no generator is left."""
    recipe = load_recipe(name)
    named = removable(recipe)
    without = [recipe, *(apply(recipe, values) for values in named.values())]
    assert all(one not in without[:place] for place, one in enumerate(without))
    for values in PARTS.values():
        assert apply(recipe, values) in without


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [
        ("mtl-combined", {"gradient surgery", "layers of tasks"}, {"adversary", "unlabeled text"}),
        ("mtl-clip-contrastive", {"contrastive stage"}, {"dropout", "gradient surgery"}),
        ("joint-paper", {"adversary", "shared block"}, {"unlabeled text", "spectra"}),
        ("default", {"unlabeled text", "members"}, {"gradient surgery", "shared block"}),
    ],
)
def test_what_a_recipe_does_not_train_is_no_part_of_it(name, has, lacks):
    recipe = load_recipe(name)
    named = removable(recipe)
    assert has <= set(named)
    assert not lacks & set(named)
    for values in named.values():
        check_recipe(apply(recipe, values))


def test_packs_hold_every_row_once_within_bounds():
    recipes, packs = packed(grid(seeds=5))
    assert sorted(row for pack in packs for row in pack.rows) == sorted(recipes)
    for pack in packs:
        inside = [recipes[row] for row in pack.rows]
        assert sum(recipe.training.members for recipe in inside) <= MOST_MEMBERS
        assert len({program_of(recipe) for recipe in inside}) == 1
        own = sum(recipe.training.members * sum(player_sizes(recipe, DATA)) for recipe in inside)
        steps = inside[0].training.steps * inside[0].training.batch_size
        assert own * steps <= pack.cost <= MOST_PADDING * own * steps
    _, alike = packed(grid(axes={"generator.depth": [1]}, seeds=10))
    assert [len(pack.rows) for pack in alike] == [MOST_MEMBERS // 4, 2]


def test_rows_that_use_other_rows_of_the_data_share_no_program():
    """Coordinates are those of the rows that are used."""
    held_out = apply(Recipe(), {"data.train": "a.csv", "data.test_fraction": 0.2})
    less_text = apply(WITH_PARTS, {"data.label_fraction": 0.1, "data.unlabeled_fraction": 0.5})
    leaning = apply(WITH_PARTS, {"data.unlabeled_imbalance": 10.0})
    cases = ((WITH_PARTS, True), (held_out, False), (less_text, False), (leaning, False))
    for recipe, alike in cases:
        seeds = program_of(recipe), program_of(replace(recipe, seed=1))
        assert (seeds[0] == seeds[1]) == alike
    fewer = apply(WITH_PARTS, {"data.label_fraction": 0.1, "data.label_imbalance": 10.0})
    assert program_of(fewer) == program_of(WITH_PARTS)


def test_packs_stay_within_memory():
    large = DataSize(rows=20_000_000, width=24, classes=2)
    recipes, packs = packed(grid(seeds=3), large)
    assert member_bytes(0, large) * 4 > 1 << 30  # four members of one row are too many already
    assert all(len(pack.rows) == 1 for pack in packs)
    assert len(packs) == len(recipes)


def test_a_moving_encoder_and_a_baseline_are_packs_of_their_own_kind():
    moving = apply(load_recipe("few-labels"), {"data.train": "a.csv", "data.test": "b.csv"})
    methods = ("few-labels", "logistic_regression", "self_training")
    whole = Grid(
        kind="labels",
        recipes={"few-labels": moving},
        axes={"data.label_fraction": [0.1]},
        methods=methods,
        seeds=2,
    )
    _, packs = packed(whole)
    kinds = sorted((pack.kind, len(pack.rows)) for pack in packs)
    assert kinds == [("alone", 1), ("alone", 1), ("baselines", 2), ("baselines", 2)]
