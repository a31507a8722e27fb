"""Many GANs as one program: players, averages, optimizers and random streams of all members.

Each member is a recipe and a set of visible labels over the same embeddings. Members may differ in
seed, labels, depth, width, dropout and learning rates; what shapes the program itself (objective,
batch, steps, coordinates) is common. Member e's numbers do not depend on the others.
Shapes: E members, N rows, B batch, D embedding, C classes.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from acgan_bert.devices import chosen_device, resume_streams
from acgan_bert.draws import generator_noise, view_noise
from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.step import Batch, Game
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.member import Member
from acgan_bert.networks import Shape, build_discriminator, build_generator, build_weights
from acgan_bert.players import Players
from acgan_bert.real_rows import RealRows
from acgan_bert.semisupervised import (
    PseudoLabels,
    TwoStreams,
    class_shares,
    fake_labels,
    ramp,
)
from acgan_bert.starts import start_players
from acgan_bert.transfer import Start
from mtl.checkpoint import named, part_of
from mtl.rows import Rows


class Ensemble:
    """The state of training, advanced one step at a time.

    Args:
        vectors: Real embeddings, (N, D) float32; read as they are drawn where they are many.
        members: What to train; at least one.
        num_classes: Number of classes C.
        start: The players of another run that all members begin at.

    Raises:
        ValueError: Members disagree on something that shapes the program.
        InputError: Their players cannot take over the weights of the other run's.
    """

    def __init__(
        self,
        vectors: Rows,
        members: Sequence[Member],
        *,
        num_classes: int,
        start: Start | None = None,
    ) -> None:
        _check_common(members)
        self.members, self.recipe = tuple(members), members[0].recipe
        self.shape = Shape.of([m.recipe for m in members], vectors.shape[1], (num_classes,))
        self.device = chosen_device(self.recipe.training.device)
        self.streams = MemberStreams([m.stream for m in members])
        if start is not None:
            start.check_shape(self.shape)
        self.real = RealRows(vectors, None if start is None else start.space())
        self.space = self.real.space
        labels = [m.labels for m in members]
        labels_EN = torch.from_numpy(np.stack(labels).astype(np.int64)).clamp_min(-1)
        self.labels_EN = labels_EN.to(self.device)
        self._members_E1 = torch.arange(len(members), device=self.device).unsqueeze(1)
        semisupervised, training = self.recipe.semisupervised, self.recipe.training
        self.rows = TwoStreams(
            labels,
            batch_size=training.batch_size,
            labeled_share=semisupervised.labeled_share,
            streams=self.streams,
            device=self.device,
        )
        shares_EC = class_shares(labels, num_classes).to(self.device)
        self.pseudo_labels = PseudoLabels(
            shares_EC, threshold=semisupervised.threshold, alignment=semisupervised.alignment
        )
        uniform_EC = torch.full_like(shares_EC, 1.0 / num_classes)
        self.fake_labels = fake_labels(
            shares_EC if semisupervised.fake_labels == "prior" else uniform_EC, self.streams
        )
        self.game = self._begun(start)
        self.players = Players(
            self.game.generator, self.game.discriminator, [m.recipe for m in members]
        )
        self.step_number = 0

    def step(self) -> dict[str, Tensor]:
        """Play one round; returns named losses and gradient norms, each (E,)."""
        batch = self._batch()
        record = self.game.play(*self.players.optimizers, batch)
        self.players.average(self.step_number)
        self.step_number += 1
        return record

    def gradient_norms(self) -> dict[str, Tensor]:
        """Return the norms of the last step's gradients by player, each (E,)."""
        discriminator, generator = self.players.optimizers
        return {
            "norm_discriminator": discriminator.gradient_norm(),
            "norm_generator": generator.gradient_norm(),
        }

    def state(self) -> dict[str, Tensor]:
        """Return a copy, on the CPU, of what the next steps depend on, for a checkpoint."""
        tensors = {
            "step_number": torch.tensor(self.step_number),
            "ridge": self.game.ridge_ET,
            **named("space.", self.space.state_dict()),
            **named("streams.", self.streams.state()),
            "pseudo_labels.mean": self.pseudo_labels.mean_EC,
            **self.players.state(),
        }
        return {key: value.detach().to("cpu", copy=True) for key, value in tensors.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Continue from what :meth:`state` returned.

        Raises:
            ValueError: The state belongs to other members.
            InputError: It is one of another kind of device.
        """
        found = len(state["streams.now"])
        if found != len(self.members):
            raise ValueError(f"checkpoint of {found} members, recipe of {len(self.members)}")
        self.step_number = int(state["step_number"])
        self.game.ridge_ET = state["ridge"].to(self.device, copy=True)
        # The same axes as before: another machine's eigenvectors may have other signs.
        self.space.load_state_dict(part_of(state, "space."))
        self.real.standardize()
        resume_streams(self.streams, part_of(state, "streams."))
        self.pseudo_labels.mean_EC.copy_(state["pseudo_labels.mean"])
        self.players.load_state(state)

    def class_probabilities(self, x: Tensor) -> Tensor:
        """Return the averaged discriminator's class probabilities (E, B, C).

        Args:
            x: Principal coordinates, (E, B, D), or (B, D) for all members; they may lie anywhere.
        """
        return self.players.judge(x.to(self.device)).classes[0].softmax(-1)

    def _begun(self, start: Start | None) -> Game:
        """Build both players where they begin, and then move everything to the device."""
        generator = build_generator(self.shape, self.streams)
        discriminator = build_discriminator(self.shape, self.streams)
        ridge_ET = start_players(generator, discriminator, self.members, self.space, self.real)
        if start is not None:
            start.hand_over(generator, discriminator, self.members)
        # They begin on the CPU: so the first weights are the same whatever the device.
        for moving in (self.streams, self.real, generator, discriminator):
            moving.to(self.device)
        return Game(
            generator=generator,
            discriminator=discriminator,
            adversary=ADVERSARIES[self.recipe.objective.name],
            weights=build_weights(self.recipe),
            classes=self.shape.classes,
            ridge_ET=ridge_ET.to(self.device),
        )

    def _batch(self) -> Batch:
        rows_EB = self.rows.draw()
        labels_EB = self.labels_EN[self._members_E1, rows_EB]
        # The second stream has no labels; a member whose rows are all labelled has no such stream.
        labels_EB[:, self.rows.num_labeled :].masked_fill_(self.rows.has_unlabeled_E1, -1)
        real_EBD = self.real[rows_EB]
        targets_EBC, trust_EB = self._targets(real_EBD, labels_EB)
        rows, width = real_EBD.shape[1:]
        fake_labels_EBT = self.fake_labels.take(rows).unsqueeze(-1)
        return Batch(
            real_EBD=real_EBD,
            labels_EBT=labels_EB.unsqueeze(-1),
            targets=(targets_EBC,),
            trust_EBT=trust_EB.unsqueeze(-1),
            view_noise_EXD=view_noise(self.recipe, self.streams, rows, width),
            noise_EBZ=generator_noise(self.recipe, self.streams, rows, self.shape.noise_width),
            fake_labels_EBT=fake_labels_EBT,
            fake_condition_EBK=one_hot_condition(fake_labels_EBT, self.shape.classes),
        )

    def _targets(self, real_EBD: Tensor, labels_EB: Tensor) -> tuple[Tensor, Tensor]:
        """Return class distributions (E, B, C), and the trust in pseudo-labels (E, B)."""
        split = self.rows.num_labeled
        targets_EBC = one_hot_condition(labels_EB.unsqueeze(-1), self.shape.classes)
        trust_EB = torch.zeros_like(targets_EBC[..., 0])
        if self.game.uses_targets and split < labels_EB.shape[1]:
            teacher_EBC = self.class_probabilities(real_EBD[:, split:])
            guessed_EBC, sure_EB = self.pseudo_labels(teacher_EBC)
            unknown_EB = labels_EB[:, split:] < 0
            targets_EBC[:, split:] += guessed_EBC * unknown_EB.unsqueeze(-1)
            trust = ramp(self.step_number, self.recipe.semisupervised.warmup_steps)
            trust_EB[:, split:] = sure_EB * unknown_EB * trust
        return targets_EBC, trust_EB


def _check_common(members: Sequence[Member]) -> None:
    if not members:
        raise ValueError("members: none given")
    first = members[0].recipe
    for member in members[1:]:
        for name in ("objective", "semisupervised"):
            if getattr(member.recipe, name) != getattr(first, name):
                raise ValueError(f"members: {name} differs; it is common to an ensemble")
        free = {
            "discriminator": ("depth", "width", "dropout"),
            "generator": ("depth", "width", "dropout"),
            "training": (
                "discriminator_learning_rate",
                "skip_learning_rate",
                "generator_learning_rate",
                "members",
            ),
        }
        for section, names in free.items():
            kept = {name: getattr(getattr(first, section), name) for name in names}
            if replace(getattr(member.recipe, section), **kept) != getattr(first, section):
                raise ValueError(
                    f"members: {section} differs in more than {', '.join(names)}, "
                    "which are all that may differ in one ensemble"
                )
