"""Rounds of the game beside a moving encoder: the rows of a batch, and fakes beside them.

Shapes: one member, E = 1; B batch, D embedding, T tasks, C classes, K condition, S score tasks.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from acgan_bert.draws import generator_noise, view_noise
from acgan_bert.gan.discriminator import one_hot_condition
from acgan_bert.gan.step import Batch
from acgan_bert.gan.streams import MemberStreams
from acgan_bert.joint_rows import bucket_scores, unit_scores
from acgan_bert.players import Players
from acgan_bert.recipe import Recipe
from acgan_bert.semisupervised import PseudoLabels, class_shares, fake_labels, ramp
from mtl.settings import TaskData
from mtl.text.tokens import TaskBatch


class Rounds:
    """Puts rounds together; each is of one task, and of the others nothing is known in it.

    Args:
        data: Rows of the tasks, labelled or not.
        recipe: Of the run.

    Attributes:
        tasks: By name.
        places: Of the tasks, among all.
        scored: Of the score tasks, among those.
    """

    def __init__(self, data: Mapping[str, TaskData], recipe: Recipe) -> None:
        self.recipe = recipe
        self.tasks = {name: task.train.corpus.task for name, task in data.items()}
        self.places = {name: place for place, name in enumerate(data)}
        scored = [name for name, task in self.tasks.items() if task.output == "score"]
        self.scored = dict(zip(scored, range(len(scored)), strict=True))
        self._labels = {name: task.train.corpus.labels for name, task in data.items()}

    @property
    def classes(self) -> tuple[int, ...]:
        """How many classes, or buckets, each task has."""
        return tuple(task.num_classes for task in self.tasks.values())

    def supply(self, streams: MemberStreams, *, noise_width: int) -> None:
        """Set up what rounds draw from, on the device of the streams, before the first of them."""
        self.streams, self.noise_width = streams, noise_width
        semisupervised = self.recipe.semisupervised
        self.pseudo_labels, self.fake_labels = {}, {}
        for name, count in zip(self.tasks, self.classes, strict=True):
            shares_EC = class_shares([self._labels[name]], count).to(streams.device)
            self.pseudo_labels[name] = PseudoLabels(
                shares_EC, threshold=semisupervised.threshold, alignment=semisupervised.alignment
            )
            uniform_EC = torch.full_like(shares_EC, 1.0 / count)
            prior = semisupervised.fake_labels == "prior"
            drawn_EC = shares_EC if prior else uniform_EC
            self.fake_labels[name] = fake_labels(drawn_EC, self.streams)

    def batch(
        self,
        task: str,
        rows: TaskBatch,
        real_EBD: Tensor,
        *,
        guesser: Players | None,
        update: int,
    ) -> Batch:
        """Put a round together.

        Args:
            task: Whose rows they are.
            rows: What is known of them, on the CPU.
            real_EBD: Their principal coordinates, where the streams are.
            guesser: Guesses the classes of rows without a label; None: nobody asks for them.
            update: How many there were before.
        """
        place, width, device = self.places[task], real_EBD.shape[1], real_EBD.device
        labels_EB = rows.labels_B.to(device).unsqueeze(0)
        targets_EBC = one_hot_condition(labels_EB.unsqueeze(-1), (self.classes[place],))
        trust_EB = torch.zeros(labels_EB.shape, device=device)
        # Which rows have no label is asked on the CPU: there is no GPU to wait for.
        unknown_b = (rows.labels_B < 0).nonzero()[:, 0].to(device)
        if guesser is not None and len(unknown_b):
            judged_EbC = guesser.judge(real_EBD.detach()[:, unknown_b]).classes[place].softmax(-1)
            guessed_EbC, sure_Eb = self.pseudo_labels[task](judged_EbC)
            sure_Eb = sure_Eb * ramp(update, self.recipe.semisupervised.warmup_steps)
            targets_EBC = targets_EBC.index_copy(1, unknown_b, guessed_EbC)
            trust_EB = trust_EB.index_copy(1, unknown_b, sure_Eb)
        fakes_EB = self.fake_labels[task].take(width)
        fakes_EBT = self._among(fakes_EB, place, -1)
        targets = [torch.zeros(1, width, count, device=device) for count in self.classes]
        targets[place] = targets_EBC
        condition_EBK = one_hot_condition(fakes_EBT, self.classes)
        scores_EBS = fake_scores_EBS = None
        if self.scored:
            scores_EBS, fake_scores_EBS = self._scores(task, rows, fakes_EB)
            condition_EBK = torch.cat([condition_EBK, fake_scores_EBS.nan_to_num(0.0)], dim=-1)
        return Batch(
            real_EBD=real_EBD,
            labels_EBT=self._among(labels_EB, place, -1),
            targets=tuple(targets),
            trust_EBT=self._among(trust_EB, place, 0),
            view_noise_EXD=view_noise(self.recipe, self.streams, *real_EBD.shape[1:]),
            noise_EBZ=generator_noise(self.recipe, self.streams, width, self.noise_width),
            fake_labels_EBT=fakes_EBT,
            fake_condition_EBK=condition_EBK,
            scores_EBS=scores_EBS,
            fake_scores_EBS=fake_scores_EBS,
        )

    def _among(self, values_EB: Tensor, place: int, others: int) -> Tensor:
        """Return a task's values in its place among all tasks, (1, B, T)."""
        values_EBT = values_EB.new_full((*values_EB.shape, len(self.tasks)), others)
        values_EBT[..., place] = values_EB
        return values_EBT

    def _scores(self, task: str, rows: TaskBatch, fakes_EB: Tensor) -> tuple[Tensor, Tensor]:
        """Return real and fake scores (1, B, S) from 0 to 1, NaN but for this task's."""
        size = (*fakes_EB.shape, len(self.scored))
        none_EBS = torch.full(size, torch.nan, device=fakes_EB.device)
        scores_EBS, fake_scores_EBS = none_EBS.clone(), none_EBS
        if task in self.scored and rows.scores_B is not None:
            place, kind = self.scored[task], self.tasks[task]
            scores_EBS[..., place] = unit_scores(rows.scores_B, kind).to(fakes_EB.device)
            within_EB = self.streams.draw(
                lambda stream, e: torch.rand(fakes_EB.shape[1], generator=stream)
            )
            fake_scores_EBS[..., place] = bucket_scores(fakes_EB, within_EB, kind)
        return scores_EBS, fake_scores_EBS
