"""One multitask update: a batch of each task of the turn, their gradients merged, one step.

What more than one objective can reach goes through surgery; heads and other parameters of one
task's own keep their own gradient. An objective is a task, or a loss of the companion beside the
model. The gradients of all are taken at the same weights.
Shapes: T objectives, P shared parameters.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mtl.bert.model import MultitaskModel
from mtl.companion import Companion, Part
from mtl.conflicts import ConflictRecord, layer_groups
from mtl.surgery import Surgery

Losses = Callable[[Part], Mapping[str, Tensor]]
"""The losses of a micro-batch by objective; those of a batch's parts add up to the batch's."""
Gradient = list[Tensor | None]
Scale = Callable[[Tensor], Tensor]
"""Multiplies a loss, so that its gradients do not vanish in float16."""
Average = Callable[[Tensor], Tensor]
"""Averages a tensor over processes."""


class MultitaskStep:
    """What an update needs, and the update itself.

    Args:
        model: Encoder and heads.
        losses: The losses of each task's rows, in the order of the model's tasks.
        surgery: Merges the objectives' gradients; None for their plain sum, which needs no copy of
            them.
        groups: Of the shared parameters, the group of each, and the groups' names.
        scale: Of the losses, and so of the gradients: no surgery minds a common factor.
        average: Averages a gradient over processes; None where there is one.
        companion: Whose losses are among them; None: there is none.
    """

    def __init__(
        self,
        model: MultitaskModel,
        losses: Mapping[str, Losses],
        surgery: Surgery | None,
        *,
        groups: tuple[Sequence[int], Sequence[str]] | None = None,
        scale: Scale | None = None,
        average: Average | None = None,
        companion: Companion | None = None,
    ) -> None:
        self.model, self.losses, self.surgery = model, dict(losses), surgery
        self.scale, self.average, self.companion = scale, average, companion
        shared = list(model.shared_parameters())
        self.shared = [parameter for _, parameter in shared]
        self.own = [parameter for _, parameter in model.own_parameters()]
        self.groups, names = groups or layer_groups([name for name, _ in shared])
        self.objectives = objectives_of(list(losses), companion)
        self.conflicts = ConflictRecord(self.objectives, names)

    def gradients(self, turn: Mapping[str, Sequence[Part]]) -> dict[str, Tensor]:
        """Leave the merged gradient of a turn in the parameters.

        Args:
            turn: By task, the micro-batches that together make its batch.

        Returns:
            The mean loss of each objective of the turn, detached.
        """
        for parameter in (*self.shared, *self.own):
            parameter.grad = None
        if self.companion is not None:
            self.companion.begin()
        several = len(turn) > 1 or self.companion is not None
        apart = self.surgery is not None and several and bool(self.shared)
        found: dict[str, list[Tensor]] = {}
        gradients: dict[str, Gradient] | None = {} if apart else None
        for task, parts in turn.items():
            for part in parts:
                losses = self.losses[task](part)
                self._backward(losses, gradients)
                for name, loss in losses.items():
                    found.setdefault(name, []).append(loss.detach())
        if gradients is not None and self.surgery is not None:
            absent: Gradient = [None] * len(self.shared)
            sets = [self._mean(gradients.get(name, absent)) for name in self.objectives]
            merged, gram_GTT = self.surgery.merge(sets, self.groups)
            self.conflicts.add(gram_GTT)
        else:
            merged = self._mean([parameter.grad for parameter in self.shared])
        self._put(self.shared, merged)
        self._put(self.own, self._mean([parameter.grad for parameter in self.own]))
        totals = {name: torch.stack(losses).sum() for name, losses in found.items()}
        return {name: self.average(loss) if self.average else loss for name, loss in totals.items()}

    def _backward(
        self, losses: Mapping[str, Tensor], gradients: dict[str, Gradient] | None
    ) -> None:
        """Propagate the losses of a micro-batch.

        Args:
            losses: By objective, over one graph.
            gradients: Of the shared parameters, those so far by objective, to be added to; None:
                they need not be told apart.
        """
        # What a companion keeps for itself, such as a generator, is none of these.
        theirs = None if self.companion is None else self.companion.parameters
        inputs = None if theirs is None else [*self.shared, *self.own, *theirs]
        scaled = {name: self.scale(loss) if self.scale else loss for name, loss in losses.items()}
        if gradients is None:
            torch.stack(list(scaled.values())).sum().backward(inputs=inputs)
            return
        for number, (name, loss) in enumerate(scaled.items(), start=1):
            self._put(self.shared, gradients.get(name, [None] * len(self.shared)))
            loss.backward(inputs=inputs, retain_graph=number < len(scaled))
            gradients[name] = [parameter.grad for parameter in self.shared]

    def _mean(self, gradient: Gradient) -> Gradient:
        """Average a gradient over processes."""
        if self.average is None:
            return gradient
        return [None if each is None else self.average(each) for each in gradient]

    @staticmethod
    def _put(parameters: Sequence[nn.Parameter], gradient: Gradient) -> None:
        for parameter, each in zip(parameters, gradient, strict=True):
            parameter.grad = each


def objectives_of(tasks: Sequence[str], companion: Companion | None) -> list[str]:
    """Name what has a gradient of its own: tasks, then the companion's losses."""
    return [*tasks, *(companion.objectives if companion is not None else ())]
