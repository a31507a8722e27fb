"""What multitask training is asked for: the rows and loss of each task, and the loop."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mtl.choices import check_choice
from mtl.errors import InputError
from mtl.machine import Precision
from mtl.optim import Course
from mtl.regularizers import Ascent
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus

CLASS_LOSSES = ("cross_entropy", "binary_cross_entropy")
Extra = Literal["", "cosine_similarity", "multiple_negatives_ranking", "triplet"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskData:
    """The rows of one task and what its loss is.

    Args:
        train: Its rows; those without a label teach the companion beside the model, if any.
        unlabeled_rows: Rows without a label in each batch, beside the labelled ones; 0: rows are
            drawn from all alike.
        dev: Rows that are scored in training; None: none.
        loss: A name of :data:`mtl.losses.LOSSES`; empty: what fits the task.
        weight: Factor of its loss.
        balanced: Whether rare classes weigh more, N / (C · count).
        penalty: A name of :data:`mtl.losses.PENALTIES` on its head's matrices; empty: none.
        penalty_weight: Factor of the penalty.
        extra: A loss on the two vectors of each pair beside that of the head: the cosine toward the
            target, or contrast of each positive pair with the others of its micro-batch; empty:
            none.
        extra_weight: Factor of the extra loss.
    """

    train: TokenizedCorpus
    dev: TokenizedCorpus | None = None
    unlabeled_rows: int = 0
    loss: str = ""
    weight: float = 1.0
    balanced: bool = False
    penalty: str = ""
    penalty_weight: float = 0.05
    extra: Extra = ""
    extra_weight: float = 1.0

    @property
    def contrasts(self) -> bool:
        """Whether the extra loss needs other pairs in a pair's micro-batch."""
        return self.extra in ("multiple_negatives_ranking", "triplet")


@dataclass(frozen=True, kw_only=True, slots=True)
class SmartSettings:
    """SMART, see :mod:`mtl.regularizers`; off by default, and then as the paper has it.

    Args:
        weight: Factor λ of the smoothness; 0: without it.
        ascent: How the worst perturbation is sought.
        proximal: Factor μ of the distance to the averaged parameters; 0: without it.
        momentum: How long the average is.
        early_momentum: The same in the first tenth of the updates.
        tasks: Names of those that it is for; empty: all.

    Raises:
        InputError: A value is out of range.
    """

    weight: float = 0.0
    ascent: Ascent = field(default_factory=Ascent)
    proximal: float = 0.0
    momentum: float = 0.999
    early_momentum: float = 0.99
    tasks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("weight", "proximal"):
            if getattr(self, name) < 0:
                raise InputError(f"smart.{name}: {getattr(self, name)}; use 0 or more")
        for name in ("momentum", "early_momentum"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"smart.{name}: {getattr(self, name)}; use 0 to below 1")

    @property
    def on(self) -> bool:
        """Whether any of its terms counts."""
        return self.weight > 0 or self.proximal > 0

    def of(self, task: str) -> "SmartSettings":
        """Return what holds for one task."""
        return self if not self.tasks or task in self.tasks else SmartSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class LoopSettings:
    """The loop: what is updated by what, how often, how fast.

    Args:
        epochs: Passes, as the order of tasks counts them.
        updates_per_epoch: Updates of an epoch where it is to be shorter; 0: all.
        batch_size: Rows of each task in an update, over all processes.
        accumulation: Micro-batches that a batch is computed in.
        order: A name of :data:`mtl.schedules.KINDS`.
        pairs: Pairs of tasks, for the order ``pairs``.
        surgery: ``sum`` (tasks weigh by their data's ``weight``), ``pcgrad``, ``gradvac`` or
            ``torchjd:NAME``; it acts on turns of several tasks.
        encoder_rate: Largest learning rate of the encoder.
        head_rate: Largest learning rate of everything else.
        weight_decay: AdamW decay of matrices.
        course: Course of the learning rates after the warm-up.
        warmup_share: Share of the updates that warm up.
        clip: Largest norm of the gradient; 0: no clipping.
        evaluate_every: Updates between two evaluations; 0: at the end of each epoch.
        checkpoint_every: Updates between two checkpoints besides those at evaluations; 0: only
            those.
        seed: Seed of orders, surgery and dropout.
        precision: Autocast: ``no``, ``bf16``, ``fp16`` (on GPUs) or ``auto`` (never
            fp16); SMART takes ``no``.
        smart: Smoothness and proximal point.
    """

    epochs: int = 1
    updates_per_epoch: int = 0
    batch_size: int = 16
    accumulation: int = 1
    order: str = "interleaved"
    pairs: tuple[tuple[str, str], ...] = ()
    surgery: str = "sum"
    encoder_rate: float = 5e-5
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    course: Course = "linear"
    warmup_share: float = 0.1
    clip: float = 0.0
    evaluate_every: int = 0
    checkpoint_every: int = 0
    seed: int = 0
    precision: Precision = "auto"
    smart: SmartSettings = field(default_factory=SmartSettings)


def check_data(
    tasks: Mapping[str, Task], data: Mapping[str, TaskData], settings: LoopSettings
) -> None:
    """Refuse data and settings that would fail only later.

    Raises:
        InputError: It names the task or setting.
    """
    if data.keys() != tasks.keys():
        raise InputError(f"tasks: data for {', '.join(data)}, model for {', '.join(tasks)}")
    for name, task in data.items():
        for part in (task.train, task.dev):
            if part is not None and not (part.corpus.labels >= 0).any():
                raise InputError(f"task {name!r}: {part.corpus.source} has no labelled row")
        check_choice(f"task {name!r}: extra", task.extra, Extra)
    unknown = set(settings.smart.tasks) - tasks.keys()
    if unknown:
        raise InputError(f"smart.tasks: {unknown.pop()} is none of {', '.join(tasks)}")
