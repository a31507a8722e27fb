"""Contrastive training of the encoder, ahead of the tasks: texts near what means the same.

Sources: Gao et al. 2021 (SimCSE). Unsupervised, a text's positive is itself under another dropout
mask: both are rows of one forward pass. Supervised, the positives are the pairs that mean the same.
A batch is of one task's texts, tasks as often as they have texts: so a task's adapters are trained
on its own, and negatives are of their domain. It is the encoder's own vectors that are compared.
Of several processes each contrasts its part of the batch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.checkpoint import named, of_this_recipe, part_of, read_latest, write_checkpoint
from mtl.choices import check_choice
from mtl.contrastive import can_contrast, not_negatives, positive_rows, simcse, text_ids
from mtl.errors import InputError
from mtl.machine import (
    Precision,
    autocast,
    average,
    check_parts,
    choose_precision,
    join_processes,
    share_weights,
    update_stream,
)
from mtl.optim import Optimization, parameter_groups
from mtl.record import Means, Progress, Record
from mtl.schedules import CircularRows, make_schedule
from mtl.settings import TaskData
from mtl.text.data import Corpus
from mtl.text.tokens import BucketedRows, TokenizedCorpus

Kind = Literal["none", "unsupervised", "supervised", "both"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ContrastiveSettings:
    """How the encoder is trained ahead of the tasks.

    Args:
        kind: ``none``, ``unsupervised`` (all texts), ``supervised`` (pairs that mean the same) or
            ``both``, one after the other.
        updates: Updates of each.
        batch_size: Texts, or pairs, in an update, over all processes; each is the others' negative.
        temperature: τ of the loss.
        learning_rate: Largest learning rate; it warms up and then falls to 0.
        weight_decay: AdamW decay of matrices.
        warmup_share: Share of the updates that warm up.
        clip: Largest norm of the gradient; 0: no clipping.
        record_every: Updates between two records, and checkpoints.
        seed: Seed of batches and dropout.
        precision: As for multitask training.

    Raises:
        InputError: A value is out of range.
    """

    kind: Kind = "none"
    updates: int = 100
    batch_size: int = 64
    temperature: float = 0.05
    learning_rate: float = 3e-5
    weight_decay: float = 0.01
    warmup_share: float = 0.1
    clip: float = 1.0
    record_every: int = 20
    seed: int = 0
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        check_choice("contrastive.kind", self.kind, Kind)
        for name in ("updates", "record_every", "temperature", "learning_rate"):
            if getattr(self, name) <= 0:
                raise InputError(f"contrastive.{name}: {getattr(self, name)}; use more than 0")

    @property
    def stages(self) -> tuple[str, ...]:
        """What is trained on, in order."""
        several = {"none": (), "both": ("unsupervised", "supervised")}
        return several.get(self.kind, (self.kind,))


def pretrain(
    model: MultitaskModel,
    data: Mapping[str, TaskData],
    settings: ContrastiveSettings,
    *,
    record: Record | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> None:
    """Train a model's encoder, and the adapters in it.

    Args:
        model: Trained in place.
        data: The train rows of each task, labeled or not; dev rows take no part.
        settings: How.
        record: Called with ``step``, ``unsupervised_loss`` or ``supervised_loss``, and ``norm``.
        checkpoint: Directory of checkpoints, of this stage alone; where it holds one, training goes
            on from it.
        progress: Called with (updates done, updates in all).

    Raises:
        InputError: There is nothing to train, or nothing to learn from.
    """
    if not settings.stages:
        return
    trainer, means = ContrastiveTrainer(model, data, settings), Means()
    if checkpoint is not None and (saved := read_latest(checkpoint)) is not None:
        trainer.load_state(part_of(saved, "trainer."))
        means.load_state(part_of(saved, "means."))
    main = trainer.accelerator.is_main_process
    while (done := trainer.optimization.done) < trainer.updates:
        means.add(trainer.advance())
        done += 1
        if progress is not None and main:
            progress(done, trainer.updates)
        if done % settings.record_every and done < trainer.updates:
            continue
        row = {"step": done} | means.take()
        if record is not None and main:
            record(row)
        if checkpoint is not None and main:
            state = named("trainer.", trainer.state()) | named("means.", means.state())
            write_checkpoint(checkpoint, state, step=done)


class ContrastiveTrainer:
    """The state of contrastive training, advanced one update at a time.

    Args:
        model: Its encoder and adapters are trained in place.
        data: The train rows of each task.
        settings: How; at least one stage.

    Raises:
        InputError: There is nothing to train, or nothing to learn from.
    """

    def __init__(
        self, model: MultitaskModel, data: Mapping[str, TaskData], settings: ContrastiveSettings
    ) -> None:
        self.accelerator = join_processes()
        device, processes = self.accelerator.device, self.accelerator.num_processes
        check_parts("contrastive", settings.batch_size, processes, least=2)
        precision = choose_precision(settings.precision, device)
        self.autocast = partial(autocast, precision, device)
        self.model, self.settings = model.to(device), settings
        share_weights(self.model)
        groups = _groups(self.model, settings)
        self.stages = [_Stage(kind, model, data, settings) for kind in settings.stages]
        self.updates = settings.updates * len(self.stages)
        self.optimization = Optimization(
            groups,
            course="linear",
            warmup_share=settings.warmup_share,
            updates=self.updates,
            clip=settings.clip,
            scaled=precision == "fp16",
        )

    def advance(self) -> dict[str, Tensor]:
        """Do one update; returns the loss, by its stage, and ``norm`` of the gradient.

        Raises:
            DivergenceError: The gradient is not finite; nothing was changed.
        """
        self.model.train()
        number, accelerator = self.optimization.done, self.accelerator
        stage = self.stages[number // self.settings.updates]
        task, rows = stage.batch(number % self.settings.updates)
        mine = np.array_split(rows, accelerator.num_processes)[accelerator.process_index]
        self.optimization.optimizer.zero_grad()
        key = (self.settings.seed, number, accelerator.process_index)
        with update_stream(accelerator.device, *key):
            loss = self._loss(task, stage.pairs[task], mine)
            self.optimization.scaler.scale(loss).backward()
        for parameter in self.optimization.parameters:
            if parameter.grad is not None:
                parameter.grad = average(accelerator, parameter.grad)
        whole = average(accelerator, loss.detach())
        return self.optimization.apply({f"{stage.kind}_loss": whole})

    def state(self) -> dict[str, Tensor]:
        """Return a copy of everything that the next updates depend on, for a checkpoint."""
        tensors = named("model.", self.model.state_dict())
        tensors |= named("optimization.", self.optimization.state())
        return {key: value.detach().cpu().clone() for key, value in tensors.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned; an InputError where it is of another model."""
        with of_this_recipe():
            self.model.load_state_dict(part_of(state, "model."))
            self.optimization.load_state(part_of(state, "optimization."))

    def _loss(self, task: str, pairs: "_Pairs", rows: NDArray[np.int64]) -> Tensor:
        tokens = pairs.tokenized.batch(rows).singles
        assert tokens is not None  # they are read apart, whatever the task's head does
        with self.autocast():
            first_BD, second_BD = self.model.encode_texts(task, tokens).chunk(2)
        excluded_BK = not_negatives(pairs.first_N[rows], pairs.second_N[rows])
        return simcse(
            first_BD.float(),
            second_BD.float(),
            temperature=self.settings.temperature,
            excluded_BK=excluded_BK.to(first_BD.device),
        )


class _Pairs:
    """Texts and their positives: tokens, and numbers by which equal texts are known."""

    def __init__(self, corpus: Corpus, like: TokenizedCorpus) -> None:
        self.tokenized = TokenizedCorpus(
            corpus, like.tokenizer, pair_input="joined", max_length=like.max_length
        )
        self.first_N, self.second_N = text_ids(corpus.texts, corpus.pairs or ())


class _Stage:
    """What one kind learns from: the pairs of each task, and the order of their batches."""

    def __init__(
        self,
        kind: str,
        model: MultitaskModel,
        data: Mapping[str, TaskData],
        settings: ContrastiveSettings,
    ) -> None:
        make = _same_texts if kind == "unsupervised" else _positives
        found = {name: (make(task.train.corpus), task.train) for name, task in data.items()}
        self.kind = kind
        self.pairs = {name: _Pairs(*each) for name, each in found.items() if can_contrast(each[0])}
        if not self.pairs:
            sources = ", ".join(task.train.corpus.source for task in data.values())
            raise InputError(
                f"contrastive.kind: {settings.kind} needs pairs that mean the same, and two "
                f"without a text in common; there are none in {sources}; use unsupervised"
            )
        plain = {
            name: CircularRows(len(pairs.first_N), settings.batch_size, settings.seed + place)
            for place, (name, pairs) in enumerate(self.pairs.items())
        }
        self.rows = {
            name: BucketedRows(rows, self.pairs[name].tokenized.lengths, seed=rows.seed)
            for name, rows in plain.items()
        }
        batches = {name: rows.batches_per_epoch for name, rows in plain.items()}
        epochs = -(-settings.updates // sum(batches.values()))
        self.schedule = make_schedule("proportional", batches, epochs, settings.seed)

        self.next, self.served = 0, dict.fromkeys(batches, 0)

    def batch(self, update: int) -> tuple[str, NDArray[np.int64]]:
        """Return the task of an update, and its rows."""
        place = divmod(update, self.schedule.turns_per_epoch)
        if update != self.next:  # it goes on from a checkpoint
            self.served = self.schedule.served(*place)
        (task,) = self.schedule.turn(*place)
        rows = self.rows[task].batch(self.served[task])
        self.next, self.served[task] = update + 1, self.served[task] + 1
        return task, rows


def _same_texts(corpus: Corpus) -> Corpus:
    """Pair every distinct text with itself."""
    texts = tuple(dict.fromkeys((*corpus.texts, *(corpus.pairs or ()))))
    ids = tuple(map(str, range(len(texts))))
    labels = np.full(len(texts), -1)
    return Corpus(corpus.task, corpus.source, ids, texts, pairs=texts, labels=labels, scores=None)


def _positives(corpus: Corpus) -> Corpus:
    """Keep the pairs that mean the same."""
    return corpus.select(positive_rows(corpus) if corpus.pairs is not None else [])


def _groups(model: MultitaskModel, settings: ContrastiveSettings) -> list[dict[str, object]]:
    """Return the trained parameters of the encoder and its adapters."""
    inside = [(n, p) for n, p in model.named_parameters() if n.startswith(("encoder.", "pals."))]
    rate = settings.learning_rate
    groups = parameter_groups(
        inside, (), encoder_rate=rate, rest_rate=rate, weight_decay=settings.weight_decay
    )
    if not groups:
        raise InputError(
            f"contrastive.kind: {settings.kind} trains the encoder, which is frozen and has no "
            "adapters; use none, or train the encoder"
        )
    return groups
