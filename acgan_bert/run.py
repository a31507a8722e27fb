"""One recipe to one run directory; what is done in between is its job's, GAN or multitask BERT.

Nothing is written before all input has been read and checked. The recipe is written last of what
:func:`resume` needs, so that a directory that holds a recipe can always be continued.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch

from acgan_bert.devices import chosen_device
from acgan_bert.draw import draw
from acgan_bert.encoding import check_same_encoder
from acgan_bert.environment import describe_environment
from acgan_bert.gan_run import GANJob
from acgan_bert.inference import Embedded, Samples, embed, predict, sample
from acgan_bert.multitask_run import MultitaskJob
from acgan_bert.multitask_settings import task_recipes
from acgan_bert.progress import Progress, Stages
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import check_recipe, dump_recipe
from acgan_bert.rundir import (
    ENVIRONMENT,
    RECIPE,
    REPORT,
    RESULT,
    SPLIT,
    check_same_recipe,
    check_sources,
    claimed,
    digest,
    logged,
    read_json,
    read_recipe,
    refuse_occupied,
)
from acgan_bert.trackers import Tracker, check_tracker, tracking
from mtl.bert.encoder import TextEncoder
from mtl.errors import InputError
from mtl.files import write_json, write_text
from mtl.machine import join_processes
from mtl.processes import is_main, process_count

__all__ = ["Embedded", "Progress", "Samples", "embed", "predict", "resume", "sample", "train"]

logger = logging.getLogger(__name__)


class Job(Protocol):
    """What a run works on, read and checked."""

    @property
    def encoder(self) -> TextEncoder:
        """The encoder as it was opened."""
        ...

    @property
    def hashes(self) -> Mapping[str, Mapping[str, str]]:
        """Source and SHA-256 of each part of the data."""
        ...

    def split_json(self) -> dict[str, Any]:
        """Give the ids of the rows of each part."""
        ...

    def work(self, out: Path, stages: Stages, tracker: Tracker | None) -> None:
        """Do everything that follows reading, but for the pictures; the result is written last."""
        ...


def train(
    recipe: Recipe, out: Path, *, command: Sequence[str] = (), progress: Progress | None = None
) -> Path:
    """Train, compare, measure and draw one recipe.

    Of several processes (torchrun), the first writes and draws; the others help to train.

    Args:
        recipe: What to do.
        out: Directory of the run; made where it does not exist.
        command: The command line, for the record.
        progress: Who is told how far it is.

    Returns:
        ``out``.

    Raises:
        InputError: Anything the user gave is wrong; nothing is left in ``out``.
        DivergenceError: Training diverged.
    """
    check_recipe(recipe)
    if is_main():
        refuse_occupied(out)
    stages = Stages(progress)
    job = _read(recipe, stages)
    environment = describe_environment(
        job.encoder, hashes=job.hashes, command=command, seed=recipe.seed
    )
    with _ours(out):
        if is_main():
            # Again, now that nobody else can write: another process may have come first.
            refuse_occupied(out)
            text = dump_recipe(recipe)
            device = _training_device(job.encoder, recipe)
            environment |= {"recipe": digest(text), "training_device": str(device)}
            write_json(out / ENVIRONMENT, environment)
            write_json(out / SPLIT, job.split_json())
            write_text(out / RECIPE, text)
        _work(job, recipe, out, stages)
    return out


def resume(run: Path, *, progress: Progress | None = None) -> Path:
    """Continue an interrupted run from its checkpoint, or from the start where it has none.

    A finished run stays as it is; one that lacks its report alone is drawn again.

    Args:
        run: Its directory.
        progress: Who is told how far it is.

    Returns:
        ``run``.

    Raises:
        InputError: This is no run, another process writes it, or its data or encoder changed.
    """
    recipe = read_recipe(run)
    stages = Stages(progress)
    if (run / RESULT).is_file():
        if not recipe.report.figures or (run / REPORT).is_file():
            logger.warning("%s: the run is finished; there is nothing to do", run)
        elif is_main():
            with claimed(run), logged(run), stages("draw"):
                draw(run, seed=recipe.seed)
        return run
    check_same_recipe(run)
    job = _read(recipe, stages)
    check_sources(run, job.hashes)
    if job.split_json() != read_json(run / SPLIT):
        raise InputError(
            f"{run / SPLIT}: other rows are drawn now; a library changed, so train again with "
            "another --out"
        )
    fingerprint = read_json(run / ENVIRONMENT)["encoder"]["fingerprint"]
    check_same_encoder(job.encoder, fingerprint, where=run)
    with _ours(run):
        _work(job, recipe, run, stages)
    return run


def _read(recipe: Recipe, stages: Stages) -> Job:
    if recipe.gan and process_count() > 1:
        raise InputError(
            f"{process_count()} processes: the GAN trains in one; start acgan-bert without torchrun"
        )
    check_tracker(recipe.training.log_with)
    chosen_device(recipe.training.device)
    with stages("read"):
        return MultitaskJob.read(recipe) if task_recipes(recipe) else GANJob.read(recipe)


def _training_device(encoder: TextEncoder, recipe: Recipe) -> torch.device:
    """Say where is trained: beside an encoder that moves, where it is."""
    if task_recipes(recipe) or recipe.encoder.mode != "frozen":
        return encoder.device
    return chosen_device(recipe.training.device)


@contextmanager
def _ours(out: Path) -> Iterator[None]:
    """Hold the directory and its log, in the process that writes."""
    if not is_main():
        yield
        return
    with claimed(out), logged(out):
        yield


def _work(job: Job, recipe: Recipe, out: Path, stages: Stages) -> None:
    if process_count() > 1:
        join_processes()  # all of them, before the tracker of one asks which process it is in
    with tracking(recipe, out) if is_main() else nullcontext() as tracker:
        job.work(out, stages, tracker)
    if recipe.report.figures and is_main():
        with stages("draw"):
            draw(out, seed=recipe.seed)
