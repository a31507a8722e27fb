"""What a run computes on: processes, device, arithmetic, and the randomness of an update."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs, broadcast
from torch import Tensor, nn

from mtl.bert.embed import resolve_precision
from mtl.choices import check_choice
from mtl.errors import InputError

Precision = Literal["auto", "no", "bf16", "fp16"]
"""As accelerate names them; ``auto`` is bf16 where the processor has it, and never fp16."""

_DTYPES = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def join_processes() -> Accelerator:
    """Return this process's place among those that torchrun started, and its device.

    Arithmetic is :func:`autocast`'s: accelerate keeps its own for as long as the process lives.
    """
    # The others wait while the main one scores dev, longer than the usual 10 or 30 minutes.
    patience = InitProcessGroupKwargs(timeout=timedelta(hours=24))
    # Accelerators other than CUDA lack float64, and the random streams that updates put aside.
    # Without being told, accelerate takes several processes on CPUs for one each.
    return Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[patience])


@atexit.register
def leave_processes() -> None:
    """Leave the group, where there is one: a thread of it that is left over aborts the process.

    Python calls this at its end, and not a run at its own, for the next run joins the same group.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@torch.no_grad()
def share_weights(module: nn.Module) -> None:
    """Give every process the weights of the main one: heads start at random."""
    for value in module.state_dict().values():
        broadcast(value)


def average(accelerator: Accelerator, value: Tensor) -> Tensor:
    """Average a tensor over processes."""
    if accelerator.num_processes == 1:
        return value
    averaged: Tensor = accelerator.reduce(value, reduction="mean")
    return averaged


def check_parts(name: str, batch_size: int, parts: int, *, least: int = 1) -> None:
    """Refuse a batch that leaves a part of it, a process's or a micro-batch, too few rows.

    Raises:
        InputError: The batch is too small.
    """
    if batch_size < least * parts:
        raise InputError(
            f"{name}.batch_size: {batch_size} leaves less than {least} for each of {parts} parts "
            f"(processes, micro-batches); use at least {least * parts}"
        )


def choose_precision(precision: str, device: torch.device, *, exact: bool = False) -> str:
    """Turn ``auto`` into what the device has, and refuse what it has not.

    Args:
        precision: A name of :data:`Precision`.
        device: What computes.
        exact: Whether perturbations are measured that 16 bits would round away.

    Raises:
        InputError: The precision is unknown, or does not fit.
    """
    check_choice("multitask.precision", precision, Precision)
    if exact and precision not in ("auto", "no"):
        raise InputError(
            f"multitask.precision: {precision} rounds SMART's perturbations away; use no, or auto"
        )
    if precision == "fp16" and device.type == "cpu":
        raise InputError("multitask.precision: fp16 needs a GPU; use auto, bf16 or no")
    if precision != "auto":
        return precision
    fast = not exact and resolve_precision("auto", device) == "bfloat16"
    return "bf16" if fast else "no"


def autocast(precision: str, device: torch.device) -> torch.autocast:
    """Open the context of the forward passes in a precision that was chosen."""
    return torch.autocast(device.type, _DTYPES[precision], enabled=precision != "no")


@contextmanager
def update_stream(device: torch.device, *key: int) -> Iterator[None]:
    """Let dropout draw from a stream of this update's own, so that nothing of it is to be saved.

    Args:
        device: Where dropout draws.
        key: Names the stream: the run's seed, the update's number and the like.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
        yield
