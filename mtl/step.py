"""One multitask update: a batch of each task of the turn, their gradients merged, one step.

What more than one task can reach goes through surgery; heads and other parameters of one task's own
keep their own gradient. Gradients of all tasks are taken at the same weights.
Shapes: T tasks of the model, P shared parameters.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mtl.bert.model import MultitaskModel
from mtl.conflicts import ConflictRecord, layer_groups
from mtl.objective import Part
from mtl.surgery import Surgery

Loss = Callable[[Part], Tensor]
"""The loss of a micro-batch; those of a batch's parts add up to the batch's."""
Scale = Callable[[Tensor], Tensor]
"""Multiplies a loss, so that its gradients do not vanish in float16."""
Average = Callable[[Tensor], Tensor]
"""Averages a tensor over processes."""


class MultitaskStep:
    """What an update needs, and the update itself.

    Args:
        model: Encoder and heads.
        losses: The loss of each task, in the order of the model's tasks.
        surgery: Merges the tasks' gradients; None for their plain sum, which needs no copy of them.
        groups: Of the shared parameters, the group of each, and the groups' names.
        scale: Of the losses, and so of the gradients: no surgery minds a common factor.
        average: Averages a gradient over processes; None where there is one.
    """

    def __init__(
        self,
        model: MultitaskModel,
        losses: Mapping[str, Loss],
        surgery: Surgery | None,
        *,
        groups: tuple[Sequence[int], Sequence[str]] | None = None,
        scale: Scale | None = None,
        average: Average | None = None,
    ) -> None:
        self.model, self.losses, self.surgery = model, dict(losses), surgery
        self.scale, self.average = scale, average
        shared = list(model.shared_parameters())
        self.shared = [parameter for _, parameter in shared]
        self.own = [parameter for _, parameter in model.own_parameters()]
        self.groups, names = groups or layer_groups([name for name, _ in shared])
        self.conflicts = ConflictRecord(list(losses), names)

    def gradients(self, turn: Mapping[str, Sequence[Part]]) -> dict[str, Tensor]:
        """Leave the merged gradient of a turn in the parameters.

        Args:
            turn: By task, the micro-batches that together make its batch.

        Returns:
            The mean loss of each task of the turn, detached.
        """
        for parameter in (*self.shared, *self.own):
            parameter.grad = None
        apart = self.surgery is not None and len(turn) > 1 and bool(self.shared)
        losses, by_task = {}, {}
        for task, parts in turn.items():
            loss = torch.stack([self._backward(task, part) for part in parts]).sum()
            losses[task] = loss if self.average is None else self.average(loss)
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

    def _backward(self, task: str, part: Part) -> Tensor:
        loss = self.losses[task](part)
        (loss if self.scale is None else self.scale(loss)).backward()
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
