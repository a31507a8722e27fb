"""What the numbers of a recipe may be, and which keys exclude each other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import recipe_fields
from mtl.errors import InputError


@dataclass(frozen=True, slots=True)
class Range:
    """An interval of numbers; an open end is not part of it."""

    low: float = 0.0
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        """Say whether a finite number lies inside; NaN never does."""
        above = self.low < value if self.low_open else self.low <= value
        below = value < self.high if self.high_open else value <= self.high
        return above and below and math.isfinite(value)

    def __str__(self) -> str:
        """Write the interval, ``(0, 1]`` or in words where one end is infinite."""
        if self.high == math.inf:
            return f"a number above {self.low:g}" if self.low_open else f"{self.low:g} or more"
        ends = f"{self.low:.10g}, {self.high:.10g}"
        return f"a number in {'(' if self.low_open else '['}{ends}{')' if self.high_open else ']'}"


_SHARE = Range(0, 1)
_POSITIVE_SHARE = Range(0, 1, low_open=True)
_BELOW_ONE = Range(0, 1, high_open=True)
_WEIGHT = Range(0)
_POSITIVE = Range(0, low_open=True)
_COUNT = Range(1)
_DEPTH = Range(1, 16)

RANGES: Mapping[str, Range] = {
    # What both NumPy and scikit-learn take as a seed.
    "seed": Range(0, 2**32 - 1),
    "data.dev_fraction": _BELOW_ONE,
    "data.test_fraction": _BELOW_ONE,
    "data.label_fraction": _POSITIVE_SHARE,
    "data.labels_per_class": Range(0),
    "data.unlabeled_fraction": _SHARE,
    # A pair needs its three special tokens and a token of each text.
    "encoder.max_length": Range(5),
    "encoder.token_budget": _COUNT,
    "generator.depth": _DEPTH,
    "generator.width": _COUNT,
    "generator.noise_width": Range(0),
    "generator.dropout": _BELOW_ONE,
    "generator.ema": _BELOW_ONE,
    "discriminator.depth": _DEPTH,
    "discriminator.width": _COUNT,
    "discriminator.dropout": _BELOW_ONE,
    "discriminator.input_noise": _WEIGHT,
    # Beyond 2, hardly any principal component but the first is left; below -1, none of them.
    "discriminator.spectra": Range(-1, 2),
    "discriminator.ema": _BELOW_ONE,
    "objective.adversarial": _WEIGHT,
    "objective.class_real": _WEIGHT,
    "objective.class_fake": _WEIGHT,
    "objective.class_generator": _WEIGHT,
    "objective.feature_matching": _WEIGHT,
    "objective.moment_matching": _WEIGHT,
    "objective.mode_seeking": _WEIGHT,
    "objective.r1": _WEIGHT,
    "objective.negative_augmentation": _WEIGHT,
    "semisupervised.labeled_share": _POSITIVE_SHARE,
    "semisupervised.pseudo_labels": _WEIGHT,
    "semisupervised.threshold": _SHARE,
    "semisupervised.warmup_steps": Range(0),
    "training.steps": _COUNT,
    # A labelled and an unlabelled row.
    "training.batch_size": Range(2),
    "training.members": _COUNT,
    "training.discriminator_learning_rate": _POSITIVE,
    "training.skip_learning_rate": _WEIGHT,
    "training.generator_learning_rate": _POSITIVE,
    "training.beta1": _BELOW_ONE,
    "training.weight_decay": _WEIGHT,
    "training.clip": _WEIGHT,
    "training.divergence_norm": _POSITIVE,
    "training.eval_every_steps": _COUNT,
    "training.checkpoint_every_steps": _COUNT,
    # Precision and recall look at the five nearest neighbors.
    "report.fakes": Range(10),
}


def check_recipe(recipe: Recipe) -> None:
    """Check every number of a recipe, and that no key contradicts another.

    Raises:
        InputError: It names the key, the value found and what is allowed.
    """
    for key, allowed in RANGES.items():
        value = value_at(recipe, key)
        several = value if isinstance(value, tuple) else (value,)
        for number in several:
            if not isinstance(number, int | float) or number not in allowed:
                raise InputError(f"{key}: found {number}, expected {allowed}")
    if not recipe.discriminator.spectra:
        raise InputError("discriminator.spectra is empty; [0] leaves embeddings as they are")
    for key in ("data.train", "encoder.name"):
        if not str(value_at(recipe, key)).strip():
            raise InputError(f"{key} is empty; {recipe_fields()[key].help}")
    _check_contradictions(recipe)


def value_at(recipe: Recipe, key: str) -> float | str | tuple[str | float, ...]:
    """Return what a recipe holds at a dotted key."""
    value: object = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value  # type: ignore[return-value]


def _check_contradictions(recipe: Recipe) -> None:
    data = recipe.data
    if data.label_fraction != 1 and data.labels_per_class:
        raise InputError(
            f"data.label_fraction {data.label_fraction:g} and data.labels_per_class "
            f"{data.labels_per_class} contradict each other; give one of them"
        )
    if data.dev_fraction + data.test_fraction >= 1:
        raise InputError(
            f"data.dev_fraction {data.dev_fraction:g} and data.test_fraction "
            f"{data.test_fraction:g} leave nothing to train on; their sum must be below 1"
        )
    for part in ("dev", "test"):
        source, fraction = getattr(data, part), getattr(data, f"{part}_fraction")
        if source and fraction:
            raise InputError(
                f"data.{part} {source} and data.{part}_fraction {fraction:g} contradict each "
                "other; give one of them"
            )
    named = recipe.report.baselines
    twice = next((name for name in named if named.count(name) > 1), "")
    if twice:
        raise InputError(f"report.baselines: {twice} is named twice; name it once")
