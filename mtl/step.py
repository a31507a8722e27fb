"""One multitask update: a batch of each task of the turn, their gradients merged, one step.

What more than one task can reach goes through surgery; heads and other parameters of one task's own
keep their own gradient. Gradients of all tasks are taken at the same weights.
Shapes: T tasks of the model, P shared parameters.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from mtl.bert.model import MultitaskModel
from mtl.conflicts import ConflictRecord, layer_groups
from mtl.surgery import Surgery
from mtl.text.tokens import TaskBatch

Loss = Callable[[Tensor, TaskBatch], Tensor]
"""(output of the head, batch) -> scalar mean over the rows that have a target."""
Average = Callable[[Tensor], Tensor]
"""Averages a tensor over processes."""


class MultitaskStep:
    """What an update needs, and the update itself.

    Args:
        model: Encoder and heads.
        losses: The loss of each task, in the order of the model's tasks.
        surgery: Merges the tasks' gradients; None for their plain sum, which needs no copy of them.
        clip: Largest norm of the whole gradient, heads included; 0: no clipping.
        groups: Of the shared parameters, the group of each, and the groups' names.
        autocast: Opens the context of the forward passes.
        average: Averages a gradient over processes; None where there is one.
    """

    def __init__(
        self,
        model: MultitaskModel,
        losses: Mapping[str, Loss],
        surgery: Surgery | None,
        *,
        groups: tuple[Sequence[int], Sequence[str]] | None = None,
        clip: float = 0.0,
        autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
        average: Average | None = None,
    ) -> None:
        self.model, self.losses, self.surgery = model, dict(losses), surgery
        self.clip, self.autocast, self.average = clip, autocast, average
        shared = list(model.shared_parameters())
        self.shared = [parameter for _, parameter in shared]
        self.own = [parameter for _, parameter in model.own_parameters()]
        self.groups, names = groups or layer_groups([name for name, _ in shared])
        self.conflicts = ConflictRecord(list(losses), names)

    def gradients(self, turn: Mapping[str, Sequence[tuple[TaskBatch, float]]]) -> dict[str, Tensor]:
        """Leave the merged gradient of a turn in the parameters.

        Args:
            turn: By task, the micro-batches that together make its batch, each with its share of
                the rows that count.

        Returns:
            The mean loss of each task of the turn, detached.
        """
        for parameter in (*self.shared, *self.own):
            parameter.grad = None
        apart = self.surgery is not None and len(turn) > 1 and bool(self.shared)
        losses, by_task = {}, {}
        for task, batches in turn.items():
            losses[task] = torch.stack(
                [self._backward(task, batch, share) for batch, share in batches]
            ).sum()
            if apart:
                by_task[task] = self._take()
        if apart and self.surgery is not None:
            absent: list[Tensor | None] = [None] * len(self.shared)
            sets = [by_task.get(task, absent) for task in self.losses]
            merged, gram_GTT = self.surgery.merge(sets, self.groups)
            self.conflicts.add(gram_GTT)
            for parameter, gradient in zip(self.shared, merged, strict=True):
                parameter.grad = gradient
        else:
            self._averaged(self.shared)
        self._averaged(self.own)
        return losses

    def clipped(self) -> Tensor:
        """Clip the gradient, where asked; return its norm as it was."""
        most = self.clip or float("inf")
        return nn.utils.clip_grad_norm_([*self.shared, *self.own], most)

    def _backward(self, task: str, batch: TaskBatch, share: float) -> Tensor:
        with self.autocast():
            output = self.model(task, batch)
        loss = share * self.losses[task](output.float(), batch)
        loss.backward()
        return loss.detach()

    def _take(self) -> list[Tensor | None]:
        """Take one task's gradient out of the shared parameters, averaged over processes."""
        self._averaged(self.shared)
        taken = [parameter.grad for parameter in self.shared]
        for parameter in self.shared:
            parameter.grad = None
        return taken

    def _averaged(self, parameters: Sequence[nn.Parameter]) -> None:
        if self.average is None:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad = self.average(parameter.grad)
