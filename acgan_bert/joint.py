"""The GAN beside the multitask BERT: both players learn from the vectors of every batch.

Per batch of a task the encoder runs once. Its vectors are what the task's head reads, and the real
rows of a game whose fakes are made for (task, label). Losses of the discriminator come back as
objectives of their own: ``source`` (real or fake) and one of classes a task; their gradients reach
the encoder beside those of the task losses. The generator's loss is propagated to the generator
alone, and fakes are made of noise and labels: they never reach the encoder.

Source: arXiv 2408.15265 (conditional generator and auxiliary heads beside the multitask BERT); the
paper does not say what stands for a pair in the game, see :func:`row_vector`.
The players stay on the CPU, whatever the encoder is on: they are small, their streams are there.
Shapes: one member, E = 1; B batch, D embedding, T tasks, C classes, K condition, S score tasks.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from acgan_bert.draws import generator_noise, view_noise
from acgan_bert.gan.adversaries import ADVERSARIES
from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.objectives import total
from acgan_bert.gan.space import PrincipalSpace
from acgan_bert.gan.step import Batch, Game, Position, discriminator_loss, generator_loss
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.joint_rows import Probe, bucket_scores, felt, row_vector, start_rows, unit_scores
from acgan_bert.member import Member
from acgan_bert.networks import Shape, build_discriminator, build_generator, build_weights
from acgan_bert.players import Players
from acgan_bert.recipe import Recipe
from acgan_bert.semisupervised import PseudoLabels, class_shares, fake_labels, ramp
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
        self.tasks = {name: task.train.corpus.task for name, task in data.items()}
        self.places = {name: place for place, name in enumerate(data)}
        scored = [name for name, task in self.tasks.items() if task.output == "score"]
        self.scored = dict(zip(scored, range(len(scored)), strict=True))
        counts = [task.num_classes for task in self.tasks.values()]
        device = model.encoder.device
        chosen = choose_precision(recipe.multitask.precision, device)
        self.autocast = partial(autocast, chosen, device)
        vectors_ND, labels_N, places_N = start_rows(model, data, recipe, autocast=self.autocast)
        self.space = PrincipalSpace.fit(vectors_ND)
        self.shape = Shape.of([recipe], vectors_ND.shape[1], counts, scores=len(scored))
        self.streams = MemberStreams([recipe.seed * 1_000_003])
        generator = build_generator(self.shape, self.streams)
        discriminator = build_discriminator(self.shape, self.streams)
        member = Member(recipe, labels_N, recipe.seed * 1_000_003)
        real_ND = self.space.standardize(vectors_ND)
        self.game = Game(
            generator=generator,
            discriminator=discriminator,
            adversary=ADVERSARIES[recipe.objective.name],
            weights=build_weights(recipe),
            classes=tuple(counts),
            ridge_ET=start_beside(generator, discriminator, member, self.space, real_ND, places_N),
        )
        self.players = Players(generator, discriminator, [recipe])
        self._supplies(data)
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
        batch = self._batch(task, part.batch, judged_EBD)
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
        return {name: loss.to(vectors[0].device) for name, loss in found.items()}

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
        return torch.from_numpy(expected_score(share_BC.double().numpy(), kind))

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
        tensors |= {f"guesses.{n}": p.mean_EC for n, p in self.pseudo_labels.items()}
        tensors |= named("players.", self.players.state()) | named("probe.", self.probe.state())
        if self.teacher is not None:
            tensors |= named("teacher.", self.teacher.state_dict())
        return tensors

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        self.done, self.game.ridge_ET = int(state["done"]), state["ridge"].clone()
        self.space.load_state_dict(part_of(state, "space."))
        self.space.scale = float(state["scale"])
        self.streams.load_state(part_of(state, "streams."))
        self.means.load_state(part_of(state, "means."))
        for name, guesses in self.pseudo_labels.items():
            guesses.mean_EC.copy_(state[f"guesses.{name}"])
        self.players.load_state(part_of(state, "players."))
        self.probe.load_state(part_of(state, "probe."))
        if self.teacher is not None:
            self.teacher.load_state_dict(part_of(state, "teacher."))

    def _supplies(self, data: Mapping[str, TaskData]) -> None:
        """Set up pseudo-labels and the labels of fakes, task by task."""
        semisupervised = self.recipe.semisupervised
        self.pseudo_labels, self.fake_labels = {}, {}
        for name, task in data.items():
            count = self.tasks[name].num_classes
            shares_EC = class_shares([task.train.corpus.labels], count)
            self.pseudo_labels[name] = PseudoLabels(
                shares_EC, threshold=semisupervised.threshold, alignment=semisupervised.alignment
            )
            uniform_EC = torch.full_like(shares_EC, 1.0 / count)
            prior = semisupervised.fake_labels == "prior"
            drawn_EC = shares_EC if prior else uniform_EC
            self.fake_labels[name] = fake_labels(drawn_EC, self.streams)

    def _coordinates(self, vectors: Sequence[Tensor]) -> Tensor:
        """Return the players' coordinates of rows, (1, B, D), with their graph."""
        return self.space.standardize(row_vector(vectors).cpu()).unsqueeze(0)

    def _summed(self) -> dict[str, Tensor]:
        """Return the losses of this update, summed over its tasks and micro-batches."""
        return {name: torch.stack(losses).sum() for name, losses in self._losses.items()}

    def _train_generator(self, batch: Batch, position: Position, *, share: float) -> None:
        """Leave the generator's gradient in its parameters, and in nobody else's."""
        loss = share * total(generator_loss(self.game, batch, position).values()).sum()
        if loss.requires_grad:
            loss.backward(inputs=self.players.optimizers[1].parameters, retain_graph=True)
        self._losses.setdefault(GENERATOR, []).append(loss.detach())

    def _batch(self, task: str, rows: TaskBatch, real_EBD: Tensor) -> Batch:
        """Put a round together; of the other tasks nothing is known."""
        place, width = self.places[task], real_EBD.shape[1]
        labels_EB = rows.labels_B.unsqueeze(0)
        targets_EBC, trust_EB = self._targets(task, real_EBD.detach(), labels_EB)
        fakes_EB = self.fake_labels[task].take(width)
        none_EBT = torch.full((1, width, len(self.tasks)), -1)
        labels_EBT, fakes_EBT, trust_EBT = none_EBT.clone(), none_EBT, torch.zeros(none_EBT.shape)
        labels_EBT[..., place], fakes_EBT[..., place] = labels_EB, fakes_EB
        trust_EBT[..., place] = trust_EB
        targets = [torch.zeros(1, width, count) for count in self.game.classes]
        targets[place] = targets_EBC
        condition_EBK = one_hot_condition(fakes_EBT, self.game.classes)
        scores_EBS = fake_scores_EBS = None
        if self.scored:
            scores_EBS, fake_scores_EBS = self._scores(task, rows, fakes_EB)
            condition_EBK = torch.cat([condition_EBK, fake_scores_EBS.nan_to_num(0.0)], dim=-1)
        return Batch(
            real_EBD=real_EBD,
            labels_EBT=labels_EBT,
            targets=tuple(targets),
            trust_EBT=trust_EBT,
            view_noise_EXD=view_noise(self.recipe, self.streams, *real_EBD.shape[1:]),
            noise_EBZ=generator_noise(self.recipe, self.streams, width, self.shape.noise_width),
            fake_labels_EBT=fakes_EBT,
            fake_condition_EBK=condition_EBK,
            scores_EBS=scores_EBS,
            fake_scores_EBS=fake_scores_EBS,
        )

    def _scores(self, task: str, rows: TaskBatch, fakes_EB: Tensor) -> tuple[Tensor, Tensor]:
        """Return real and fake scores (1, B, S) from 0 to 1, NaN but for this task's."""
        none_EBS = torch.full((*fakes_EB.shape, len(self.scored)), torch.nan)
        scores_EBS, fake_scores_EBS = none_EBS.clone(), none_EBS
        if task in self.scored and rows.scores_B is not None:
            place, kind = self.scored[task], self.tasks[task]
            scores_EBS[..., place] = unit_scores(rows.scores_B, kind)
            within_EB = self.streams.draw(
                lambda stream, e: torch.rand(fakes_EB.shape[1], generator=stream)
            )
            fake_scores_EBS[..., place] = bucket_scores(fakes_EB, within_EB, kind)
        return scores_EBS, fake_scores_EBS

    def _targets(self, task: str, real_EBD: Tensor, labels_EB: Tensor) -> tuple[Tensor, Tensor]:
        """Return class distributions (1, B, C), and the trust in pseudo-labels (1, B)."""
        place = self.places[task]
        count = self.game.classes[place]
        targets_EBC = one_hot_condition(labels_EB.unsqueeze(-1), (count,))
        unknown_EB = labels_EB < 0
        if not (self.game.uses_targets and unknown_EB.any()):
            return targets_EBC, torch.zeros(labels_EB.shape)
        unknown_B = unknown_EB[0]
        teacher_EBC = self.players.judge(real_EBD[:, unknown_B]).classes[place].softmax(-1)
        guessed_EBC, sure_EB = self.pseudo_labels[task](teacher_EBC)
        targets_EBC = targets_EBC.clone()
        targets_EBC[:, unknown_B] = guessed_EBC
        trust_EB = torch.zeros(labels_EB.shape)
        weight = ramp(self.done, self.recipe.semisupervised.warmup_steps)
        trust_EB[:, unknown_B] = sure_EB * weight
        return targets_EBC, trust_EB
