"""The loop over updates: evaluation, the best weights, records and checkpoints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.checkpoint import read_latest, write_checkpoint
from mtl.evaluate import evaluate
from mtl.scores import overall_scores
from mtl.settings import LoopSettings, TaskData
from mtl.trainer import MultitaskTrainer

Record = Callable[[dict[str, Any]], None]
Progress = Callable[[int, int], None]
SHOWN = {"accuracy", "macro_f1", "pearson", "spearman"}
"""Scores that a record holds; all of them are in the outcome."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training ended with."""

    scores: dict[str, dict[str, Any]]
    """By task, of the weights that the model now has; empty without dev rows."""
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
) -> Outcome:
    """Train a model; it ends with the weights that scored best on dev.

    Args:
        model: Trained in place.
        data: Rows and loss of each task.
        settings: The loop.
        record: Called with a flat mapping at each evaluation.
        checkpoint: Directory of checkpoints; where it holds one, training goes on from it.
        progress: Called with (updates done, updates in all).

    Raises:
        InputError: A name is unknown, or settings and tasks do not fit.
    """
    trainer = MultitaskTrainer(model, data, settings)
    keeper = _Best(trainer)
    if checkpoint is not None and (saved := read_latest(checkpoint)) is not None:
        trainer.load_state({k: v for k, v in saved.items() if not k.startswith("best.")})
        keeper.load_state({k: v for k, v in saved.items() if k.startswith("best.")})
    every = settings.evaluate_every or trainer.schedule.turns_per_epoch
    losses: list[dict[str, Tensor]] = []
    while trainer.update_number < trainer.updates:
        losses.append(trainer.advance())
        if progress is not None:
            progress(trainer.update_number, trainer.updates)
        if trainer.update_number % every and trainer.update_number < trainer.updates:
            continue
        row = {"update": trainer.update_number} | _means(losses) | keeper.look()
        losses = []
        conflicts = trainer.step.conflicts.take()
        if record is not None:
            record(row | {"conflicts": conflicts})
        if checkpoint is not None and trainer.accelerator.is_main_process:
            state = trainer.state() | keeper.state()
            write_checkpoint(checkpoint, state, step=trainer.update_number)
    return keeper.restore()


class _Best:
    """The best scores on dev so far, and the weights that they belong to."""

    def __init__(self, trainer: MultitaskTrainer) -> None:
        self.trainer = trainer
        self.overall, self.update = -float("inf"), 0
        self.weights: dict[str, Tensor] = {}

    def look(self) -> dict[str, float]:
        """Score the model, keep its weights where they are the best; return what to record."""
        scores = self._scores()
        if not scores:
            return {}
        overall = overall_scores(scores)
        if overall["mean"] > self.overall:
            self.overall, self.update = overall["mean"], self.trainer.update_number
            self.weights = {k: v.detach().clone() for k, v in self._named()}
        flat = {
            f"{task}_{key}": found[key]
            for task, found in scores.items()
            for key in SHOWN & found.keys()
        }
        return {f"dev_{key}": value for key, value in (flat | overall).items()}

    def state(self) -> dict[str, Tensor]:
        """Return what is kept, for a checkpoint."""
        kept = {f"best.weights.{key}": value.cpu() for key, value in self.weights.items()}
        return kept | {
            "best.overall": torch.tensor([self.overall, self.update], dtype=torch.float64)
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` returned."""
        overall, update = state["best.overall"].tolist()
        self.overall, self.update = overall, int(update)
        start = "best.weights."
        self.weights = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}

    def restore(self) -> Outcome:
        """Put the best weights back; without dev rows, leave the last ones."""
        if not self.weights:
            return Outcome({}, self.trainer.update_number)
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(self.weights[name])
        return Outcome(self._scores(), self.update)

    def _named(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(n, p) for n, p in self.trainer.model.named_parameters() if p.requires_grad]

    def _scores(self) -> dict[str, dict[str, Any]]:
        data, autocast = self.trainer.data, self.trainer.accelerator.autocast
        parts = {name: task.dev for name, task in data.items() if task.dev is not None}
        return {
            name: evaluate(self.trainer.model, name, part, autocast=autocast)
            for name, part in parts.items()
        }


def _means(losses: list[dict[str, Tensor]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in losses for name in each)
    return {
        name if name == "norm" else f"{name}_loss": float(
            torch.stack([each[name] for each in losses if name in each]).mean()
        )
        for name in names
    }
