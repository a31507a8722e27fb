"""The GAN beside the multitask BERT: both players learn from the vectors of every batch.

Per batch of a task the encoder runs once. Its vectors are what the task's head reads, and the real
rows of a game whose fakes are made for (task, label). Losses of the discriminator come back as
objectives of their own: ``source`` (real or fake) and one of classes a task; their gradients reach
the encoder beside those of the task losses. The generator's loss is propagated to the generator
alone, and fakes are made of noise and labels: they never reach the encoder.

Source: arXiv 2408.15265 (conditional generator and auxiliary heads beside the multitask BERT); the
paper does not say what stands for a pair in the game, see :func:`row_vector`.
Players begin on the CPU, so that the first weights are the same anywhere, and are then where the
encoder is. Shapes: one member, E = 1; B batch, D embedding, T tasks, C classes.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from acgan_bert.devices import resume_streams
from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.objectives import total
from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.gan.step import Batch, Game, Position, discriminator_loss, generator_loss
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.joint_batch import Rounds
from acgan_bert.joint_rows import Probe, felt, row_vector, start_rows
from acgan_bert.member import Member
from acgan_bert.networks import Shape, build_discriminator, build_generator, build_weights
from acgan_bert.players import Players
from acgan_bert.recipe import Recipe
from acgan_bert.starts import start_beside
from mtl.bert.model import MultitaskModel
from mtl.checkpoint import named, part_of
from mtl.companion import Part
from mtl.machine import autocast, choose_precision, join_processes
from mtl.record import Means
from mtl.scores import expected_score
from mtl.settings import TaskData
from mtl.text.tokens import TaskBatch

GENERATOR, SOURCE = "generator", "source"
OF_LABELED = ("class", "score")
"""Parts of the discriminator's loss that are means over labelled rows; others are over all."""
OF_CLASSES = (*OF_LABELED, "class_fake", "score_fake", "pseudo", "ridge")
"""Parts that are about classes; the others are about the source."""


class JointGAN:
    """Both players, as a :class:`mtl.companion.Companion` of the multitask BERT.

    Args:
        model: The multitask BERT at its start; its vectors fix the players' coordinates.
        data: Rows of its tasks, labelled or not.
        recipe: Of the run; it has one member.
    """

    def __init__(self, model: MultitaskModel, data: Mapping[str, TaskData], recipe: Recipe) -> None:
        self.model, self.recipe = model.to(join_processes().device), recipe
        self.rounds = Rounds(data, recipe)
        self.tasks, self.places = self.rounds.tasks, self.rounds.places
        self.scored = self.rounds.scored
        counts, device = self.rounds.classes, model.encoder.device
        chosen = choose_precision(recipe.multitask.precision, device)
        self.autocast = partial(autocast, chosen, device)
        vectors_ND, labels_N, places_N = start_rows(model, data, recipe, autocast=self.autocast)
        self.space = PrincipalSpace.fit(vectors_ND)
        self.shape = Shape.of([recipe], vectors_ND.shape[1], counts, scores=len(self.scored))
        self.streams = MemberStreams([recipe.seed * 1_000_003])
        generator = build_generator(self.shape, self.streams)
        discriminator = build_discriminator(self.shape, self.streams)
        member = Member(recipe, labels_N, recipe.seed * 1_000_003)
        real_ND = self.space.standardize(vectors_ND)
        ridge_ET = start_beside(generator, discriminator, member, self.space, real_ND, places_N)
        for moving in (self.streams, self.space, generator, discriminator):
            moving.to(device)
        self.game = Game(
            generator=generator,
            discriminator=discriminator,
            adversary=ADVERSARIES[recipe.objective.name],
            weights=build_weights(recipe),
            classes=counts,
            ridge_ET=ridge_ET.to(device),
        )
        self.players = Players(generator, discriminator, [recipe])
        self.rounds.supply(self.streams, noise_width=self.shape.noise_width)
        self.probe = Probe(model, data, self.space, seed=recipe.seed, autocast=self.autocast)
        self.teacher = copy.deepcopy(model).eval() if recipe.joint.encoder_ema else None
        self.done, self.means = 0, Means()
        self._losses: dict[str, list[Tensor]] = {}

    @property
    def objectives(self) -> Sequence[str]:
        """``source``, then ``TASK.class`` for each task."""
        return [SOURCE, *(f"{name}.class" for name in self.tasks)]

    @property
    def parameters(self) -> Sequence[nn.Parameter]:
        """The discriminator's."""
        return self.players.optimizers[0].parameters

    def begin(self) -> None:
        """Forget the gradients of the last update."""
        self._losses = {}
        for optimizer in self.players.optimizers:
            optimizer.zero_grad()

    def losses(self, task: str, part: Part, vectors: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """Play one round: leave the generator's gradient, return the discriminator's losses."""
        live_EBD = felt(self._coordinates(vectors), self.recipe.joint.weight)
        judged_EBD = live_EBD
        if self.teacher is not None:
            with torch.no_grad(), self.autocast():
                averaged = [v.float() for v in self.teacher.encode(task, part.batch)]
            judged_EBD = self._coordinates(averaged)
        guesser = self.players if self.game.uses_targets else None
        batch = self.rounds.batch(task, part.batch, judged_EBD, guesser=guesser, update=self.done)
        position = self.game.position(batch)
        of_source = discriminator_loss(self.game, batch, position)
        of_classes = of_source
        if self.teacher is not None:  # the class heads read what the task's head reads
            lively = batch._replace(real_EBD=live_EBD)
            of_classes = discriminator_loss(self.game, lively, self.game.position(lively))
        self._train_generator(batch, position, share=part.rows)
        source = [part.rows * v.sum() for name, v in of_source.items() if name not in OF_CLASSES]
        classes = [
            (part.labeled if name in OF_LABELED else part.rows) * value.sum()
            for name, value in of_classes.items()
            if name in OF_CLASSES
        ]
        found = {f"{task}.class": total(classes)}
        if any(loss.requires_grad for loss in source):  # moment matching alone has no adversary
            found[SOURCE] = total(source)
        for name, loss in found.items():
            self._losses.setdefault(name, []).append(loss.detach())
        return found

    def check(self) -> None:
        """Look at the losses of both players and the norms of their gradients.

        Raises:
            DivergenceError: One is not finite, or a norm is above ``training.divergence_norm``.
        """
        self.players.check(self._summed(), update=self.done + 1)

    def update(self) -> None:
        """Move both players, their averages, and the averaged encoder where there is one."""
        self.means.add({"loss_generator": self._summed()[GENERATOR]})
        for optimizer in self.players.optimizers:
            optimizer.step()
        self.players.average(self.done)
        if self.teacher is not None:
            both = self.teacher.parameters(), self.model.parameters()
            averaged, current = ([p.detach() for p in each] for each in both)
            get_ema_multi_avg_fn(self.recipe.joint.encoder_ema)(averaged, current, self.done)
        self.done += 1

    @torch.no_grad()
    def predict(self, task: str, batch: TaskBatch) -> Tensor | None:
        """Answer by the averaged class head where the task has no head.

        Returns:
            Probabilities (B, C), of a score task their mean score (B,); None where there is a head.
        """
        if self.model.head_settings[task].kind != "none":
            return None
        x_EBD = self._coordinates(self.model.encode(task, batch))
        share_BC = self.players.judge(x_EBD).classes[self.places[task]][0].softmax(-1)
        kind = self.tasks[task]
        if kind.output == "classes":
            return share_BC
        return torch.from_numpy(expected_score(share_BC.double().cpu().numpy(), kind))

    def weights(self) -> dict[str, Tensor]:
        """Return the players' averages and buffers, which are what a saved model has."""
        generator, discriminator = self.players.averaged_states()
        return named("generator.", generator) | named("discriminator.", discriminator)

    def take(self) -> dict[str, float]:
        """Return the generator's mean loss, and how far each task's real rows have moved."""
        return self.means.take() | self.probe.moved(self.model)

    def state(self) -> dict[str, Tensor]:
        """Return everything that the next updates depend on, for a checkpoint."""
        tensors = {"done": torch.tensor(self.done), "ridge": self.game.ridge_ET}
        tensors["scale"] = torch.tensor(self.space.scale, dtype=torch.float64)
        tensors |= named("space.", self.space.state_dict())
        tensors |= named("streams.", self.streams.state()) | named("means.", self.means.state())
        tensors |= {f"guesses.{n}": p.mean_EC for n, p in self.rounds.pseudo_labels.items()}
        tensors |= named("players.", self.players.state()) | named("probe.", self.probe.state())
        if self.teacher is not None:
            tensors |= named("teacher.", self.teacher.state_dict())
        return tensors

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        self.done = int(state["done"])
        self.game.ridge_ET = state["ridge"].to(self.players.device, copy=True)
        self.space.load_state_dict(part_of(state, "space."))
        self.space.scale = float(state["scale"])
        resume_streams(self.streams, part_of(state, "streams."))
        self.means.load_state(part_of(state, "means."))
        for name, guesses in self.rounds.pseudo_labels.items():
            guesses.mean_EC.copy_(state[f"guesses.{name}"])
        self.players.load_state(part_of(state, "players."))
        self.probe.load_state(part_of(state, "probe."))
        if self.teacher is not None:
            self.teacher.load_state_dict(part_of(state, "teacher."))

    def _coordinates(self, vectors: Sequence[Tensor]) -> Tensor:
        """Return the players' coordinates of rows, (1, B, D), with their graph."""
        return self.space.standardize(row_vector(vectors)).unsqueeze(0)

    def _summed(self) -> dict[str, Tensor]:
        """Return the losses of this update, summed over its tasks and micro-batches."""
        return {name: torch.stack(losses).sum() for name, losses in self._losses.items()}

    def _train_generator(self, batch: Batch, position: Position, *, share: float) -> None:
        """Leave the generator's gradient in its parameters, and in nobody else's."""
        loss = share * total(generator_loss(self.game, batch, position).values()).sum()
        if loss.requires_grad:
            loss.backward(inputs=self.players.optimizers[1].parameters, retain_graph=True)
        self._losses.setdefault(GENERATOR, []).append(loss.detach())
