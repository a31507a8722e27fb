"""The game: both players answer the same position, from one forward pass, on one screen.

A batch of real rows and a batch of fakes go through the discriminator once. Its loss is propagated
to its own parameters only, the generator's loss to the generator's only: a fake never moves the
discriminator by the generator's loss, nor the reverse, and real embeddings never receive a
gradient at all, unless their encoder is trained along. Updates are simultaneous, as in the
published GAN-BERT.
Shapes: E members, B batch, D embedding, Z noise, K condition, T tasks, C classes, S score tasks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from acgan_bert.gan import objectives
from acgan_bert.gan.adversaries import Adversary
from acgan_bert.gan.discriminator import Discriminator, Judgment
from acgan_bert.gan.generator import Generator
from acgan_bert.gan.objectives import class_loss, over_tasks, total
from acgan_bert.gan.optimizer import MemberAdamW


class Batch(NamedTuple):
    """Real rows (labelled stream first, then unlabelled) and what the fakes are made from."""

    real_EBD: Tensor
    """Standardized principal coordinates; with a graph where the encoder is trained along."""
    labels_EBT: Tensor
    """Class index of each row for each task; -1: no label."""
    targets: tuple[Tensor, ...]
    """Class distribution (E, B, C) per task: one-hot where labelled, else the teacher's guess."""
    trust_EBT: Tensor
    """Weight of a row's pseudo-label; 0 on labelled rows."""
    view_noise_EXD: Tensor | None
    """Added to the views of real rows and fakes alike, X = 2B; None: no noise."""
    noise_EBZ: Tensor
    fake_labels_EBT: Tensor
    fake_condition_EBK: Tensor
    """One-hot of the fake labels, tasks side by side; then the fake scores."""
    scores_EBS: Tensor | None = None
    """Score of each row for each score task, from 0 to 1; NaN: none."""
    fake_scores_EBS: Tensor | None = None


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


class Position(NamedTuple):
    """What both players answer: fakes, and what the discriminator says of both sides."""

    fake_EBD: Tensor
    seen_real_EBD: Tensor
    real: Judgment
    fake: Judgment


@dataclass(slots=True)
class Game:
    """Two players and the rules between them."""

    generator: Generator
    discriminator: Discriminator
    adversary: Adversary
    weights: Weights
    classes: Sequence[int]
    ridge_ET: Tensor
    """Half the squared weights of a task's linear skip cost this much where the batch is of it."""

    def play(
        self,
        discriminator_optimizer: MemberAdamW,
        generator_optimizer: MemberAdamW,
        batch: Batch,
    ) -> dict[str, Tensor]:
        """Update both players from the same position.

        Returns:
            Named loss parts, each (E,), detached; the gradients are left for inspection.
        """
        position = self.position(batch)
        d_parts = discriminator_loss(self, batch, position)
        g_parts = generator_loss(self, batch, position)
        d_loss_E, g_loss_E = total(d_parts.values()), total(g_parts.values())
        discriminator_optimizer.zero_grad()
        generator_optimizer.zero_grad()
        # Members do not mix: the gradient of their sum is each member's own gradient.
        d_loss_E.sum().backward(inputs=discriminator_optimizer.parameters, retain_graph=True)
        if g_loss_E.requires_grad:
            g_loss_E.sum().backward(inputs=generator_optimizer.parameters)
        record = {"loss_discriminator": d_loss_E, "loss_generator": g_loss_E}
        record |= {f"discriminator_{name}": part for name, part in d_parts.items()}
        record |= {f"generator_{name}": part for name, part in g_parts.items()}
        record = {name: value.detach() for name, value in record.items()}
        discriminator_optimizer.step()
        generator_optimizer.step()
        return record

    def position(self, batch: Batch) -> Position:
        """Make fakes and judge them together with the real rows, in one pass."""
        view = self.discriminator.view
        seen_EBD = view(batch.real_EBD)
        if self.weights.r1 > 0 and not seen_EBD.requires_grad:
            seen_EBD.requires_grad_()
        targets_EBK = torch.cat(batch.targets, dim=-1)
        fake_EBD = self.generator(batch.noise_EBZ, batch.fake_condition_EBK)
        views_EXD = torch.cat([seen_EBD, view(fake_EBD)], dim=1)
        if batch.view_noise_EXD is not None:  # on both sides, or it would tell them apart
            views_EXD = views_EXD + batch.view_noise_EXD
        fake_classes_EBK = batch.fake_condition_EBK[..., : targets_EBK.shape[-1]]
        conditions_EXK = torch.cat([targets_EBK, fake_classes_EBK], dim=1)
        both = self.discriminator(views_EXD, conditions_EXK)
        return Position(fake_EBD, seen_EBD, *both.split(seen_EBD.shape[1]))

    @property
    def uses_targets(self) -> bool:
        """Whether any term looks at the guessed classes of unlabelled rows."""
        w = self.weights
        return bool(w.pseudo_labels or w.moment_matching or self.adversary.projection)


def discriminator_loss(game: Game, batch: Batch, position: Position) -> dict[str, Tensor]:
    """Return the weighted parts of the discriminator's loss, each (E,)."""
    weights, (_, seen_EBD, real, fake) = game.weights, position
    parts = {"class": weights.class_real * over_tasks(class_loss, batch.labels_EBT, real.classes)}
    if weights.adversarial:
        loss_E = game.adversary.discriminator(real, fake, batch.labels_EBT, batch.fake_labels_EBT)
        parts["adversarial"] = weights.adversarial * loss_E
    if weights.class_fake:
        loss_E = over_tasks(class_loss, batch.fake_labels_EBT, fake.classes)
        parts["class_fake"] = weights.class_fake * loss_E
    if batch.scores_EBS is not None:
        loss_E = objectives.score_loss(real.scores_EBS, batch.scores_EBS)
        parts["score"] = weights.class_real * loss_E
    if weights.class_fake and batch.fake_scores_EBS is not None:
        loss_E = objectives.score_loss(fake.scores_EBS, batch.fake_scores_EBS)
        parts["score_fake"] = weights.class_fake * loss_E
    if weights.pseudo_labels:
        trusted = (batch.trust_EBT[..., t] for t in range(len(game.classes)))
        losses = map(objectives.pseudo_label_loss, real.classes, batch.targets, trusted)
        parts["pseudo"] = weights.pseudo_labels * total(losses)
    if weights.r1:
        parts["r1"] = weights.r1 * objectives.r1_penalty(real.source_EB, seen_EBD)
    if weights.negative_augmentation:
        negative_EBD = objectives.recombined(seen_EBD.detach())
        if batch.view_noise_EXD is not None:  # as on real rows and fakes
            negative_EBD = negative_EBD + batch.view_noise_EXD[:, seen_EBD.shape[1] :]
        negative = game.discriminator(negative_EBD, torch.cat(batch.targets, dim=-1))
        loss_E = objectives.logistic_generator(-negative.source_EB)
        parts["negative"] = weights.negative_augmentation * loss_E
    skips = game.discriminator.skips
    if skips is not None:
        weights_EDC = list(skips.parameters())
        parts["ridge"] = total(
            0.5 * game.ridge_ET[:, t] * played * weights_EDC[t].square().sum((1, 2))
            for t, played in enumerate(objectives.played(batch.fake_labels_EBT))
        )
    return parts


def generator_loss(game: Game, batch: Batch, position: Position) -> dict[str, Tensor]:
    """Return the weighted parts of the generator's loss, each (E,)."""
    weights, (fake_EBD, _, real, fake) = game.weights, position
    parts = {"none": torch.zeros_like(game.ridge_ET[:, 0])}
    if weights.adversarial:
        loss_E = game.adversary.generator(real, fake, batch.fake_labels_EBT)
        parts["adversarial"] = weights.adversarial * loss_E
    if weights.class_generator:
        loss_E = over_tasks(class_loss, batch.fake_labels_EBT, fake.classes)
        parts["class"] = weights.class_generator * loss_E
        if batch.fake_scores_EBS is not None:
            loss_E = objectives.score_loss(fake.scores_EBS, batch.fake_scores_EBS)
            parts["score"] = weights.class_generator * loss_E
    if weights.feature_matching:
        loss_E = objectives.feature_matching(real.features_EBW, fake.features_EBW, fake.units_E)
        parts["feature_matching"] = weights.feature_matching * loss_E
    if weights.moment_matching:
        targets_EBK = torch.cat(batch.targets, dim=-1)
        fake_classes_EBK = batch.fake_condition_EBK[..., : targets_EBK.shape[-1]]
        loss_E = objectives.moment_matching(batch.real_EBD, targets_EBK, fake_EBD, fake_classes_EBK)
        parts["moment_matching"] = weights.moment_matching * loss_E
    if weights.mode_seeking:
        other_EBD = game.generator(batch.noise_EBZ.flip(1), batch.fake_condition_EBK)
        loss_E = objectives.mode_seeking(fake_EBD, other_EBD)
        parts["mode_seeking"] = weights.mode_seeking * loss_E
    return parts
