"""Parameter groups, and the course of the learning rate."""

from collections.abc import Iterable
from typing import Literal, get_args

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_scheduler

from mtl.errors import InputError

Course = Literal["constant", "linear", "cosine"]


def parameter_groups(
    encoder: Iterable[tuple[str, nn.Parameter]],
    rest: Iterable[tuple[str, nn.Parameter]],
    *,
    encoder_rate: float,
    rest_rate: float,
    weight_decay: float,
) -> list[dict[str, object]]:
    """Sort trained parameters by learning rate and decay; biases and norms never decay.

    Args:
        encoder: Names and parameters of the pretrained encoder.
        rest: Of everything that starts from nothing: heads, shared block, adapters.
        encoder_rate: Learning rate of the first.
        rest_rate: Learning rate of the others.
        weight_decay: AdamW decay of matrices (Devlin et al. 2019, appendix A.2).

    Returns:
        Groups for ``torch.optim.AdamW``, empty ones left out.
    """
    groups = []
    for named, rate in ((encoder, encoder_rate), (rest, rest_rate)):
        trained = [parameter for _, parameter in named if parameter.requires_grad]
        for decays in (True, False):
            # Biases and the weights of norms are vectors; nothing else is.
            chosen = [parameter for parameter in trained if (parameter.ndim > 1) == decays]
            if chosen:
                decay = weight_decay if decays else 0.0
                groups.append({"params": chosen, "lr": rate, "weight_decay": decay})
    return groups


def course_of(
    optimizer: torch.optim.Optimizer, course: Course, *, warmup_share: float, updates: int
) -> LambdaLR:
    """Let the learning rates rise linearly from 0 over the warm-up, then follow their course.

    Args:
        optimizer: Its learning rates are those of the top.
        course: ``constant``, ``linear`` (down to 0 at the end) or ``cosine`` (likewise).
        warmup_share: Share of the updates that warm up, in [0, 1].
        updates: Updates in all.

    Raises:
        InputError: The course is unknown.
    """
    if course not in get_args(Course):
        raise InputError(
            f"training.course: {course!r} is unknown; use {', '.join(get_args(Course))}"
        )
    name = "constant_with_warmup" if course == "constant" else course
    warmup = round(warmup_share * updates)
    return get_scheduler(
        name, optimizer, num_warmup_steps=warmup, num_training_steps=max(1, updates)
    )
