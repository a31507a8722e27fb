"""Experiment trackers by name: what goes to metrics.jsonl goes to them too."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import recipe_fields
from acgan_bert.recipe_kinds import value_at
from mtl.errors import InputError

Tracker = Callable[[Mapping[str, Any]], None]
"""Takes a flat record with its ``step``."""
TRACKING = "tracking"
"""Folder of a run for trackers that write files."""


def check_tracker(name: str) -> None:
    """Check that a tracker can be used; empty is none.

    Raises:
        InputError: accelerate does not know it, or it is not installed.
    """
    if not name:
        return
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

    if name not in LOGGER_TYPE_TO_CLASS:
        known = ", ".join(sorted(LOGGER_TYPE_TO_CLASS))
        raise InputError(f"training.log_with: {name!r} is unknown; use one of {known}")
    if name not in map(str, get_available_trackers()):
        raise InputError(f"training.log_with: {name} is not installed; pip install {name}")


@contextmanager
def tracking(recipe: Recipe, out: Path) -> Iterator[Tracker | None]:
    """Open the tracker that a recipe names; yields None where it names none.

    Args:
        recipe: Its keys are stored with the run.
        out: Directory of the run, whose name the tracker is given.
    """
    name = recipe.training.log_with
    if not name:
        yield None
        return
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS

    from mtl.machine import join_processes

    join_processes()  # accelerate's trackers ask which process this is
    kind = LOGGER_TYPE_TO_CLASS[name]
    folder = {"logging_dir": str(out / TRACKING)} if kind.requires_logging_directory else {}
    values = {key: value_at(recipe, key) for key in recipe_fields()}
    plain = {k: " ".join(map(str, v)) if isinstance(v, tuple) else v for k, v in values.items()}
    try:
        tracker = kind(out.name, **folder)
        tracker.start()
        tracker.store_init_configuration(plain)
    except Exception as error:  # whatever the tracker's own library raises: no account, no network
        raise InputError(
            f"training.log_with: {name} does not start ({error}); set it up, or leave it out"
        ) from error

    def log(record: Mapping[str, Any]) -> None:
        numbers = {k: v for k, v in record.items() if isinstance(v, int | float) and k != "step"}
        tracker.log(numbers, step=record["step"])

    try:
        yield log
    finally:
        tracker.finish()
