"""The state of multitask training, and one update of it; the loop is :mod:`mtl.loop`.

A run is a function of its settings and its step number: batches, their order and the course of the
learning rate, and the randomness of dropout, are computed from them, so that a checkpoint holds
weights and moments and hardly anything else, and resuming is bit-identical on the CPU.
"""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from torch import Tensor

from mtl.batches import TaskRows
from mtl.bert.model import MultitaskModel
from mtl.checkpoint import named, of_this_recipe, part_of
from mtl.companion import Companion, Part
from mtl.conflicts import layer_groups
from mtl.errors import InputError
from mtl.machine import (
    autocast,
    average,
    check_parts,
    choose_precision,
    join_processes,
    share_weights,
    update_stream,
)
from mtl.objective import Objective
from mtl.optim import Optimization, parameter_groups
from mtl.regularizers import ProximalPoint
from mtl.schedules import make_schedule
from mtl.settings import LoopSettings, TaskData, check_data
from mtl.step import MultitaskStep, objectives_of
from mtl.surgery import Surgery, make_surgery
from mtl.terms import terms_of
from mtl.text.tokens import TaskBatch


class Stateful(Protocol):
    """What a checkpoint holds a part of."""

    def state(self) -> dict[str, Tensor]:
        """Return it."""
        ...

    def load_state(self, state: dict[str, Tensor], /) -> None:
        """Go on from it."""
        ...


class MultitaskTrainer:
    """The state of multitask training, advanced one update at a time.

    Args:
        model: Trained in place.
        data: Rows and loss of each of the model's tasks.
        settings: The loop.
        companion: Learns beside the model from the same vectors; None: the model is alone.

    Raises:
        InputError: A name is unknown, or settings and tasks do not fit.
    """

    def __init__(
        self,
        model: MultitaskModel,
        data: Mapping[str, TaskData],
        settings: LoopSettings,
        companion: Companion | None = None,
    ) -> None:
        self.companion = companion
        _check_trained(model)
        check_data(model.tasks, data, settings)
        self.accelerator = join_processes()
        device, processes = self.accelerator.device, self.accelerator.num_processes
        parts = settings.accumulation * processes
        least = 2 if any(task.contrasts for task in data.values()) else 1
        check_parts("multitask", settings.batch_size, parts, least=least)
        if companion is not None:
            _check_beside(settings, processes)
        precision = choose_precision(settings.precision, device, exact=settings.smart.on)
        self.autocast = partial(autocast, precision, device)
        self.model, self.data, self.settings = model.to(device), data, settings
        share_weights(self.model)
        self.rows = {
            name: TaskRows(task, settings.batch_size, seed=settings.seed + 1_000_003 * place)
            for place, (name, task) in enumerate(data.items())
        }
        epoch = {name: rows.batches_per_epoch for name, rows in self.rows.items()}
        self.schedule = make_schedule(
            settings.order,
            epoch,
            settings.epochs,
            settings.seed,
            settings.pairs,
            turns=settings.updates_per_epoch,
        )
        self.served = dict.fromkeys(data, 0)
        scaled = precision == "fp16"
        self.optimization = _optimization(self.model, settings, self.updates, scaled=scaled)
        self.proximal = _proximal(self.model, settings, self.updates)
        self.step = self._step()

    @property
    def updates(self) -> int:
        """Updates in all."""
        return self.settings.epochs * self.schedule.turns_per_epoch

    @property
    def update_number(self) -> int:
        """Updates done."""
        return self.optimization.done

    def advance(self) -> dict[str, Tensor]:
        """Do one update; returns the loss of each task in it, and ``norm`` of the gradient.

        They are none where float16 overflowed and the update was passed over.

        Raises:
            DivergenceError: The gradient is not finite, or the companion's is not; nothing was
                changed.
        """
        self.model.train()
        turn = self.schedule.turn(*divmod(self.update_number, self.schedule.turns_per_epoch))
        device, process = self.accelerator.device, self.accelerator.process_index
        with update_stream(device, self.settings.seed, self.update_number, process):
            losses = self.step.gradients({task: self.parts(task) for task in turn})
        if self.companion is not None:
            self.companion.check()
        losses = self.optimization.apply(losses)
        if self.companion is not None:
            self.companion.update()
        if self.proximal is not None:
            self.proximal.update()
        for task in turn:
            self.served[task] += 1
        return losses

    def state(self) -> dict[str, Tensor]:
        """Return a copy of everything that the next updates depend on, for a checkpoint."""
        tensors = named("model.", self.model.state_dict())
        for name, part in self._stateful().items():
            tensors |= named(f"{name}.", part.state())
        return {key: value.detach().cpu().clone() for key, value in tensors.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned.

        Raises:
            InputError: It is of another model, or of other settings.
        """
        with of_this_recipe():
            self.model.load_state_dict(part_of(state, "model."))
            for name, part in self._stateful().items():
                part.load_state(part_of(state, f"{name}."))
        self.served = self.schedule.served(
            *divmod(self.update_number, self.schedule.turns_per_epoch)
        )

    def _stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful | None] = {
            "optimization": self.optimization,
            "surgery": self.step.surgery,
            "conflicts": self.step.conflicts,
            "proximal": self.proximal,
            "companion": self.companion,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _step(self) -> MultitaskStep:
        """Bind losses, surgery and processes."""
        groups = layer_groups([name for name, _ in self.model.shared_parameters()])
        objectives = {
            name: Objective(
                self.model,
                name,
                terms_of(self.model, name, data),
                autocast=self.autocast,
                smart=self.settings.smart.of(name),
                proximal=self.proximal,
                companion=self.companion,
            )
            for name, data in self.data.items()
        }
        return MultitaskStep(
            self.model,
            objectives,
            self._surgery(groups=len(groups[1])),
            groups=groups,
            scale=self.optimization.scaler.scale,
            average=partial(average, self.accelerator),
            companion=self.companion,
        )

    def _surgery(self, *, groups: int) -> Surgery | None:
        """Make the surgery; refuse one that would never act, or not on a turn's few objectives."""
        settings, name = self.settings, self.settings.surgery
        if name == "sum":
            return None
        objectives = objectives_of(list(self.data), self.companion)
        # Of a companion, any of its losses may be in a turn.
        turn = self.schedule.tasks_per_turn + len(objectives) - len(self.data)
        surgery = make_surgery(
            name, tasks=len(objectives), seed=settings.seed, groups=max(1, groups), turn=turn
        )
        if turn == 1:
            raise InputError(
                f"surgery {name!r} would never act: the order of tasks {settings.order!r} gives an "
                "update to one task; use the order interleaved or pairs, or surgery sum"
            )
        if not groups:
            raise InputError(
                f"surgery {name!r} would never act: no parameter that tasks share is trained; "
                "train the encoder or a shared block, or use surgery sum"
            )
        return surgery

    def parts(self, task: str) -> list[Part]:
        """Return this process's micro-batches of a task's next batch."""
        accelerator, accumulation = self.accelerator, self.settings.accumulation
        return self.rows[task].parts(
            self.served[task],
            process=accelerator.process_index,
            processes=accelerator.num_processes,
            accumulation=accumulation,
        )

    def predict(self, task: str, batch: TaskBatch) -> Tensor:
        """Return class probabilities (B, C), or scores (B,): the companion's where it answers."""
        answer = None if self.companion is None else self.companion.predict(task, batch)
        return self.model.predict(task, batch) if answer is None else answer


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


def _check_beside(settings: LoopSettings, processes: int) -> None:
    """Refuse what a companion, which steps by itself, has no part in."""
    if settings.precision == "fp16":
        raise InputError(
            "multitask.precision: fp16 scales losses up, and those of the GAN beside the model "
            "are not scaled down again; use bf16, no or auto"
        )
    if processes > 1:
        raise InputError(f"{processes} processes: the GAN beside the model trains in one; use one")


def _optimization(
    model: MultitaskModel, settings: LoopSettings, updates: int, *, scaled: bool
) -> Optimization:
    parameters = list(model.named_parameters())
    encoder = [(n, p) for n, p in parameters if n.startswith("encoder.") and ".lora_" not in n]
    rest = [(n, p) for n, p in parameters if not n.startswith("encoder.") or ".lora_" in n]
    groups = parameter_groups(
        encoder,
        rest,
        encoder_rate=settings.encoder_rate,
        rest_rate=settings.head_rate,
        weight_decay=settings.weight_decay,
    )
    return Optimization(
        groups,
        course=settings.course,
        warmup_share=settings.warmup_share,
        updates=updates,
        clip=settings.clip,
        scaled=scaled,
    )


def _proximal(model: MultitaskModel, settings: LoopSettings, updates: int) -> ProximalPoint | None:
    smart = settings.smart
    if not smart.proximal:
        return None
    return ProximalPoint(
        model,
        early_updates=updates // 10,
        early_momentum=smart.early_momentum,
        momentum=smart.momentum,
    )
