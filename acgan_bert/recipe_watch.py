"""The part of a recipe that says how the generator is watched while it is trained.

Part of :mod:`acgan_bert.recipe`, which says what the strings below the fields are for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchRecipe:
    """The early warning of a generator that collapses."""

    every_steps: int = 50
    """Steps between two looks, each taken at the evaluation that follows; 0: none."""
    rows: int = 128
    """Fakes of each member that are looked at, beside as many real rows."""
    stop: bool = False
    """End training at a warning, with the weights of the last checkpoint before it."""
