"""Frozen mode: embeddings in, trained GANs out, with records, checkpoints and a divergence guard.

The loop owns time and files; what a step does is :mod:`acgan_bert.ensemble`. Resuming from a
checkpoint gives the same weights as never having stopped, bit for bit on the CPU.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from acgan_bert.ensemble import Ensemble
from acgan_bert.member import Member
from acgan_bert.model import GANModel
from acgan_bert.recipe import Recipe
from acgan_bert.row_checks import check_rows
from acgan_bert.transfer import read_start
from mtl.checkpoint import read_latest, write_checkpoint
from mtl.errors import DivergenceError
from mtl.rows import Rows

logger = logging.getLogger(__name__)

Record = Callable[[dict[str, float]], None]
Progress = Callable[[int, int], None]
Watch = Callable[[Ensemble], Mapping[str, float]]


GUARD_EVERY_STEPS = 10
"""Steps between two looks at gradient norms; losses are looked at in each step on the CPU."""
DEV_ROWS = 8192
"""Rows of dev that all members judge at once."""
STOPPED = "collapse/stopped"
"""What a watch returns where training is to end, with the state of the last checkpoint."""


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Real embeddings and the labels that may be seen."""

    vectors: Rows
    """(N, D) float32; where they are many they are read as they are drawn."""
    labels: np.ndarray
    """(N,) class indices; -1: unlabelled."""
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Rows that are scored and never trained on."""

    vectors: Rows
    """(N, D) float32; where they are many they are read as they are scored."""
    labels: np.ndarray
    """(N,) class indices; -1: not scored."""


def train_gan(
    rows: TrainingRows,
    recipe: Recipe,
    *,
    dev: HeldOut | None = None,
    record: Record | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> GANModel:
    """Train the recipe's members on the same labels, each from a random stream of its own.

    Args:
        rows: Real embeddings; at least two classes labelled.
        recipe: What to train.
        dev: Rows scored at each evaluation; they choose nothing.
        record: Called with a flat mapping at each evaluation.
        checkpoint: Directory of checkpoints; where it holds one, training goes on from it.
        progress: Called with (steps done, steps in all).
        watch: Looks at the ensemble, and changes nothing in it, at the start and at each
            evaluation, whose record gets the numbers that it returns.

    Returns:
        The trained model, its weights being the moving averages.

    Raises:
        InputError: The rows cannot be trained on.
        DivergenceError: A loss became non-finite, or a gradient norm exploded.
    """
    check_rows(rows)
    members = [
        Member(recipe, rows.labels, recipe.seed * 1_000_003 + index, index)
        for index in range(recipe.training.members)
    ]
    return train_ensemble(
        _begun(rows.vectors, members, rows.classes),
        classes=rows.classes,
        dev=dev,
        record=record,
        checkpoint=checkpoint,
        progress=progress,
        watch=watch,
    )


def train_members(
    vectors: Rows,
    members: Sequence[Member],
    *,
    classes: tuple[str, ...],
    dev: HeldOut | None = None,
    record: Record | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    groups: Sequence[slice] = (),
) -> GANModel:
    """Train any members over the same embeddings as one program; see :func:`train_gan`.

    Where groups of members are given, each has records of its own, with its place as ``group``.
    """
    return train_ensemble(
        _begun(vectors, members, classes),
        classes=classes,
        dev=dev,
        record=record,
        checkpoint=checkpoint,
        progress=progress,
        groups=groups,
    )


def train_ensemble(
    ensemble: Ensemble,
    *,
    classes: tuple[str, ...],
    dev: HeldOut | None = None,
    record: Record | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
    groups: Sequence[slice] = (),
    watch: Watch | None = None,
) -> GANModel:
    """Train an ensemble from where it is; see :func:`train_gan` and :func:`train_members`."""
    training = ensemble.recipe.training
    if checkpoint is not None and (saved := read_latest(checkpoint)) is not None:
        ensemble.load_state(saved)
        logger.info("continuing at step %d of %d", ensemble.step_number, training.steps)
    good, started = ensemble.state(), time.monotonic()
    if watch is not None:
        watch(ensemble)
    while ensemble.step_number < training.steps:
        losses = ensemble.step()
        step = ensemble.step_number
        periods = (GUARD_EVERY_STEPS, training.eval_every_steps, training.checkpoint_every_steps)
        last = step == training.steps
        guarded, evaluated, kept = (last or step % every == 0 for every in periods)
        if guarded:
            losses |= ensemble.gradient_norms()
        # To look at a loss is to wait for it, which on a GPU costs more than the step.
        looked = guarded or evaluated or kept or ensemble.device.type == "cpu"
        if looked and (cause := _divergence(losses, training.divergence_norm)):
            raise _diverged(cause, step, good, checkpoint)
        if evaluated:
            seconds = round(time.monotonic() - started, 3)
            seen = {} if watch is None else watch(ensemble)
            if record is not None:
                for found in _evaluate(ensemble, losses, dev, groups):
                    record({"step": step, "seconds": seconds, **found, **seen})
            if STOPPED in seen:
                _go_back(ensemble, good)
                break
        if kept:
            good = ensemble.state()
            if checkpoint is not None:
                write_checkpoint(checkpoint, good, step=step)
        if progress is not None:
            progress(step, training.steps)
    return model_of(ensemble, classes)


def _begun(vectors: Rows, members: Sequence[Member], classes: tuple[str, ...]) -> Ensemble:
    """Begin at new players, or at those that the members' recipe names."""
    start = read_start(members[0].recipe, classes)
    return Ensemble(vectors, members, num_classes=len(classes), start=start)


def model_of(ensemble: Ensemble, classes: tuple[str, ...]) -> GANModel:
    """Freeze an ensemble's moving averages into a model."""
    generator, discriminator = ensemble.players.averaged_states()
    return GANModel(ensemble.shape, classes, ensemble.space, generator, discriminator)


def _go_back(ensemble: Ensemble, good: dict[str, Tensor]) -> None:
    """End training at the last good state; a DivergenceError where that is the beginning."""
    step = ensemble.step_number
    ensemble.load_state(good)
    if not (kept := ensemble.step_number):
        raise DivergenceError(
            f"step {step}: watch.stop ends training, for the generator has collapsed, and nothing "
            "was kept before; begin at generator.warm_start true, look less often "
            "(watch.every_steps), or leave watch.stop out"
        )
    logger.warning("step %d: the watch ends training; the model is that of step %d", step, kept)


def _divergence(losses: dict[str, Tensor], most: float) -> str:
    """Say what went wrong in a step; '' if nothing did."""
    for name, value_E in losses.items():
        bad_E = ~torch.isfinite(value_E)
        if name.startswith("norm_"):
            bad_E = bad_E | (value_E > most)
        if bool(bad_E.any()):
            member = int(bad_E.nonzero()[0])
            return f"{name} of member {member} is {float(value_E[member]):.4g}"
    return ""


def _diverged(
    cause: str, step: int, good: dict[str, Tensor], checkpoint: Path | None
) -> DivergenceError:
    """Keep the last good state on disk and say where it is."""
    last = int(good["step_number"])
    where = "in memory only"
    if checkpoint is not None:
        write_checkpoint(checkpoint, good, step=last)
        where = f"in {checkpoint}"
    return DivergenceError(
        f"diverged at step {step}: {cause}; the last good state (step {last}) is {where}. "
        "Lower the learning rates, or raise objective.r1 or set discriminator.spectral_norm"
    )


def _evaluate(
    ensemble: Ensemble,
    losses: dict[str, Tensor],
    dev: HeldOut | None,
    groups: Sequence[slice],
) -> Iterator[dict[str, float]]:
    """Yield losses averaged over members, and the dev accuracy of their averaged prediction."""
    scored = None if dev is None else dev.labels >= 0
    judged_ENC = None
    if dev is not None and scored is not None and scored.any():
        rows = np.array_split(np.flatnonzero(scored), -(-int(scored.sum()) // DEV_ROWS))
        blocks_ND = (ensemble.space.standardize(torch.from_numpy(dev.vectors[n])) for n in rows)
        judged = [ensemble.class_probabilities(x_ND).cpu() for x_ND in blocks_ND]
        judged_ENC = torch.cat(judged, dim=1)
    for place, group in enumerate(groups or (slice(None),)):
        found = {"group": float(place)} if groups else {}
        found |= {name: float(value_E[group].mean()) for name, value_E in losses.items()}
        if dev is not None and judged_ENC is not None:
            guesses = judged_ENC[group].mean(0).argmax(-1).numpy()
            found["dev_accuracy"] = float((guesses == dev.labels[scored]).mean())
        yield found
