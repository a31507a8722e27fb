"""Where the work is done: this process's GPU, or the CPU."""

from collections.abc import Mapping

import torch
from torch import Tensor

from acgan_bert.gan.streams import MemberStreams
from mtl.errors import InputError
from mtl.processes import local_rank

CPU = torch.device("cpu")


def best_device() -> torch.device:
    """Return this process's GPU, where there is none the CPU."""
    return torch.device("cuda", local_rank()) if torch.cuda.is_available() else CPU


def chosen_device(name: str) -> torch.device:
    """Return the device of ``training.device``: ``cpu``, ``cuda``, or ``auto`` for the best.

    Raises:
        InputError: A GPU is asked for, and torch sees none.
    """
    device = CPU if name == "cpu" else best_device()
    if name == "cuda" and device.type != "cuda":
        raise InputError("training.device: cuda, but torch sees no GPU; use cpu or auto")
    return device


def resume_streams(streams: MemberStreams, state: Mapping[str, Tensor]) -> None:
    """Put random streams where a checkpoint has them.

    Raises:
        InputError: They are of another kind of device.
    """
    try:
        streams.load_state(dict(state))
    except ValueError as error:
        raise InputError(str(error)) from error
