"""One row of a study: what is trained, and where it stands in the grid."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Self

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply
from acgan_bert.recipe_kinds import TASKS, value_at

BASELINES = (
    *("logistic_regression", "self_training", "label_spreading", "supervised_mlp", "gan_bert"),
    "setfit",
)
"""Methods that are no recipe: :data:`acgan_bert.baselines.BASELINES`, and SetFit."""
EQUAL_PARAMETERS = "equal_parameters"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one row trains.

    Args:
        id: Hash of all that decides its numbers but the data itself.
        axes: Its level on each axis of the study.
        seed: Of the recipe.
        method: A baseline, or the name of the recipe; empty where the study has one method.
        control: What is held fixed beside the others, ``equal_parameters``; empty for none.
        recipe: Name of the study's recipe that it begins with.
        values: What it changes of that, under dotted keys.
        mapped: Whether its fakes are kept for the study's maps.
    """

    id: str
    axes: Mapping[str, Any]
    seed: int
    method: str
    control: str
    recipe: str
    values: Mapping[str, Any]
    mapped: bool = False

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Rebuild from :meth:`to_json`'s dictionary."""
        return cls(**content)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that JSON can hold."""
        return asdict(self)

    @property
    def baseline(self) -> bool:
        """Whether it is a baseline that is trained."""
        return self.method in BASELINES

    def resolved(self, recipes: Mapping[str, Recipe]) -> Recipe:
        """Return its recipe, given those of the study by name."""
        whole = _applied(recipes[self.recipe], json.dumps(self.values))
        return replace(whole, seed=self.seed)


@lru_cache(maxsize=4096)  # rows differ in their seeds first, and reading values takes milliseconds
def _applied(recipe: Recipe, values: str) -> Recipe:
    return apply(recipe, json.loads(values))


def row_id(recipe: Recipe, method: str) -> str:
    """Hash everything that a row's numbers depend on but the content of its sources.

    Args:
        recipe: Resolved, with its seed.
        method: A baseline's name makes another row of the same recipe; a recipe's does not.
    """
    content = [asdict(recipe), method if method in BASELINES else ""]
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def one_task(recipe: Recipe) -> bool:
    """Say whether a recipe trains the GAN on one task, whose rows are ``data``."""
    return recipe.gan and not any(value_at(recipe, f"{part}.train") for part in TASKS)


def trains_alone(recipe: Recipe) -> bool:
    """Say whether no other row can share a row's program.

    It moves its encoder, has several tasks, or may end before the others do.
    """
    moves = recipe.encoder.mode != "frozen" or recipe.adaptation.updates > 0
    return moves or recipe.watch.stop or not one_task(recipe)
