"""Set an ensemble's linear skips to the simple models that :mod:`acgan_bert.warm_start` fits.

Shapes: E members, N rows, D embedding, C classes, Z noise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from acgan_bert.gan.discriminator import Discriminator
from acgan_bert.gan.generator import Generator
from acgan_bert.gan.layers import linears
from acgan_bert.member import Member
from acgan_bert.warm_start import LinearClassifier, fit_class_gaussian, fit_logistic

GAUSSIAN_ROWS = 20_000
"""Rows that the generator's starting Gaussian is fitted to; more hardly move a covariance."""


def start_players(
    generator: Generator,
    discriminator: Discriminator,
    members: Sequence[Member],
    real_ND: Tensor,
    seen_ND: Tensor,
) -> Tensor:
    """Start the players' skips as each member's recipe asks, their MLPs silent.

    Args:
        generator: Generators of all members; changed in place.
        discriminator: Discriminators of all members; changed in place.
        members: Their labels and recipes.
        real_ND: Standardized embeddings.
        seen_ND: The same through the lens.

    Returns:
        (E,) ridge that each discriminator's skip keeps in training; 0 where it is not started.
    """
    recipe, ridge_E = members[0].recipe, torch.zeros(len(members))
    start_discriminator = recipe.discriminator.warm_start and discriminator.skips is not None
    start_generator = recipe.generator.warm_start and generator.skip is not None
    if not (start_discriminator or start_generator):
        return ridge_E
    width = seen_ND.shape[1]
    rows_ND = seen_ND.numpy().astype(np.float64) / np.sqrt(width)  # mean square norm 1
    starts: dict[tuple[bytes, int], tuple[LinearClassifier, np.ndarray]] = {}
    for e, member in enumerate(members):
        key = (member.labels.tobytes(), member.recipe.seed)  # members of a run share their labels
        if key not in starts:
            linear = _classifier(member, rows_ND)
            posterior = linear.predict_proba(rows_ND)
            starts[key] = linear, _gaussian(member, posterior, real_ND)
        linear, gaussian = starts[key]
        if start_discriminator:
            _start_discriminator(discriminator, e, linear)
            # Two classes are a symmetric pair of logits, whose squares sum to half of w's.
            pair = 2.0 if linear.bias.shape == (2,) else 1.0
            ridge_E[e] = pair * width / (linear.strength * int((member.labels >= 0).sum()))
        if start_generator:
            _start_generator(generator, e, gaussian)
    return ridge_E


def _classifier(member: Member, rows_ND: np.ndarray) -> LinearClassifier:
    known = member.labels >= 0
    return fit_logistic(rows_ND[known], member.labels[known], seed=member.recipe.seed)


def _gaussian(member: Member, posterior_NC: np.ndarray, real_ND: Tensor) -> np.ndarray:
    """Return the linear map (Z + C, D) of the class Gaussian of all rows that are used."""
    labels, recipe = member.labels, member.recipe.generator
    known = labels >= 0
    posterior_NC[known] = np.eye(posterior_NC.shape[1])[labels[known]]
    used = np.flatnonzero(labels >= -1)[:GAUSSIAN_ROWS]
    rows_ND = real_ND.numpy()[used].astype(np.float64)
    gaussian = fit_class_gaussian(rows_ND, posterior_NC[used], noise_width=recipe.noise_width)
    if recipe.noise == "uniform":  # mean 1/2 and variance 1/12 instead of 0 and 1
        spread, means = gaussian[: recipe.noise_width], gaussian[recipe.noise_width :]
        spread *= np.sqrt(12.0)
        means -= spread.sum(0) / 2.0
    return gaussian


@torch.no_grad()
def _start_discriminator(player: Discriminator, e: int, linear: LinearClassifier) -> None:
    assert player.skips is not None
    skip_EDC, head = linears(player.skips)[0].weight_EIO, linears(player.heads)[0]
    assert head.bias_E1O is not None
    skip_EDC[e] = torch.from_numpy(linear.weights / np.sqrt(skip_EDC.shape[1]))
    head.weight_EIO[e].zero_()
    head.bias_E1O[e, 0] = torch.from_numpy(linear.bias)


@torch.no_grad()
def _start_generator(player: Generator, e: int, gaussian: np.ndarray) -> None:
    assert player.skip is not None
    assert player.output.bias_E1O is not None
    player.skip.weight_EIO[e] = torch.from_numpy(gaussian)
    player.output.weight_EIO[e].zero_()
    player.output.bias_E1O[e].zero_()
