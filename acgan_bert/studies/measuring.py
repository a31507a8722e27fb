"""Generators of a study's rows, measured: the numbers of a table at the price of those alone.

They are what :func:`acgan_bert.generator_judge.judge_generator` finds for a run, to the last bit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from acgan_bert.baselines import ClassGaussian
from acgan_bert.generator_judge import reference_for
from acgan_bert.judge import (
    KEYS,
    LEAST_ROWS,
    MOST_TRAINING_ROWS,
    PRDC_NEIGHBORS,
    Vectors,
    records,
)
from acgan_bert.parts import Parts
from acgan_bert.recipe import Recipe
from acgan_bert.trainer import HeldOut, TrainingRows
from analysis import use_report
from analysis.metrics.outline import Outline


class GeneratorBench:
    """Real rows of one draw of labels; measures any number of generators that were trained on it.

    Args:
        rows: What the generators are trained on.
        held_out: Vectors and labels of the held-out parts.
        parts: Their texts.
        recipe: Its seed, and how many fakes it wants measured.

    Attributes:
        reference: R real rows that fakes are held against.
    """

    def __init__(
        self, rows: TrainingRows, held_out: Mapping[str, HeldOut], parts: Parts, recipe: Recipe
    ) -> None:
        self.reference = reference_for(rows, held_out, parts, recipe)
        self._classes, self._seed = rows.classes, recipe.seed
        self._rival: dict[str, Any] = {}
        if len(self.reference.vectors) < LEAST_ROWS:
            return
        known = np.flatnonzero(rows.labels >= 0)
        few = known[:MOST_TRAINING_ROWS]
        self._few = rows.vectors[few], rows.labels[few]
        self._outline = Outline(
            self.reference.vectors, self.reference.labels, k=PRDC_NEIGHBORS, rng=recipe.seed
        )
        gaussian = ClassGaussian.fit(
            rows.vectors[known], rows.labels[known], num_classes=len(rows.classes)
        )
        self._rival = self._named(gaussian.sample(self.reference.labels, seed=recipe.seed))

    def measure(self, fake: Vectors) -> dict[str, Any]:
        """Measure fakes (R, D), one for each reference row and of its class, in the same order.

        Returns:
            Measures and floors under their names, those of the class Gaussian under ``baselines``,
            and ``use``, the rows of :func:`analysis.use_report`, their memorization beside labelled
            rows alone; empty where there are too few real rows.
        """
        if not self._rival:
            return {}
        rival = {"baselines": {"class_gaussian": self._rival}}
        return self._named(fake) | rival | {"use": self._use(fake)}

    def _named(self, fake: Vectors) -> dict[str, Any]:
        found = self._outline.measure(fake)
        recovery, floor = found["conditional_accuracy"]
        numbers = {
            **{name: found[name][0] for name in KEYS},
            **{f"{KEYS[name]}_floor": found[name][1] for name in KEYS},
            "label_recovery": recovery,
            "label_recovery_floor": floor,
        }
        # As records() has it: too few rows of a class leave NaN, which JSON has no word for.
        return {name: None if value != value else value for name, value in numbers.items()}

    def _use(self, fake: Vectors) -> list[dict[str, Any]]:
        """Measure use; what is said of memorization is of the labelled rows alone."""
        training: dict[str, Any] = {}
        if self.reference.on != "train":
            training = {"train": self._few[0], "train_labels": self._few[1]}
        real = self.reference.vectors, self.reference.labels
        table = use_report(*real, fake, self.reference.labels, **training, rng=self._seed)
        return records(table, self._classes)
