"""The loop over updates: evaluation, the best weights, records and checkpoints."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import broadcast_object_list
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.checkpoint import named, part_of, read_latest, write_checkpoint
from mtl.companion import Companion
from mtl.evaluate import evaluate
from mtl.record import Means, Progress, Record
from mtl.scores import overall_scores
from mtl.settings import LoopSettings, TaskData
from mtl.trainer import MultitaskTrainer

SHOWN = ("accuracy", "macro_f1", "pearson", "spearman")
"""Scores that a record holds; all of them are in the outcome."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training ended with."""

    scores: dict[str, dict[str, Any]]
    """By task, of the weights that the model now has, in float32; empty without dev rows."""
    best_update: int
    """The update whose weights these are."""


def train_multitask(
    model: MultitaskModel,
    data: Mapping[str, TaskData],
    settings: LoopSettings,
    *,
    record: Record | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    companion: Companion | None = None,
) -> Outcome:
    """Train a model; it ends with the weights that scored best on dev.

    Of several processes the main one alone evaluates, records and writes; all read a checkpoint.

    Args:
        model: Trained in place.
        data: Rows and loss of each task.
        settings: The loop.
        record: Called at each evaluation with a flat mapping: ``step``, ``TASK_loss`` and ``norm``
            (means since the last one), ``dev_TASK_SCORE``, ``dev_mean``, ``dev_normalized``, what
            the companion tells; and ``conflicts``, rows of their own. A run killed between a record
            and its checkpoint records that step again.
        checkpoint: Directory of checkpoints; where it holds one, training goes on from it.
        progress: Called with (updates done, updates in all).
        companion: Learns beside the model from the same vectors; None: the model is alone.

    Raises:
        InputError: A name is unknown, or settings and tasks do not fit.
    """
    trainer = MultitaskTrainer(model, data, settings, companion)
    best, means = _Best(trainer), Means()
    if checkpoint is not None and (saved := read_latest(checkpoint)) is not None:
        trainer.load_state(part_of(saved, "trainer."))
        best.load_state(part_of(saved, "best."))
        means.load_state(part_of(saved, "means."))
    main = trainer.accelerator.is_main_process
    every = settings.evaluate_every or trainer.schedule.turns_per_epoch
    while trainer.update_number < trainer.updates:
        means.add(_named_losses(trainer.advance()))
        done = trainer.update_number
        if progress is not None and main:
            progress(done, trainer.updates)
        evaluated = done == trainer.updates or not done % every
        if evaluated:
            row: dict[str, Any] = {"step": done} | means.take() | best.look()
            if companion is not None:
                row |= companion.take()
            row["conflicts"] = trainer.step.conflicts.take()
            if record is not None and main:
                record(row)
        due = settings.checkpoint_every and not done % settings.checkpoint_every
        if checkpoint is not None and main and (evaluated or due):
            state = named("trainer.", trainer.state()) | named("best.", best.state())
            write_checkpoint(checkpoint, state | named("means.", means.state()), step=done)
    return best.restore()


class _Best:
    """The best scores on dev so far, and the weights that they belong to."""

    def __init__(self, trainer: MultitaskTrainer) -> None:
        self.trainer = trainer
        self.overall, self.update = -float("inf"), 0
        self.weights: dict[str, Tensor] = {}

    def look(self) -> dict[str, float]:
        """Score the model, keep its weights where they are the best; return what to record."""
        scores = self._scores(self.trainer.autocast)
        if not scores:
            return {}
        overall = overall_scores(scores)
        if overall["mean"] > self.overall:
            self.overall, self.update = overall["mean"], self.trainer.update_number
            self.weights = {k: v.detach().clone() for k, v in self._named()}
        flat = {
            f"{task}_{key}": found[key]
            for task, found in scores.items()
            for key in SHOWN
            if key in found
        }
        return {f"dev_{key}": value for key, value in (flat | overall).items()}

    def state(self) -> dict[str, Tensor]:
        """Return what is kept, for a checkpoint."""
        kept = {key: value.cpu() for key, value in self.weights.items()}
        overall = torch.tensor([self.overall, self.update], dtype=torch.float64)
        return named("weights.", kept) | {"overall": overall}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        overall, update = state["overall"].tolist()
        self.overall, self.update = overall, int(update)
        self.weights = part_of(state, "weights.")

    def restore(self) -> Outcome:
        """Put the best weights back, without dev rows leave the last ones; score them in float32.

        So a saved model gives these scores, whatever it was trained in.
        """
        if not self.weights:
            return Outcome({}, self.trainer.update_number)
        with torch.no_grad():
            for name, value in self._named():
                value.copy_(self.weights[name])
        return Outcome(self._scores(nullcontext), self.update)

    def _named(self) -> list[tuple[str, Tensor]]:
        """Return what training moves: of the model, then of the companion."""
        trained = self.trainer.model.named_parameters()
        beside = self.trainer.companion
        others = {} if beside is None else named("companion.", beside.weights())
        return [*((n, p) for n, p in trained if p.requires_grad), *others.items()]

    def _scores(
        self, autocast: Callable[[], AbstractContextManager[object]]
    ) -> dict[str, dict[str, Any]]:
        """Evaluate in the main process; all are told, so that all keep the same weights."""
        trainer, scores = self.trainer, {}
        if trainer.accelerator.is_main_process:
            scores = {
                name: evaluate(
                    trainer.model, name, task.dev, autocast=autocast, predict=trainer.predict
                )
                for name, task in trainer.data.items()
                if task.dev is not None
            }
        told: dict[str, dict[str, Any]] = broadcast_object_list([scores])[0]
        return told


def _named_losses(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name if name == "norm" else f"{name}_loss": value for name, value in losses.items()}
