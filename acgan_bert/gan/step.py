"""The game: the loss of each player, and one update of each, on one screen.

The discriminator sees detached fakes; in the generator's update its parameters are constants. A
fake therefore never moves the discriminator by the generator's loss, nor the reverse, and real
embeddings never receive a gradient at all.
Shapes: E members, B batch, D embedding, Z noise, K condition, T tasks, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from acgan_bert.gan import objectives
from acgan_bert.gan.adversaries import Adversary
from acgan_bert.gan.discriminator import Discriminator, one_hot_condition
from acgan_bert.gan.generator import Generator
from acgan_bert.gan.lens import Lens
from acgan_bert.gan.objectives import class_loss, over_tasks
from acgan_bert.gan.optimizer import MemberAdamW


class Batch(NamedTuple):
    """Real rows (labelled stream first, then unlabelled) and what the fakes are made from."""

    real_EBD: Tensor
    """Standardized embeddings."""
    seen_EBD: Tensor
    """The same rows through the discriminator's lens, computed once for the whole corpus."""
    labels_EBT: Tensor
    """Class index of each row for each task; -1: no label."""
    targets: tuple[Tensor, ...]
    """Class distribution (E, B, C) per task: one-hot where labelled, else the teacher's guess."""
    trust_EBT: Tensor
    """Weight of a row's pseudo-label; 0 on labelled rows."""
    noise_EBZ: Tensor
    fake_labels_EBT: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """How much each term counts; 0 leaves it out of the program."""

    adversarial: float = 1.0
    class_real: float = 1.0
    class_fake: float = 0.0
    class_generator: float = 0.0
    pseudo_labels: float = 0.0
    feature_matching: float = 0.0
    moment_matching: float = 0.0
    mode_seeking: float = 0.0
    r1: float = 0.0
    negative_augmentation: float = 0.0


@dataclass(slots=True)
class Game:
    """Two players and the rules between them."""

    generator: Generator
    discriminator: Discriminator
    lens: Lens
    adversary: Adversary
    weights: Weights
    classes: Sequence[int]
    ridge_E: Tensor
    """Half the squared weights of the linear skips cost this much, member by member."""

    def play(
        self,
        discriminator_optimizer: MemberAdamW,
        generator_optimizer: MemberAdamW,
        batch: Batch,
        noise_EBZ: Tensor,
    ) -> dict[str, Tensor]:
        """Update the discriminator, then the generator on fresh noise.

        Returns:
            Named loss parts and gradient norms, each (E,), detached.
        """
        loss_E, parts = discriminator_loss(self, batch)
        discriminator_optimizer.zero_grad()
        loss_E.sum().backward()  # members do not mix: each receives its own gradient
        record = {"loss_discriminator": loss_E.detach(), **_named("discriminator", parts)}
        record["norm_discriminator"] = discriminator_optimizer.step()
        if not self.trains_generator:
            return record
        batch = batch._replace(noise_EBZ=noise_EBZ)
        self.discriminator.requires_grad_(False)
        loss_E, parts = generator_loss(self, batch)
        generator_optimizer.zero_grad()
        loss_E.sum().backward()
        self.discriminator.requires_grad_(True)
        record |= {"loss_generator": loss_E.detach(), **_named("generator", parts)}
        record["norm_generator"] = generator_optimizer.step()
        return record

    @property
    def trains_generator(self) -> bool:
        """Whether any term of the generator's loss is in the program."""
        w = self.weights
        return bool(w.adversarial or w.class_generator or w.feature_matching or w.moment_matching)

    @property
    def uses_targets(self) -> bool:
        """Whether any term looks at the guessed classes of unlabelled rows."""
        w = self.weights
        return bool(w.pseudo_labels or w.moment_matching or self.adversary.projection)


def discriminator_loss(game: Game, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the discriminator's loss (E,) and its weighted parts; nothing else gets a gradient."""
    weights, player = game.weights, game.discriminator
    fake_condition_EBK = one_hot_condition(batch.fake_labels_EBT, game.classes)
    seen_EBD = batch.seen_EBD.detach().requires_grad_(weights.r1 > 0)
    real = player(seen_EBD, torch.cat(batch.targets, -1))
    parts = {"class": weights.class_real * over_tasks(class_loss, batch.labels_EBT, real.classes)}
    if weights.adversarial or weights.class_fake:
        with torch.no_grad():
            fake_EBD = game.lens(game.generator(batch.noise_EBZ, fake_condition_EBK))
        fake = player(fake_EBD, fake_condition_EBK)
        if weights.adversarial:
            loss_E = game.adversary.discriminator(
                real, fake, batch.labels_EBT, batch.fake_labels_EBT
            )
            parts["adversarial"] = weights.adversarial * loss_E
        if weights.class_fake:
            loss_E = over_tasks(class_loss, batch.fake_labels_EBT, fake.classes)
            parts["class_fake"] = weights.class_fake * loss_E
    if weights.pseudo_labels:
        trusted = (batch.trust_EBT[..., t] for t in range(len(game.classes)))
        losses = map(objectives.pseudo_label_loss, real.classes, batch.targets, trusted)
        parts["pseudo"] = weights.pseudo_labels * torch.stack(list(losses)).sum(0)
    if weights.r1:
        parts["r1"] = weights.r1 * objectives.r1_penalty(real.source_EB, seen_EBD)
    if weights.negative_augmentation:
        negative = player(objectives.recombined(seen_EBD.detach()))
        loss_E = objectives.logistic_generator(-negative.source_EB)
        parts["negative"] = weights.negative_augmentation * loss_E
    if player.skips is not None:
        square_E = torch.stack([s.weight_EIO.square().sum((1, 2)) for s in player.skips]).sum(0)
        parts["ridge"] = 0.5 * game.ridge_E * square_E
    return torch.stack(list(parts.values())).sum(0), parts


def generator_loss(game: Game, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the generator's loss (E,) and its weighted parts; the discriminator is constant."""
    weights, player = game.weights, game.discriminator
    condition_EBK = one_hot_condition(batch.fake_labels_EBT, game.classes)
    fake_EBD = game.generator(batch.noise_EBZ, condition_EBK)
    parts: dict[str, Tensor] = {}
    if weights.adversarial or weights.class_generator or weights.feature_matching:
        fake = player(game.lens(fake_EBD), condition_EBK)
        with torch.no_grad():
            real = player(batch.seen_EBD)
        if weights.adversarial:
            loss_E = game.adversary.generator(real, fake, batch.fake_labels_EBT)
            parts["adversarial"] = weights.adversarial * loss_E
        if weights.class_generator:
            loss_E = over_tasks(class_loss, batch.fake_labels_EBT, fake.classes)
            parts["class"] = weights.class_generator * loss_E
        if weights.feature_matching:
            loss_E = objectives.feature_matching(real.features_EBW, fake.features_EBW, fake.units_E)
            parts["feature_matching"] = weights.feature_matching * loss_E
    if weights.moment_matching:
        real_weights_EBK = torch.cat(batch.targets, -1)
        loss_E = objectives.moment_matching(
            batch.real_EBD, real_weights_EBK, fake_EBD, condition_EBK
        )
        parts["moment_matching"] = weights.moment_matching * loss_E
    if weights.mode_seeking:
        other_EBD = game.generator(batch.noise_EBZ.flip(1), condition_EBK)
        loss_E = objectives.mode_seeking(fake_EBD, other_EBD)
        parts["mode_seeking"] = weights.mode_seeking * loss_E
    return torch.stack(list(parts.values())).sum(0), parts


def _named(player: str, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{player}_{name}": part.detach() for name, part in parts.items()}
