"""What one task adds to the gradient: the terms of its loss, and those of SMART.

Source: Jiang et al. 2020 (SMART), equations 1 and 3; :mod:`mtl.regularizers` has its terms. All
passes over a batch are under one dropout mask. Each text of a pair is shifted in its own ball.
Shapes: X sequences of a batch (rows, or texts of pairs), L tokens, D embedding.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.companion import Companion, Part
from mtl.regularizers import DIVERGENCES, ProximalPoint, SameDropout, smoothness
from mtl.settings import SmartSettings
from mtl.terms import Outputs, Term
from mtl.text.tokens import TaskBatch


class Objective:
    """The loss of one task, with all its terms.

    Args:
        model: Its model.
        name: The task.
        terms: Means over the rows that have a target; of none, its head learns nothing.
        autocast: Opens the context of the forward passes.
        smart: Which of SMART's terms, means over all rows, there are, and how they are made; they
            need float32.
        proximal: The averaged parameters; None: no task wants the distance to them.
        companion: Reads the same vectors; None: there is none.
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
        companion: Companion | None = None,
    ) -> None:
        self.model, self.name, self.terms, self.autocast = model, name, terms, autocast
        self.smart, self.proximal, self.companion = smart, proximal, companion
        self.divergence = DIVERGENCES[model.tasks[name].output]

    def __call__(self, part: Part) -> dict[str, Tensor]:
        """Return the loss of a micro-batch, as large as its share in the batch, by the task.

        Those of the companion are beside it, by their own names. The encoder runs once for all.
        """
        found, loss = self._own(part)
        losses = {self.name: loss} if self.terms else {}
        if self.companion is not None:
            losses |= self.companion.losses(self.name, part, found.vectors)
        return losses

    def _own(self, part: Part) -> tuple[Outputs, Tensor]:
        if not self.smart.on:
            found = self._outputs(part.batch)
            return found, self._supervised(part, found)
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
        return found, loss

    def _outputs(self, batch: TaskBatch, embeddings: Tensor | None = None) -> Outputs:
        with self.autocast():
            vectors = self.model.encode(self.name, batch, embeddings)
            output: Tensor = self.model.head(self.name)(*vectors)
        return Outputs(output.float(), tuple(vector.float() for vector in vectors))

    def _supervised(self, part: Part, found: Outputs) -> Tensor:
        terms = [term(found, part.batch) for term in self.terms]
        return part.labeled * torch.stack(terms).sum() if terms else found.output.new_zeros(())
