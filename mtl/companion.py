"""A learner beside the multitask BERT that reads the vectors of every batch, such as a GAN.

What it makes of them comes back as losses by name, each an objective of its own: their gradients
reach the encoder, apart from one another where there is surgery. What it learns by itself it does
itself. Shapes: B batch, D embedding, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import Tensor, nn

from mtl.text.tokens import TaskBatch


class Part(NamedTuple):
    """A micro-batch, and its shares in its batch: means over parts add up to the batch's."""

    batch: TaskBatch
    labeled: float
    """Share of the rows that have a target."""
    rows: float
    """Share of all rows."""


class Companion(Protocol):
    """What a trainer asks of the learner beside it."""

    @property
    def objectives(self) -> Sequence[str]:
        """Names of the losses that :meth:`losses` may return, none of them a task's."""
        ...

    @property
    def parameters(self) -> Sequence[nn.Parameter]:
        """Its own parameters that those losses train; they keep their plain, summed gradient."""
        ...

    def begin(self) -> None:
        """Forget the gradients of the last update."""
        ...

    def losses(self, task: str, part: Part, vectors: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
        """Return losses of a micro-batch by objective, each as large as its share in the batch.

        Args:
            task: Whose rows they are.
            part: The rows.
            vectors: The (B, D) that the task's head reads, in float32, with their graph.
        """
        ...

    def check(self) -> None:
        """Look at its losses and gradients, before anything moves.

        Raises:
            DivergenceError: One of them is not to be learned from.
        """
        ...

    def update(self) -> None:
        """Move its own parameters, once the model has moved."""
        ...

    def predict(self, task: str, batch: TaskBatch) -> Tensor | None:
        """Return class probabilities (B, C) or scores (B,); None: the model's head is to answer."""
        ...

    def weights(self) -> Mapping[str, Tensor]:
        """Return what is to be put back where an earlier update was the best; not copies."""
        ...

    def take(self) -> dict[str, float]:
        """Return numbers to record, and begin them anew."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Return everything that its next updates depend on."""
        ...

    def load_state(self, state: dict[str, Tensor], /) -> None:
        """Go on from what :meth:`state` returned."""
        ...


class NoHead(nn.Module):
    """Stands where a task has no head, since a companion answers for it: no logits, (B, 0)."""

    def forward(self, *vectors: Tensor) -> Tensor:
        """Return nothing for each row."""
        return vectors[0][:, :0]
