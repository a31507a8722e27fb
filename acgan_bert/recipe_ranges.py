"""What the numbers of a recipe may be, and which keys exclude each other."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from acgan_bert.recipe import DataRecipe, Recipe
from acgan_bert.recipe_fields import recipe_fields
from acgan_bert.recipe_kinds import TASKS, check_kind, value_at
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

_DATA = {
    "dev_fraction": _BELOW_ONE,
    "test_fraction": _BELOW_ONE,
    "label_fraction": _POSITIVE_SHARE,
    "labels_per_class": Range(0),
    "unlabeled_fraction": _SHARE,
    "label_imbalance": _POSITIVE,
    "unlabeled_imbalance": _POSITIVE,
}
_TASK = {
    "depth": Range(0, 16),
    "width": _COUNT,
    "dropout": _BELOW_ONE,
    "hidden_dropout": Range(-1, 1, high_open=True),
    "weight": _WEIGHT,
    "penalty_weight": _WEIGHT,
    "extra_weight": _WEIGHT,
}


def _under(section: str, ranges: Mapping[str, Range]) -> dict[str, Range]:
    return {f"{section}.{key}": allowed for key, allowed in ranges.items()}


RANGES: Mapping[str, Range] = {
    # What both NumPy and scikit-learn take as a seed.
    "seed": Range(0, 2**32 - 1),
    **_under("data", _DATA),
    # A pair needs its three special tokens and a token of each text.
    "encoder.max_length": Range(5),
    "encoder.token_budget": _COUNT,
    "encoder.last_layers": _COUNT,
    "encoder.lora_rank": _COUNT,
    "encoder.lora_alpha": _COUNT,
    "adaptation.updates": Range(0),
    "adaptation.rounds": Range(0),
    "adaptation.round_updates": _COUNT,
    # Two texts of each of two classes.
    "adaptation.batch_size": Range(4),
    "adaptation.labeled_share": _POSITIVE_SHARE,
    "adaptation.trusted_share": _POSITIVE_SHARE,
    "adaptation.candidates": _COUNT,
    "adaptation.learning_rate": _POSITIVE,
    "adaptation.max_length": Range(5),
    "adaptation.checkpoint_every_updates": _COUNT,
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
    "watch.every_steps": Range(0),
    # Two parts of real rows, of fifteen at least each.
    "watch.rows": Range(30),
    **{key: allowed for task in TASKS for key, allowed in _under(task, _DATA | _TASK).items()},
    "sharing.pal_size": Range(0),
    "sharing.shared_depth": Range(0, 16),
    "sharing.shared_width": Range(0),
    "multitask.epochs": _COUNT,
    "multitask.updates_per_epoch": Range(0),
    "multitask.batch_size": _COUNT,
    "multitask.accumulation": _COUNT,
    "multitask.encoder_learning_rate": _POSITIVE,
    "multitask.head_learning_rate": _POSITIVE,
    "multitask.weight_decay": _WEIGHT,
    "multitask.warmup_share": _BELOW_ONE,
    "multitask.clip": _WEIGHT,
    "multitask.eval_every_updates": Range(0),
    "multitask.checkpoint_every_updates": Range(0),
    "smart.weight": _WEIGHT,
    "smart.epsilon": _POSITIVE,
    "smart.step_size": _POSITIVE,
    "smart.steps": Range(0),
    "smart.proximal": _WEIGHT,
    "smart.momentum": _BELOW_ONE,
    "smart.early_momentum": _BELOW_ONE,
    "contrastive.updates": _COUNT,
    # A text has no negatives in a batch of its own.
    "contrastive.batch_size": Range(2),
    "contrastive.temperature": _POSITIVE,
    "contrastive.learning_rate": _POSITIVE,
    "joint.weight": _WEIGHT,
    "joint.encoder_ema": _BELOW_ONE,
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
    if not recipe.encoder.name.strip():
        raise InputError(f"encoder.name is empty; {recipe_fields()['encoder.name'].help}")
    check_kind(recipe)
    for part in ("data", *TASKS):
        _check_part(part, value_at(recipe, part))
    named = recipe.report.baselines
    twice = next((name for name in named if named.count(name) > 1), "")
    if twice:
        raise InputError(f"report.baselines: {twice} is named twice; name it once")


def _check_part(key: str, data: DataRecipe) -> None:
    """Check that the keys of one source of text do not contradict each other."""
    if data.label_fraction != 1 and data.labels_per_class:
        raise InputError(
            f"{key}.label_fraction {data.label_fraction:g} and {key}.labels_per_class "
            f"{data.labels_per_class} contradict each other; give one of them"
        )
    if data.dev_fraction + data.test_fraction >= 1:
        raise InputError(
            f"{key}.dev_fraction {data.dev_fraction:g} and {key}.test_fraction "
            f"{data.test_fraction:g} leave nothing to train on; their sum must be below 1"
        )
    for part in ("dev", "test"):
        source, fraction = getattr(data, part), getattr(data, f"{part}_fraction")
        if source and fraction:
            raise InputError(
                f"{key}.{part} {source} and {key}.{part}_fraction {fraction:g} contradict each "
                "other; give one of them"
            )
