"""The state of multitask training, and one update of it; the loop is :mod:`mtl.loop`.

A run is a function of its settings and its step number: batches, their order and the course of the
learning rate, and the randomness of dropout, are computed from them, so that a checkpoint holds
weights and moments and hardly anything else, and resuming is bit-identical on the CPU.
"""

from collections.abc import Mapping

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.conflicts import layer_groups
from mtl.errors import DivergenceError, InputError
from mtl.losses import class_weights, loss_named, penalty_named
from mtl.optim import course_of, parameter_groups
from mtl.schedules import CircularRows, make_schedule
from mtl.settings import CLASS_LOSSES, LoopSettings, TaskData, check_data
from mtl.step import Loss, MultitaskStep
from mtl.surgery import make_surgery
from mtl.text.tokens import BucketedRows, TaskBatch, TokenizedCorpus


class MultitaskTrainer:
    """The state of multitask training, advanced one update at a time.

    Args:
        model: Trained in place.
        data: Rows and loss of each of the model's tasks.
        settings: The loop.

    Raises:
        InputError: A name is unknown, or settings and tasks do not fit.
    """

    def __init__(
        self, model: MultitaskModel, data: Mapping[str, TaskData], settings: LoopSettings
    ) -> None:
        _check_trained(model)
        check_data(model.tasks, data, settings)
        # Without being told, accelerate takes several processes on CPUs for one each.
        on_cpu = not torch.accelerator.is_available()
        self.accelerator = Accelerator(mixed_precision=settings.precision, cpu=on_cpu)
        self.model, self.data, self.settings = model.to(self.accelerator.device), data, settings
        self.update_number = 0
        self.rows = {
            name: _rows(task.train, settings, seed=settings.seed + 1_000_003 * place)
            for place, (name, task) in enumerate(data.items())
        }
        epoch = {name: plain.batches_per_epoch for name, (plain, _) in self.rows.items()}
        self.schedule = make_schedule(
            settings.order,
            epoch,
            settings.epochs,
            settings.seed,
            settings.pairs,
            turns=settings.updates_per_epoch,
        )
        self.updates = settings.epochs * self.schedule.turns_per_epoch
        self.served = dict.fromkeys(data, 0)
        groups = layer_groups([name for name, _ in self.model.shared_parameters()])
        surgery = make_surgery(
            settings.surgery, tasks=len(data), seed=settings.seed, groups=len(groups[1])
        )
        several = self.accelerator.num_processes > 1
        self.step = MultitaskStep(
            self.model,
            {name: _loss(self.model, name, task) for name, task in data.items()},
            None if settings.surgery == "sum" else surgery,
            groups=groups,
            clip=settings.clip,
            autocast=self.accelerator.autocast,
            average=self._average if several else None,
        )
        self.optimizer = _optimizer(self.model, settings)
        self.course = course_of(
            self.optimizer,
            settings.course,
            warmup_share=settings.warmup_share,
            updates=self.updates,
        )

    def advance(self) -> dict[str, Tensor]:
        """Do one update; returns the loss of each task in it, and ``norm`` of the gradient.

        Dropout draws from a stream of this update's own, so that nothing of it is to be saved.

        Raises:
            DivergenceError: The gradient is not finite; nothing was changed.
        """
        self.model.train()
        turn = self.schedule.turn(*divmod(self.update_number, self.schedule.turns_per_epoch))
        with torch.random.fork_rng():
            place = (self.settings.seed, self.update_number, self.accelerator.process_index)
            torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
            losses = self.step.gradients({task: self.batches(task) for task in turn})
        losses["norm"] = self.step.clipped()
        if not torch.isfinite(losses["norm"]):
            found = ", ".join(f"{name} {float(value):.4g}" for name, value in losses.items())
            raise DivergenceError(
                f"diverged at update {self.update_number + 1} ({found}); the weights are those "
                "before it. Lower the learning rates, or clip"
            )
        self.optimizer.step()
        self.course.step()
        self.update_number += 1
        for task in turn:
            self.served[task] += 1
        return losses

    def state(self) -> dict[str, Tensor]:
        """Return a copy of everything that the next updates depend on, for a checkpoint."""
        tensors = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        for index, parameter in enumerate(self._trained()):
            moments = self.optimizer.state.get(parameter, {})
            tensors |= {f"adamw.{index}.{key}": value for key, value in moments.items()}
        for name, part in (("surgery", self.step.surgery), ("conflicts", self.step.conflicts)):
            if part is not None:
                tensors |= {f"{name}.{key}": value for key, value in part.state().items()}
        tensors["update_number"] = torch.tensor(self.update_number)
        return {key: value.detach().cpu().clone() for key, value in tensors.items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

        self.model.load_state_dict(part("model."))
        self.optimizer.state.clear()
        for index, parameter in enumerate(self._trained()):
            if moments := part(f"adamw.{index}."):
                self.optimizer.state[parameter] = {
                    key: value.to(parameter.device) for key, value in moments.items()
                }
        if self.step.surgery is not None:
            self.step.surgery.load_state(part("surgery."))
        self.step.conflicts.load_state(part("conflicts."))
        self.update_number = int(state["update_number"])
        place = divmod(self.update_number, self.schedule.turns_per_epoch)
        self.served = self.schedule.served(*place)
        self._set_rates()

    def _set_rates(self) -> None:
        """Put the learning rates where their course has them at this update."""
        self.course.last_epoch = self.update_number
        scales = zip(
            self.optimizer.param_groups, self.course.base_lrs, self.course.lr_lambdas, strict=True
        )
        for group, top, scale in scales:
            group["lr"] = top * scale(self.update_number)

    def _trained(self) -> list[torch.nn.Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    def batches(self, task: str) -> list[tuple[TaskBatch, float]]:
        """Return this process's micro-batches of a task's next batch, and how much each counts.

        Shares are of the labelled rows of the whole batch, times the processes, over which
        gradients are averaged: so parts of unequal size add up to the batch.
        """
        corpus = self.data[task].train
        rows = self.rows[task][1].batch(self.served[task])
        processes, parts = self.accelerator.num_processes, self.settings.accumulation
        mine = np.array_split(rows, processes)[self.accelerator.process_index]
        known = corpus.corpus.labels >= 0
        total = max(1, int(known[rows].sum()))
        return [
            (corpus.batch(part), float(known[part].sum()) * processes / total)
            for part in np.array_split(mine, parts)
        ]

    def _average(self, gradient: Tensor) -> Tensor:
        averaged: Tensor = self.accelerator.reduce(gradient, reduction="mean")
        return averaged


def _check_trained(model: MultitaskModel) -> None:
    """Refuse a task that no trained parameter can change."""
    if any(True for _ in model.shared_parameters()):
        return
    own = [name for name, _ in model.own_parameters()]
    for task in model.tasks:
        if not any(f".{task}." in name for name in own):
            raise InputError(
                f"task {task!r}: the encoder is frozen and its head has no weights, so nothing of "
                "it is trained; give the head a projection (depth 1), or train the encoder"
            )


def _optimizer(model: MultitaskModel, settings: LoopSettings) -> torch.optim.AdamW:
    named = list(model.named_parameters())
    encoder = [(n, p) for n, p in named if n.startswith("encoder.") and ".lora_" not in n]
    rest = [(n, p) for n, p in named if not n.startswith("encoder.") or ".lora_" in n]
    groups = parameter_groups(
        encoder,
        rest,
        encoder_rate=settings.encoder_rate,
        rest_rate=settings.head_rate,
        weight_decay=settings.weight_decay,
    )
    return torch.optim.AdamW(groups, fused=True)


def _rows(
    corpus: TokenizedCorpus, settings: LoopSettings, *, seed: int
) -> tuple[CircularRows, BucketedRows]:
    plain = CircularRows(len(corpus), settings.batch_size, seed)
    return plain, BucketedRows(plain, corpus.lengths, seed=seed)


def _loss(model: MultitaskModel, name: str, data: TaskData) -> Loss:
    """Bind a task's loss, its class weights, its factor and its penalty."""
    task = model.tasks[name]
    chosen = data.loss or task.loss
    fitting = ("mean_squared_error",) if task.output == "score" else CLASS_LOSSES
    loss = loss_named(chosen)
    if chosen not in fitting:
        raise InputError(f"task {name!r}: loss {chosen} does not fit its output, {task.output}")
    keywords = {}
    if data.balanced:
        if task.output == "score":
            raise InputError(f"task {name!r}: a score has no classes to balance")
        labels = data.train.corpus.labels
        counts = np.bincount(labels[labels >= 0], minlength=task.num_classes)
        weights_C = class_weights(torch.from_numpy(counts)).float()
        keywords["weights_C"] = weights_C.to(model.encoder.device)
    matrices = [p for p in model.heads[name].parameters() if p.ndim > 1]
    if data.penalty and not matrices:
        raise InputError(f"task {name!r}: its head has no matrices for penalty {data.penalty}")
    penalty = penalty_named(data.penalty) if data.penalty else None

    def total(output: Tensor, batch: TaskBatch) -> Tensor:
        known = batch.labels_B if batch.scores_B is None else batch.scores_B
        value: Tensor = data.weight * loss(output, known.to(output.device), **keywords)
        return value if penalty is None else value + data.penalty_weight * penalty(matrices)

    return total
