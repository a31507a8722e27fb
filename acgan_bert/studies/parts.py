"""The parts of a recipe that an ablation removes, by name."""

from collections.abc import Mapping
from typing import Any

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, check_recipe
from acgan_bert.recipe_kinds import value_at
from mtl.errors import InputError

_NO_ADVERSARY: dict[str, Any] = {
    "objective.adversarial": 0.0,
    "objective.class_generator": 0.0,
    "objective.feature_matching": 0.0,
}
PARTS: Mapping[str, Mapping[str, Any]] = {
    "adversary": _NO_ADVERSARY,
    "generator": _NO_ADVERSARY
    | {
        "objective.moment_matching": 0.0,
        "objective.class_fake": 0.0,
        "generator.warm_start": False,
    },
    "feature matching": {"objective.feature_matching": 0.0},
    "moment matching": {"objective.moment_matching": 0.0},
    "classes of fakes": {"objective.class_fake": 0.0},
    "class loss of the generator": {"objective.class_generator": 0.0},
    "unlabeled text": {"data.unlabeled_fraction": 0.0},
    "pseudo-labels": {"semisupervised.pseudo_labels": 0.0},
    "alignment": {"semisupervised.alignment": False},
    "warm start": {"generator.warm_start": False, "discriminator.warm_start": False},
    "linear skip": {
        "generator.linear_skip": False,
        "generator.warm_start": False,
        "discriminator.linear_skip": False,
        "discriminator.warm_start": False,
        "training.start_from": "",  # whose players have one
    },
    "players of another run": {"training.start_from": ""},
    "spectra": {"discriminator.spectra": (0.0,)},
    "input noise": {"discriminator.input_noise": 0.0},
    "dropout": {"generator.dropout": 0.0, "discriminator.dropout": 0.0},
    "moving average": {"generator.ema": 0.0, "discriminator.ema": 0.0},
    "members": {"training.members": 1},
    "adaptation": {"adaptation.updates": 0},
    "gradient surgery": {"multitask.surgery": "sum"},
    "smoothness": {"smart.weight": 0.0},
    "proximal point": {"smart.proximal": 0.0},
    "contrastive stage": {"contrastive.kind": "none"},
    "layers of tasks": {"sharing.adapter": "none", "sharing.pal_size": 0},
    "shared block": {"sharing.shared_depth": 0},
}
"""What each part is without; a part may be made of others."""


def removable(recipe: Recipe) -> dict[str, Mapping[str, Any]]:
    """Return the parts that a recipe has: whose removal changes it, each in another way."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, values in PARTS.items():
        changed = {key: new for key, new in values.items() if value_at(recipe, key) != new}
        if changed and changed not in found.values() and _holds(apply(recipe, changed)):
            found[name] = changed
    return found


def _holds(recipe: Recipe) -> bool:
    """Say whether a recipe is whole; one that trains something else has no such part to remove."""
    try:
        check_recipe(recipe)
    except InputError:
        return False
    return True
