"""Fakes of the generator as training goes on: the same noise and labels at a few evaluations.

They are there to be looked at, as a series of maps. Row m of every snapshot is row m of the fakes
that the finished generator is judged on, at an earlier time.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from acgan_bert.ensemble import Ensemble
from acgan_bert.recipe import Recipe
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
        self._seed, training = recipe.seed, recipe.training
        self._steps = snapshot_steps(training.steps, training.eval_every_steps)

    def __call__(self, ensemble: Ensemble) -> Mapping[str, float]:
        """Write a snapshot if it is time for one; returns nothing to record."""
        if ensemble.step_number in self._steps and len(self._labels):
            fake = model_of(ensemble, self._classes).sample(self._labels, seed=self._seed)
            tensors = {"vectors": fake[:MOST_ROWS], "labels": self._labels[:MOST_ROWS]}
            self._folder.mkdir(exist_ok=True)
            write_bytes(self._folder / snapshot_name(ensemble.step_number), save(tensors))
        return {}


def snapshot_name(step: int | str) -> str:
    """Return the name of a file; ``*`` matches those of every step.

    Example:
        >>> snapshot_name(50), snapshot_name("*")
        ('step-00000050.safetensors', 'step-*.safetensors')
    """
    return f"step-{step if step == '*' else f'{step:08d}'}.safetensors"


def snapshot_steps(steps: int, every: int) -> list[int]:
    """Return the steps after which fakes are kept: 0, and evaluations, closer in the beginning.

    Args:
        steps: How many there are; the last is an evaluation.
        every: Steps from one evaluation to the next.

    Example:
        >>> snapshot_steps(200, 10)
        [0, 10, 20, 50, 90, 140, 200]
    """
    evaluations = [*range(every, steps, every), steps]
    # A generator moves fastest in the beginning.
    shares = np.arange(1, MOST_LATER + 1) ** 2 / MOST_LATER**2
    places = np.maximum(np.rint(shares * len(evaluations)).astype(int), 1) - 1
    return [0, *(evaluations[place] for place in np.unique(places))]
