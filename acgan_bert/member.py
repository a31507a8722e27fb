"""One GAN of an ensemble, as it is asked for."""

from dataclasses import dataclass

import numpy as np

from acgan_bert.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Member:
    """One GAN of an ensemble: its recipe, the labels it may see, and its random stream."""

    recipe: Recipe
    labels: np.ndarray
    """(N,) class indices; -1: unlabelled, used; -2: not used."""
    stream: int
    """Seed of every random number of this member."""
    place: int = 0
    """Among the members of its run."""
