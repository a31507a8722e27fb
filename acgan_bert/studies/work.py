"""Train a pack of rows: many GANs as one program, baselines on the same rows, or one run.

A row that fails takes no other with it: what a pack cannot do together, its rows do one by one.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from acgan_bert import run
from acgan_bert.judge import read_reference
from acgan_bert.member import Member
from acgan_bert.model import GANModel
from acgan_bert.progress import Progress
from acgan_bert.recipe import Recipe
from acgan_bert.row_checks import check_labels, check_vectors
from acgan_bert.rundir import EMBEDDINGS, RECIPE, RESULT, StepLog, read_json, read_metrics
from acgan_bert.scores import score
from acgan_bert.studies.bench import Bench
from acgan_bert.studies.fakes import FAKES, pack_fakes
from acgan_bert.studies.members import split_model
from acgan_bert.studies.outcome import measures_of
from acgan_bert.studies.packing import Kind
from acgan_bert.studies.rows import Row, one_task
from acgan_bert.studies.sizes import player_sizes
from acgan_bert.trainer import train_members
from analysis import read_samples
from mtl.errors import InputError

logger = logging.getLogger(__name__)

Task = tuple[Row, Recipe]
"""A row and its resolved recipe."""
Outcome = tuple[str, dict[str, Any] | str]
"""A row's id and what it came to, or why it came to nothing."""
Tell = Callable[[float], None]
"""Takes the share of a pack that is done."""

CHECKPOINT, CURVE, RUN = "checkpoint", "curve.jsonl", "run"
TRAINING_SHARE = 0.9
"""Of a pack's time, for telling how far it is; the rest is measuring."""


@contextmanager
def threads_limited(threads: int) -> Iterator[None]:
    """Let torch and linear algebra use so many threads while the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        torch.set_num_threads(before)


def train_pack(
    kind: Kind,
    tasks: Sequence[Task],
    *,
    wanted: Sequence[str],
    bench: Bench,
    work: Path,
    tell: Tell,
    apart: bool = False,
) -> Iterator[Outcome]:
    """Yield what each wanted row of a pack comes to, as soon as it is known.

    Args:
        kind: Of the pack.
        tasks: All its rows, wanted or not: they are trained as if for the first time.
        wanted: Rows that have no numbers yet.
        bench: What earlier packs have left.
        work: Folder for checkpoints; training goes on from those that are there.
        tell: Takes the share that is done.
        apart: Whether to begin with its rows one by one, since they failed together before.
    """
    together = kind == "gan" and len(tasks) > 1 and not apart
    if together:
        try:
            models, seconds = _train_gans(tasks, bench, work, tell)
        except Exception as error:
            logger.warning("%d rows failed together, now one by one: %s", len(tasks), _cause(error))
        else:
            yield from _measured(tasks, models, seconds, wanted, bench, work, tell)
            return
    for place, task in enumerate(tasks):
        row = task[0].id
        if row not in wanted:
            continue
        try:
            found = _one(kind, task, bench, work / row, partial(_told, tell, place, len(tasks)))
        except Exception as error:
            logger.warning("row %s failed: %s", row, _cause(error), exc_info=True)
            yield row, _cause(error)
        else:
            yield row, found
        tell((place + 1) / len(tasks))


def _told(tell: Tell, place: int, count: int, share: float) -> None:
    tell((place + share) / count)


def _cause(error: Exception) -> str:
    told = " ".join(str(error).split())
    return told if isinstance(error, InputError) else f"{type(error).__name__}: {told}"


def _one(kind: Kind, task: Task, bench: Bench, work: Path, tell: Tell) -> dict[str, Any]:
    """Train one row by itself."""
    row, recipe = task
    if kind == "gan":
        models, seconds = _train_gans([task], bench, work, tell)
        return _measure(task, models[0], seconds, bench, _curves(work, 1)[0])
    started = time.monotonic()
    if kind == "alone":
        return _run(task, work / RUN, _Beats(tell), started)
    scores = bench.baseline(row.method, recipe)
    result = {"test": scores, "labels": bench.parts(recipe).split.counts()}
    return _found(measures_of(result, recipe, sizes=None), time.monotonic() - started)


class _Beats:
    """Hears of a run that it goes on; how far it is, its stages do not tell."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def stage(self, name: str, total: int | None) -> None:
        self._tell(0.0)

    def advance(self, done: int, total: int | None = None) -> None:
        self._tell(0.0)


def _run(task: Task, out: Path, progress: Progress, started: float) -> dict[str, Any]:
    """Train a row that can share nothing as a run of its own, from its checkpoint if it has one."""
    row, recipe = task
    out.parent.mkdir(parents=True, exist_ok=True)
    if (out / RECIPE).is_file():
        run.resume(out, progress=progress)
    else:
        run.train(recipe, out, progress=progress)
    result = read_json(out / RESULT)
    found = _found(measures_of(result, recipe, sizes=None), time.monotonic() - started)
    # Beside an encoder that is trained, other rows would have other real vectors.
    if not row.mapped or recipe.encoder.mode != "frozen" or not one_task(recipe):
        return found
    reference, fake = read_reference(out), read_samples(out / EMBEDDINGS, "fake")
    assert fake is not None  # it was just written, beside the reference
    classes = tuple(result["task"]["classes"])
    return found | {FAKES: pack_fakes(reference, fake.vectors, classes)}


def _train_gans(
    tasks: Sequence[Task], bench: Bench, work: Path, tell: Tell
) -> tuple[list[GANModel], float]:
    """Train rows as members of one ensemble; returns a model each, and each one's seconds."""
    started = time.monotonic()
    members: list[Member] = []
    groups: list[slice] = []
    for _, recipe in tasks:
        rows = bench.vectors(recipe).rows
        check_labels(rows)
        count = recipe.training.members
        groups.append(slice(len(members), len(members) + count))
        # The streams of train_gan: a row is what training its recipe alone would give.
        members += [
            Member(recipe, rows.labels, recipe.seed * 1_000_003 + place, place)
            for place in range(count)
        ]
    vectors = bench.vectors(tasks[0][1])
    check_vectors(vectors.rows.vectors)
    work.mkdir(parents=True, exist_ok=True)
    log = StepLog(work / CURVE)
    model = train_members(
        vectors.rows.vectors,
        members,
        classes=vectors.rows.classes,
        dev=vectors.held_out.get("dev"),
        record=lambda record: log.append(int(record["step"]), [record]),
        checkpoint=work / CHECKPOINT,
        progress=lambda step, steps: tell(TRAINING_SHARE * step / steps),
        groups=groups,
    )
    return split_model(model, groups), (time.monotonic() - started) / len(tasks)


def _measured(
    tasks: Sequence[Task],
    models: Sequence[GANModel],
    seconds: float,
    wanted: Sequence[str],
    bench: Bench,
    work: Path,
    tell: Tell,
) -> Iterator[Outcome]:
    """Yield the measures of rows that were trained together."""
    curves = _curves(work, len(tasks))
    for place, task in enumerate(tasks):
        if task[0].id in wanted:
            try:
                found = _measure(task, models[place], seconds, bench, curves[place])
            except Exception as error:
                logger.warning("row %s failed: %s", task[0].id, _cause(error), exc_info=True)
                yield task[0].id, _cause(error)
            else:
                yield task[0].id, found
        tell(TRAINING_SHARE + (1 - TRAINING_SHARE) * (place + 1) / len(tasks))


def _measure(
    task: Task, model: GANModel, seconds: float, bench: Bench, curve: list[dict[str, Any]]
) -> dict[str, Any]:
    """Score a trained row, its baselines and its generator, as a run of its own would."""
    recipe, started = task[1], time.monotonic()
    parts, held_out = bench.parts(recipe), bench.vectors(recipe).held_out
    if "dev" in held_out:
        model.calibrate(held_out["dev"].vectors, held_out["dev"].labels)
    result: dict[str, Any] = {
        part: score(
            model.predict_proba(held_out[part].vectors), corpus, temperature=model.temperature
        )
        for part, corpus in parts.held_out().items()
    }
    names = recipe.report.baselines if held_out else ()
    result["baselines"] = {name: bench.baseline(name, recipe) for name in names}
    generators = bench.generators(recipe)
    reference = generators.reference
    fake = model.sample(reference.labels, seed=recipe.seed)
    result["generator"] = generators.measure(fake)
    result["labels"] = parts.split.counts()
    sizes = player_sizes(recipe, bench.size(recipe))
    found = _found(measures_of(result, recipe, sizes=sizes), seconds + time.monotonic() - started)
    kept = {FAKES: pack_fakes(reference, fake, model.classes)} if task[0].mapped else {}
    return found | {"curve": curve} | kept


def _found(measures: dict[str, float | None], seconds: float) -> dict[str, Any]:
    return {"measures": measures, "seconds": round(seconds, 3)}


def _curves(work: Path, count: int) -> list[list[dict[str, Any]]]:
    """Return the records of training, by the place of their row."""
    found: list[list[dict[str, Any]]] = [[] for _ in range(count)]
    for record in read_metrics(work / CURVE):
        place = int(record.pop("group"))
        found[place].append({name: v for name, v in record.items() if name != "seconds"})
    return found
