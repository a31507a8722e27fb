"""How many parameters players have, what a step of them costs, and widths of equal parameters.

Closed forms of what :mod:`acgan_bert.networks` builds for one task; the tests count the networks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from acgan_bert.recipe import Recipe

MOST_WIDTH = 1 << 16


@dataclass(frozen=True, slots=True)
class DataSize:
    """What of the data decides the sizes of networks and programs."""

    rows: int
    """Training rows N of the source."""
    width: int
    """Width D of an embedding."""
    classes: int
    """Number of classes C."""


class PlayerSizes(NamedTuple):
    """Parameters of one member."""

    generator: int
    discriminator: int


def player_sizes(recipe: Recipe, data: DataSize) -> PlayerSizes:
    """Count the parameters of a recipe's players, one member of each."""
    return PlayerSizes(
        _generator(recipe, data, recipe.generator.depth, recipe.generator.width),
        _discriminator(recipe, data, recipe.discriminator.depth, recipe.discriminator.width),
    )


def equal_widths(recipe: Recipe, data: DataSize, *, depths: tuple[int, int]) -> dict[str, int]:
    """Return the widths at which both players have the parameters of other depths.

    Args:
        recipe: Whose depths are kept; its widths are those of the reference.
        data: Sizes of the data.
        depths: Of the reference's generator and discriminator.

    Returns:
        ``generator.width`` and ``discriminator.width``: of all widths, those nearest in parameters.
    """
    wanted = (
        _generator(recipe, data, depths[0], recipe.generator.width),
        _discriminator(recipe, data, depths[1], recipe.discriminator.width),
    )
    generator = _nearest(
        lambda width: _generator(recipe, data, recipe.generator.depth, width), wanted[0]
    )
    discriminator = _nearest(
        lambda width: _discriminator(recipe, data, recipe.discriminator.depth, width), wanted[1]
    )
    return {"generator.width": generator, "discriminator.width": discriminator}


def _nearest(count: Callable[[int], int], wanted: int) -> int:
    """Return the width whose count, which grows with it, is nearest; the smaller of two."""
    low, high = 1, MOST_WIDTH
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) >= wanted else (middle + 1, high)
    return low - 1 if low > 1 and wanted - count(low - 1) <= count(low) - wanted else low


def _hidden(inputs: int, depth: int, width: int) -> int:
    return (inputs + 1) * width + (depth - 1) * (width + 1) * width


def _generator(recipe: Recipe, data: DataSize, depth: int, width: int) -> int:
    inputs = (recipe.generator.noise_width or data.width) + data.classes
    skip = inputs * data.width if recipe.generator.linear_skip else 0
    return _hidden(inputs, depth, width) + (width + 1) * data.width + skip


def _discriminator(recipe: Recipe, data: DataSize, depth: int, width: int) -> int:
    # Imported here: reading a command line needs no torch.
    from acgan_bert.gan.adversaries import ADVERSARIES

    adversary = ADVERSARIES[recipe.objective.name]
    heads = (width + 1) * data.classes * (2 if adversary.rival else 1)
    heads += width * data.classes if adversary.projection else 0
    heads += data.width * data.classes if recipe.discriminator.linear_skip else 0
    return _hidden(data.width, depth, width) + width + 1 + heads
