"""What one task adds to the gradient: the terms of its loss, and those of SMART.

Source: Jiang et al. 2020 (SMART), equations 1 and 3; :mod:`mtl.regularizers` has its terms. All
passes over a batch are under one dropout mask. Each text of a pair is shifted in its own ball.
Shapes: X sequences of a batch (rows, or texts of pairs), L tokens, D embedding.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.regularizers import DIVERGENCES, ProximalPoint, SameDropout, smoothness
from mtl.settings import SmartSettings
from mtl.terms import Outputs, Term
from mtl.text.tokens import TaskBatch


class Part(NamedTuple):
    """A micro-batch, and its shares in its batch: means over parts add up to the batch's."""

    batch: TaskBatch
    labeled: float
    """Share of the rows that have a target."""
    rows: float
    """Share of all rows."""


class Objective:
    """The loss of one task, with all its terms.

    Args:
        model: Its model.
        name: The task.
        terms: Means over the rows that have a target.
        autocast: Opens the context of the forward passes.
        smart: Which of SMART's terms, means over all rows, there are, and how they are made; they
            need float32.
        proximal: The averaged parameters; None: no task wants the distance to them.
    """

    def __init__(
        self,
        model: MultitaskModel,
        name: str,
        terms: Sequence[Term],
        *,
        autocast: Callable[[], AbstractContextManager[object]],
        smart: SmartSettings,
        proximal: ProximalPoint | None = None,
    ) -> None:
        self.model, self.name, self.terms, self.autocast = model, name, terms, autocast
        self.smart, self.proximal = smart, proximal
        self.divergence = DIVERGENCES[model.tasks[name].output]

    def __call__(self, part: Part) -> Tensor:
        """Return the loss of a micro-batch, as large as its share in the batch."""
        if not self.smart.on:
            return self._supervised(part, self._outputs(part.batch))
        forward = SameDropout(lambda embeddings: self._outputs(part.batch, embeddings))
        embeddings_XLD = self.model.embed(part.batch)
        found = forward(embeddings_XLD)
        loss = self._supervised(part, found)
        if self.smart.weight:
            rough = smoothness(
                lambda shifted_XLD: forward(shifted_XLD).output,
                embeddings_XLD,
                found.output,
                divergence=self.divergence,
                ascent=self.smart.ascent,
                generator=torch.default_generator,  # seeded anew at each update, as dropout is
            )
            loss = loss + part.rows * self.smart.weight * rough
        if self.proximal is not None and self.smart.proximal:
            distance = self.proximal.penalty(
                lambda: forward(self.model.embed(part.batch)).output,
                found.output,
                divergence=self.divergence,
            )
            loss = loss + part.rows * self.smart.proximal * distance
        return loss

    def _outputs(self, batch: TaskBatch, embeddings: Tensor | None = None) -> Outputs:
        with self.autocast():
            vectors = self.model.encode(self.name, batch, embeddings)
            output: Tensor = self.model.heads[self.name](*vectors)
        return Outputs(output.float(), tuple(vector.float() for vector in vectors))

    def _supervised(self, part: Part, found: Outputs) -> Tensor:
        return part.labeled * torch.stack([term(found, part.batch) for term in self.terms]).sum()
