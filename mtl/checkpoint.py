"""Checkpoints: everything that resume needs, whole or absent, checksummed, newest first.

Each lies in a directory of its own, ``step-00000100``, renamed into place once complete; older ones
go only then. Whenever the process dies, the newest that is whole is the one to go on from.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from mtl.errors import InputError
from mtl.files import damage, directory_write

logger = logging.getLogger(__name__)

STATE = "state.safetensors"


def write_checkpoint(directory: Path, state: dict[str, Tensor], *, step: int) -> None:
    """Write a state and remove older ones."""
    target = directory / f"step-{step:08d}"
    with directory_write(target) as temporary:
        save_file({key: value.contiguous() for key, value in state.items()}, temporary / STATE)
    for path in directory.iterdir():
        if path != target and path.name.lstrip(".").startswith("step-"):
            shutil.rmtree(path, ignore_errors=True)


def read_latest(directory: Path) -> dict[str, Tensor] | None:
    """Return the newest whole state, or None; a damaged one is said and passed over."""
    for path in sorted(directory.glob("step-*"), reverse=True):
        if problem := damage(path):
            logger.warning("%s: damaged checkpoint (%s); looking for an older one", path, problem)
            continue
        return load_file(path / STATE)
    return None


def named(prefix: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix before each name, so that several parts share a checkpoint."""
    return {f"{prefix}{name}": value for name, value in state.items()}


def part_of(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return what :func:`named` put in, under the names that it had."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


@contextmanager
def of_this_recipe() -> Iterator[None]:
    """Say what it means where a state lacks something, or has another shape.

    Raises:
        InputError: Something inside did not find what it looked for.
    """
    try:
        yield
    except (KeyError, RuntimeError) as error:
        lines = str(error).splitlines()
        missing = (
            f"no {lines[0]}" if isinstance(error, KeyError) else (lines[1:] or lines)[0].strip()
        )
        raise InputError(
            f"the checkpoint is of another recipe ({missing}); restore the recipe, or train again"
        ) from error
