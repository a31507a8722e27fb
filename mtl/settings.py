"""What multitask training is asked for: the rows and loss of each task, and the loop."""

from collections.abc import Mapping
from dataclasses import dataclass

from mtl.errors import InputError
from mtl.optim import Course
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus

CLASS_LOSSES = ("cross_entropy", "binary_cross_entropy")
PRECISIONS = ("no", "bf16")


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskData:
    """The rows of one task and what its loss is.

    Args:
        train: Labelled rows.
        dev: Rows that are scored in training; None: none.
        loss: A name of :data:`mtl.losses.LOSSES`; empty: what fits the task.
        weight: Factor of its loss.
        balanced: Whether rare classes weigh more, N / (C · count).
        penalty: A name of :data:`mtl.losses.PENALTIES` on its head's matrices; empty: none.
        penalty_weight: Factor of the penalty.
    """

    train: TokenizedCorpus
    dev: TokenizedCorpus | None = None
    loss: str = ""
    weight: float = 1.0
    balanced: bool = False
    penalty: str = ""
    penalty_weight: float = 0.05


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
        seed: Seed of orders, surgery and dropout.
        precision: ``no`` or ``bf16`` autocast, as accelerate names them.
    """

    epochs: int = 1
    updates_per_epoch: int = 0
    batch_size: int = 8
    accumulation: int = 1
    order: str = "interleaved"
    pairs: tuple[tuple[str, str], ...] = ()
    surgery: str = "sum"
    encoder_rate: float = 2e-5
    head_rate: float = 1e-3
    weight_decay: float = 0.01
    course: Course = "linear"
    warmup_share: float = 0.1
    clip: float = 1.0
    evaluate_every: int = 0
    seed: int = 0
    precision: str = "no"


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
    if settings.precision not in PRECISIONS:
        raise InputError(
            f"training.precision: {settings.precision!r} is unknown; use {', '.join(PRECISIONS)}"
        )
    if settings.surgery == "weighted":
        raise InputError("surgery weighted: give the tasks' weights with their data, and use sum")
    if settings.batch_size < settings.accumulation:
        raise InputError(
            f"training.batch_size {settings.batch_size} is less than the "
            f"{settings.accumulation} micro-batches that it is to be computed in"
        )
