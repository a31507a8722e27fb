"""Fakes of the generator as training goes on: the same noise and labels at a few evaluations.

They are there to be looked at, as a series of maps. Row m of every snapshot is row m of the fakes
that the finished generator is judged on, at an earlier time.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from acgan_bert.ensemble import Ensemble
from acgan_bert.recipe import Recipe, TrainingRecipe
from acgan_bert.trainer import model_of
from mtl.files import write_bytes

MOST_ROWS = 300
MOST_LATER = 6
"""Snapshots after that of the start."""


class Snapshots:
    """Watches training and writes fakes to files named by step.

    A resumed run writes again what it passes again, the same bytes.

    Args:
        folder: Where to; made where it is missing.
        labels: (M,) classes of the fakes that the finished generator is asked for.
        classes: Class names, in index order.
        recipe: Of the run.
    """

    def __init__(
        self, folder: Path, labels: np.ndarray, *, classes: tuple[str, ...], recipe: Recipe
    ) -> None:
        self._folder, self._labels, self._classes = folder, labels, classes
        self._seed, self._steps = recipe.seed, snapshot_steps(recipe.training)

    def __call__(self, ensemble: Ensemble) -> Mapping[str, float]:
        """Write a snapshot if it is time for one; returns nothing to record."""
        if ensemble.step_number in self._steps and len(self._labels):
            fake = model_of(ensemble, self._classes).sample(self._labels, seed=self._seed)
            tensors = {"vectors": fake[:MOST_ROWS], "labels": self._labels[:MOST_ROWS]}
            self._folder.mkdir(exist_ok=True)
            name = f"step-{ensemble.step_number:08d}.safetensors"
            write_bytes(self._folder / name, save(tensors))
        return {}


def snapshot_steps(training: TrainingRecipe) -> list[int]:
    """Return the steps after which fakes are kept: 0, and evaluations, closer in the beginning.

    Example:
        >>> snapshot_steps(TrainingRecipe(steps=200, eval_every_steps=10))
        [0, 10, 20, 50, 90, 140, 200]
    """
    evaluations = [*range(training.eval_every_steps, training.steps, training.eval_every_steps)]
    evaluations.append(training.steps)
    # A generator moves fastest in the beginning.
    shares = np.arange(1, MOST_LATER + 1) ** 2 / MOST_LATER**2
    places = np.maximum(np.rint(shares * len(evaluations)).astype(int), 1) - 1
    return [0, *(evaluations[place] for place in np.unique(places))]
