"""Set an ensemble's linear skips to the simple models that :mod:`acgan_bert.warm_start` fits.

Shapes: E members, N rows, D embedding, C classes, Z noise.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from acgan_bert.gan.discriminator import Discriminator
from acgan_bert.gan.generator import Generator
from acgan_bert.gan.layers import linears
from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.member import Member
from acgan_bert.real_rows import RealRows
from acgan_bert.recipe import Recipe
from acgan_bert.warm_start import (
    SHRINKAGE,
    LinearClassifier,
    fit_class_gaussian,
    fit_logistic,
    for_uniform_noise,
    gaussian_logits,
    shrinkage,
)

GAUSSIAN_ROWS = 20_000
"""Rows that the generator's starting Gaussian is fitted to; more hardly move a covariance."""


def start_players(
    generator: Generator,
    discriminator: Discriminator,
    members: Sequence[Member],
    space: PrincipalSpace,
    real: RealRows | Tensor,
) -> Tensor:
    """Choose what each member sees, and start the skips as its recipe asks, their MLPs silent.

    Args:
        generator: Generators of all members; changed in place.
        discriminator: Discriminators of all members; changed in place.
        members: Their labels and recipes.
        space: The players' coordinates.
        real: Real embeddings (N, D) in these coordinates.

    Returns:
        (E, 1) ridge that each discriminator's skip keeps in training; 0 where it is not started.
    """
    recipe, ridge_ET = members[0].recipe, torch.zeros(len(members), 1)
    gains_SD = _gains(discriminator, recipe, space)
    start_discriminator = recipe.discriminator.warm_start and discriminator.skips is not None
    start_generator = recipe.generator.warm_start and generator.skip is not None
    if not (start_discriminator or start_generator or len(gains_SD) > 1):
        return ridge_ET
    width = real.shape[1]
    starts: dict[tuple[bytes, int], _Start] = {}
    for e, member in enumerate(members):
        key = (member.labels.tobytes(), member.recipe.seed)  # members of a run share their labels
        if key not in starts:
            starts[key] = _start(member, real, gains_SD, generative=start_generator)
        linear, gain_D, gaussian_ID = starts[key]
        discriminator.gain_ED[e] = torch.from_numpy(gain_D)
        if start_discriminator:
            _start_discriminator(discriminator, e, linear, gain_D)
            ridge_ET[e] = _ridge(linear, member.labels, width=width)
        if start_generator:
            _start_generator(generator, e, _for_noise(gaussian_ID, recipe, len(linear.bias)))
    return ridge_ET


def start_beside(
    generator: Generator,
    discriminator: Discriminator,
    member: Member,
    space: PrincipalSpace,
    real_ND: Tensor,
    places_N: np.ndarray,
) -> Tensor:
    """Start one member's players of several tasks: class heads task by task, one generator for all.

    Each task has class means of its own; the noise spans the covariance about them, pooled over
    tasks by their rows. Gains are the geometric mean of the tasks'.

    Args:
        generator: Of the member; changed in place.
        discriminator: Of the member; changed in place.
        member: Its labels, each within its row's task, and its recipe.
        space: The players' coordinates.
        real_ND: Real embeddings in these coordinates.
        places_N: The task of each row, from 0 on.

    Returns:
        (1, T) ridge that the discriminator's skip of each task keeps in training.
    """
    recipe, ridge_ET = member.recipe, torch.zeros(1, len(discriminator.heads))
    gains_SD = _gains(discriminator, recipe, space)
    start_discriminator = recipe.discriminator.warm_start and discriminator.skips is not None
    start_generator = recipe.generator.warm_start and generator.skip is not None
    if not (start_discriminator or start_generator or len(gains_SD) > 1):
        return ridge_ET
    starts = []
    for place in np.unique(places_N):
        mine = places_N == place
        own = replace(member, labels=member.labels[mine])
        rows_nD = real_ND[torch.from_numpy(mine)]
        starts.append(_start(own, rows_nD, gains_SD, generative=start_generator))
        if start_discriminator:
            ridge_ET[0, place] = _ridge(starts[-1].linear, own.labels, width=real_ND.shape[1])
    gain_D = np.exp(np.mean([np.log(start.gain_D) for start in starts], axis=0))
    discriminator.gain_ED[0] = torch.from_numpy(gain_D)
    if start_generator:
        pooled_ID = _pooled(starts, np.unique(places_N, return_counts=True)[1])
        classes = sum(len(start.linear.bias) for start in starts)
        _start_generator(generator, 0, _for_noise(pooled_ID, recipe, classes))
    if start_discriminator:
        for place, start in enumerate(starts):
            _start_discriminator(discriminator, 0, start.linear, gain_D, place=place)
    return ridge_ET


def _gains(discriminator: Discriminator, recipe: Recipe, space: PrincipalSpace) -> np.ndarray:
    """Return the gains (S, D) that there are to average over; a single one is set at once."""
    spectra = recipe.discriminator.spectra
    if len(spectra) == 1:
        discriminator.gain_ED.copy_(space.gain(spectra[0]))
    return np.stack([space.gain(spectrum).double().numpy() for spectrum in spectra])


def _pooled(starts: Sequence["_Start"], rows: np.ndarray) -> np.ndarray:
    """Put the tasks' Gaussians together: one covariance, all class means, (Z + K, D)."""
    if len(starts) == 1:
        return starts[0].gaussian_ID
    counts = [len(start.linear.bias) for start in starts]
    parts = [
        np.split(start.gaussian_ID, [len(start.gaussian_ID) - count])
        for start, count in zip(starts, counts, strict=True)
    ]
    shares = rows / rows.sum()
    spreads = [spread for spread, _ in parts]
    covariance = np.sum([p * s.T @ s for p, s in zip(shares, spreads, strict=True)], axis=0)
    variances, axes = np.linalg.eigh(covariance)
    noise_width = len(parts[0][0])
    kept = np.argsort(variances)[::-1][:noise_width]
    spread = np.zeros_like(parts[0][0])
    spread[: len(kept)] = (axes[:, kept] * np.sqrt(np.maximum(variances[kept], 0.0))).T
    return np.concatenate([spread, *(means for _, means in parts)])


def _for_noise(gaussian: np.ndarray, recipe: Recipe, classes: int) -> np.ndarray:
    """Fit a map from standard normal noise to the noise that the recipe has."""
    uniform = recipe.generator.noise == "uniform"
    return for_uniform_noise(gaussian, classes=classes) if uniform else gaussian


def _ridge(linear: LinearClassifier, labels: np.ndarray, *, width: int) -> float:
    """Return the penalty of logistic regression as one on the skip's squares."""
    # Two classes are a symmetric pair of logits, whose squares sum to half of w's.
    pair = 2.0 if linear.bias.shape == (2,) else 1.0
    return pair * width / (linear.strength * int((labels >= 0).sum()))


class _Start(NamedTuple):
    """Where a member begins: its classifier, what it sees, and its Gaussians."""

    linear: LinearClassifier
    gain_D: np.ndarray
    gaussian_ID: np.ndarray


def _start(
    member: Member, real: RealRows | Tensor, gains_SD: np.ndarray, *, generative: bool
) -> _Start:
    """Fit both simple models; with ``generative`` the classifier hears the Gaussians too."""
    linear = _classifier(member, real, gains_SD)
    gaussian_ID = _gaussian(member, linear, real)
    # Of gains that are powers of the variances, the geometric mean is again one.
    gain_D = np.exp(linear.shares @ np.log(gains_SD))
    if generative:
        known = member.labels[member.labels >= 0]
        rows, width = min(GAUSSIAN_ROWS, int((member.labels >= -1).sum())), real.shape[1]
        priors = np.bincount(known, minlength=len(linear.bias)) / len(known)
        weights, bias = gaussian_logits(gaussian_ID, priors, rows=rows)
        # Halfway where there are rows enough; fewer leave the Gaussians less to say.
        half = 0.5 * (1 - shrinkage(rows, width)) / (1 - SHRINKAGE)
        linear = replace(
            linear,
            weights=(1 - half) * linear.weights + half * weights,
            bias=(1 - half) * linear.bias + half * bias,
        )
    return _Start(linear, gain_D, gaussian_ID)


def _classifier(member: Member, real: RealRows | Tensor, gains_SD: np.ndarray) -> LinearClassifier:
    known = np.flatnonzero(member.labels >= 0)
    return fit_logistic(
        _rows(real, known),
        member.labels[known],
        gains=gains_SD / np.sqrt(real.shape[1]),
        # The leading components are the likelier place, before any label has been seen.
        prior=[2.0**spectrum for spectrum in member.recipe.discriminator.spectra],
        seed=member.recipe.seed,
    )


def _gaussian(member: Member, linear: LinearClassifier, real: RealRows | Tensor) -> np.ndarray:
    """Return the linear map (Z + C, D) of the class Gaussian of the rows that are used."""
    noise_width = member.recipe.generator.noise_width or real.shape[1]
    used = _some_rows(member)
    rows_nD, labels = _rows(real, used), member.labels[used]
    posterior_nC = linear.predict_proba(rows_nD)
    known = labels >= 0
    posterior_nC[known] = np.eye(posterior_nC.shape[1])[labels[known]]
    return fit_class_gaussian(rows_nD, posterior_nC, noise_width=noise_width)


def _some_rows(member: Member) -> np.ndarray:
    """Return at most so many of the rows that are used: labelled ones first, then any."""
    used = np.flatnonzero(member.labels >= -1)
    if len(used) <= GAUSSIAN_ROWS:
        return used
    shuffled = np.random.default_rng(member.recipe.seed).permutation(used)
    known_first = np.argsort(member.labels[shuffled] < 0, kind="stable")
    return np.sort(shuffled[known_first][:GAUSSIAN_ROWS])


def _rows(real: RealRows | Tensor, rows: np.ndarray) -> np.ndarray:
    return real[torch.from_numpy(rows)].numpy().astype(np.float64)


@torch.no_grad()
def _start_discriminator(
    player: Discriminator,
    e: int,
    linear: LinearClassifier,
    gain_D: np.ndarray,
    *,
    place: int = 0,
) -> None:
    assert player.skips is not None
    skip_EDC, head = linears(player.skips)[place].weight_EIO, linears(player.heads)[place]
    assert head.bias_E1O is not None
    skip_EDC[e] = torch.from_numpy(linear.weights / gain_D[:, None])
    head.weight_EIO[e].zero_()
    head.bias_E1O[e, 0] = torch.from_numpy(linear.bias)


@torch.no_grad()
def _start_generator(player: Generator, e: int, gaussian: np.ndarray) -> None:
    assert player.skip is not None
    assert player.output.bias_E1O is not None
    player.skip.weight_EIO[e].zero_()  # a score beside the classes says nothing yet
    player.skip.weight_EIO[e, : len(gaussian)] = torch.from_numpy(gaussian)
    player.output.weight_EIO[e].zero_()
    player.output.bias_E1O[e].zero_()
