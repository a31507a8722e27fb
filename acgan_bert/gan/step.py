"""The game: one discriminator update and one generator update, each on one screen.

The discriminator sees detached fakes; in the generator's update its parameters are constants. A
fake therefore never moves the discriminator by the generator's loss, nor the reverse, and real
embeddings never receive a gradient at all.
Shapes: E members, B batch, D embedding, Z noise, K condition, T tasks, C classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from acgan_bert.gan import objectives
from acgan_bert.gan.discriminator import Discriminator, Judgment, one_hot_condition
from acgan_bert.gan.generator import Generator


class Batch(NamedTuple):
    """One step's rows: the labelled stream first, then the unlabelled stream, then fakes."""

    real_EBD: Tensor
    labels_EBT: Tensor
    """Class index of each row for each task; -1: no label."""
    targets: tuple[Tensor, ...]
    """Pseudo-label distribution (E, B, C) of each task; one-hot on labelled rows."""
    confidence_EBT: Tensor
    """Weight of each row's pseudo-label; 0 on labelled rows and where it is not trusted."""
    noise_EBZ: Tensor
    fake_labels_EBT: Tensor


class AdversarialLosses(NamedTuple):
    """An objective: what each side pays for real and fake, beyond the shared class losses."""

    discriminator: Callable[[Judgment, Judgment, Batch], Tensor]
    generator: Callable[[Judgment, Judgment, Batch], Tensor]
    projection: bool = False
    rival: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """How much each term counts; 0 leaves the term out of the program."""

    adversarial: float = 1.0
    supervised: float = 1.0
    pseudo: float = 0.0
    fake_class_discriminator: float = 0.0
    fake_class_generator: float = 0.0
    feature_matching: float = 0.0
    moment_matching: float = 0.0
    mode_seeking: float = 0.0
    r1: float = 0.0
    negative_augmentation: float = 0.0
    ridge: float = 0.0


@dataclass(slots=True)
class Game:
    """Two players and the rules between them."""

    generator: Generator
    discriminator: Discriminator
    objective: AdversarialLosses
    weights: Weights
    classes: Sequence[int]
    ridge_E: Tensor = field(default_factory=lambda: torch.zeros(1))


def discriminator_loss(game: Game, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the discriminator's loss (E,) and its named parts; gradients reach only it."""
    weights, player = game.weights, game.discriminator
    fake_condition_EBK = one_hot_condition(batch.fake_labels_EBT, game.classes)
    with torch.no_grad():
        fake_EBD = game.generator(batch.noise_EBZ, fake_condition_EBK)
    real_EBD = batch.real_EBD.detach().requires_grad_(weights.r1 > 0)
    real = player(real_EBD, torch.cat(batch.targets, -1) if game.objective.projection else None)
    fake = player(fake_EBD, fake_condition_EBK if game.objective.projection else None)
    parts = {"class": _over_tasks(objectives.class_loss, real.classes, batch.labels_EBT)}
    total_E = weights.supervised * parts["class"]
    if weights.adversarial:
        parts["adversarial"] = game.objective.discriminator(real, fake, batch)
        total_E = total_E + weights.adversarial * parts["adversarial"]
    if weights.pseudo:
        parts["pseudo"] = _pseudo(real, batch)
        total_E = total_E + weights.pseudo * parts["pseudo"]
    if weights.fake_class_discriminator:
        parts["fake_class"] = _over_tasks(
            objectives.class_loss, fake.classes, batch.fake_labels_EBT
        )
        total_E = total_E + weights.fake_class_discriminator * parts["fake_class"]
    if weights.r1:
        parts["r1"] = objectives.r1_penalty(real.source_EB, real_EBD)
        total_E = total_E + weights.r1 * parts["r1"]
    if weights.ridge and player.skips is not None:
        norm_E = sum(skip.weight_EIO.square().sum((1, 2)) for skip in player.skips)
        total_E = total_E + weights.ridge * game.ridge_E * norm_E
    return total_E, parts


def generator_loss(game: Game, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the generator's loss (E,) and its named parts; the discriminator is constant."""
    weights, player = game.weights, game.discriminator
    condition_EBK = one_hot_condition(batch.fake_labels_EBT, game.classes)
    fake_EBD = game.generator(batch.noise_EBZ, condition_EBK)
    fake = player(fake_EBD, condition_EBK if game.objective.projection else None)
    with torch.no_grad():
        real = player(batch.real_EBD)
    parts: dict[str, Tensor] = {}
    total_E = fake_EBD.new_zeros(fake_EBD.shape[0])
    if weights.adversarial:
        parts["adversarial"] = game.objective.generator(real, fake, batch)
        total_E = total_E + weights.adversarial * parts["adversarial"]
    if weights.fake_class_generator:
        parts["class"] = _over_tasks(objectives.class_loss, fake.classes, batch.fake_labels_EBT)
        total_E = total_E + weights.fake_class_generator * parts["class"]
    if weights.feature_matching:
        parts["feature_matching"] = objectives.feature_matching(
            real.features_EBW, fake.features_EBW
        )
        total_E = total_E + weights.feature_matching * parts["feature_matching"]
    if weights.moment_matching:
        parts["moment_matching"] = objectives.moment_matching(
            batch.real_EBD, torch.cat(batch.targets, -1), fake_EBD, condition_EBK
        )
        total_E = total_E + weights.moment_matching * parts["moment_matching"]
    return total_E, parts


def _over_tasks(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Sequence[Tensor], labels_EBT: Tensor
) -> Tensor:
    losses = [loss(logits_EBC, labels_EBT[..., t]) for t, logits_EBC in enumerate(logits)]
    return torch.stack(losses).sum(0)


def _pseudo(real: Judgment, batch: Batch) -> Tensor:
    losses = [
        objectives.soft_class_loss(logits_EBC, targets_EBC, batch.confidence_EBT[..., t])
        for t, (logits_EBC, targets_EBC) in enumerate(zip(real.classes, batch.targets, strict=True))
    ]
    return torch.stack(losses).sum(0)


def _logistic_d(real: Judgment, fake: Judgment, batch: Batch) -> Tensor:
    return objectives.logistic_discriminator(real.source_EB, fake.source_EB)


def _hinge_d(real: Judgment, fake: Judgment, batch: Batch) -> Tensor:
    return objectives.hinge_discriminator(real.source_EB, fake.source_EB)


def _hinge_g(real: Judgment, fake: Judgment, batch: Batch) -> Tensor:
    return objectives.hinge_generator(fake.source_EB)


OBJECTIVES: dict[str, AdversarialLosses] = {
    "hinge": AdversarialLosses(_hinge_d, _hinge_g, projection=True),
}
