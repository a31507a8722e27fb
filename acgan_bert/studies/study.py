"""Begin a study, go on with it, and make its table and figures."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from acgan_bert.devices import chosen_device
from acgan_bert.environment import describe_environment
from acgan_bert.multitask_settings import read_task, task_recipes
from acgan_bert.recipe import Recipe, TaskRecipe
from acgan_bert.recipe_data import DataRecipe
from acgan_bert.rundir import check_sources, claimed, logged, read_json, refuse_occupied
from acgan_bert.studies.bench import Bench
from acgan_bert.studies.engine import run_here, run_processes
from acgan_bert.studies.folder import ENVIRONMENT, STUDY, TABLE, Study, write_study
from acgan_bert.studies.grid import Grid, cell, check_grid, rows_of
from acgan_bert.studies.packing import pack_rows
from acgan_bert.studies.rows import Row, one_task, trains_alone
from acgan_bert.studies.schedule import Schedule, Standing, Watch
from acgan_bert.transfer import checked_start
from acgan_bert.vectors import embed_parts
from analysis.study_report import write_study as write_report
from mtl.choices import check_choice
from mtl.errors import InputError

Engine = Literal["processes", "ray"]
LEAST_SECONDS = 10.0
"""Between two tables written while a study trains."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What trains a study; none of it changes a number, but for the threads.

    Args:
        engine: Processes of this machine, or Ray.
        workers: Packs in training at a time; 0: one for each core, or what the cluster has.
        threads: Of each worker, where the study is new.
        ray_address: Of a cluster; empty for one that is started here.
    """

    engine: Engine = "processes"
    workers: int = 0
    threads: int = 1
    ray_address: str = ""


def start(
    grid: Grid,
    out: Path,
    *,
    means: Means,
    watch: Watch,
    command: Sequence[str] = (),
    yes: bool = False,
) -> Study:
    """Train a grid; where its folder holds a part of it already, what is missing.

    Args:
        grid: What to train.
        out: Folder of the study; made where it does not exist.
        means: Engine and workers.
        watch: Told how far it is.
        command: The command line, for the record.
        yes: Whether more than 100,000 rows are meant.

    Raises:
        InputError: Anything the user gave is wrong; nothing is left in ``out``.
    """
    check_grid(grid, yes=yes)
    before = _found(grid, out)
    check_means(means)
    bench = Bench()
    rows = list(rows_of(grid, bench.size))
    if not rows:
        raise InputError("the grid is empty; give its axes at least one value each")
    kept = _kept(before, rows, out)
    recipes = {row.id: row.resolved(grid.recipes) for row in rows}
    fresh = [(row, recipes[row.id]) for row in rows if row.id not in kept]
    packs = [*(before.packs if before else ()), *pack_rows(fresh, bench.size)]
    hashes = _sources(recipes.values(), bench)
    _check_devices(recipes.values(), means)
    environment = describe_environment(
        bench.encoder(next(iter(recipes.values()))),
        hashes=hashes,
        command=command,
        seed=next(iter(grid.recipes.values())).seed,
    )
    with claimed(out):
        now = _found(grid, out)
        known = (now and now.packs) == (before and before.packs)
        if known:
            if before is not None:
                check_sources(out, _known(hashes, before))
            threads = before.threads if before else means.threads
            study = write_study(
                out, grid, rows=rows, packs=packs, threads=threads, environment=environment
            )
    if not known:  # another process came first: its rows and packs stay
        return start(grid, out, means=means, watch=watch, command=command, yes=yes)
    return _finish(study, bench, means, watch)


def resume(folder: Path, *, means: Means, watch: Watch) -> Study:
    """Train the rows of a study that have no numbers yet, and make its table again.

    Raises:
        InputError: This is no study, or its data changed.
    """
    study, bench = Study.read(folder), Bench()
    check_means(means)
    left = [study.recipe_of(row) for row in study.rows if not study.done(row)]
    _check_devices(left, means)
    if left:
        check_sources(folder, _known(_sources(left, bench), study))
    return _finish(study, bench, means, watch)


def check_means(means: Means) -> None:
    """Check engine, workers and address before anything is written.

    Raises:
        InputError: A number is out of range, Ray is not installed, or nobody answers.
    """
    check_choice("--engine", means.engine, Engine)
    for name, value, least in (("workers", means.workers, 0), ("threads", means.threads, 1)):
        if value < least:
            raise InputError(f"--{name}: found {value}, expected {least} or more")
    if means.engine == "ray":
        from acgan_bert.studies.ray_engine import check_ray

        check_ray(means.ray_address)
    elif means.ray_address:
        raise InputError("--ray_address: needs --engine ray; add it, or leave the address out")


def _check_devices(recipes: Iterable[Recipe], means: Means) -> None:
    """Refuse a GPU that is not here; of a cluster its tasks will know."""
    if means.engine == "processes":
        for device in sorted({recipe.training.device for recipe in recipes}):
            chosen_device(device)


def _finish(study: Study, bench: Bench, means: Means, watch: Watch) -> Study:
    """Train what is missing, then write the tables, and the figures where they can be drawn."""
    with logged(study.folder):
        schedule = Schedule(study, _writing(study, watch))
        schedule.tell()
        try:
            if not schedule.over:
                _embed(study, bench)
                _train(study, schedule, bench, means)
        finally:
            study.write_tables()
        study.tidy()
        _draw(study)
    return study


def _writing(study: Study, watch: Watch) -> Watch:
    """Return a watch that also keeps the tables up to date, as long as that costs next to nothing.

    All rows are read for it: in a large study that takes its time, and is done the less often.
    """
    due = time.monotonic() + LEAST_SECONDS

    def told(standing: Standing) -> None:
        nonlocal due
        watch(standing)
        started = time.monotonic()
        if started >= due:
            study.write_tables()
            took = time.monotonic() - started
            due = time.monotonic() + max(LEAST_SECONDS, 50 * took)

    return told


def _train(study: Study, schedule: Schedule, bench: Bench, means: Means) -> None:
    if means.engine == "ray":
        from acgan_bert.studies.ray_engine import run_ray

        run_ray(study, schedule, address=means.ray_address, workers=means.workers)
        return
    workers = means.workers or max(1, (os.cpu_count() or 1) // study.threads)
    left = sum(bool(study.missing(pack)) for pack in study.packs)
    if min(workers, left) == 1:
        run_here(study, schedule, bench)
    else:
        run_processes(study, schedule, workers=min(workers, left))


def _draw(study: Study) -> None:
    if any(study.done(row) for row in study.rows):
        write_report(study.folder)


def _embed(study: Study, bench: Bench) -> None:
    """Fill the cache that all workers read, once for all of them."""
    left = [
        recipe
        for name, row in study.rows.items()
        if not study.done(name)
        and (not trains_alone(recipe := study.recipe_of(name)) or row.baseline)
    ]
    distinct = {
        (recipe.data.train, recipe.data.dev, recipe.data.test, recipe.encoder): recipe
        for recipe in left
    }
    for recipe in distinct.values():
        embed_parts(bench.parts(recipe), bench.encoder(recipe), recipe.encoder)


def _sources(recipes: Iterable[Recipe], bench: Bench) -> dict[str, dict[str, str]]:
    """Read every source and draw once, so that a mistake shows before anything is written.

    Returns:
        Source and SHA-256 by part and source; of several tasks, the part has the task's name ahead.
        What training begins at counts as a part.
    """
    whole: dict[DataRecipe, Recipe] = {}
    tasks: dict[tuple[str, DataRecipe], tuple[TaskRecipe, int]] = {}
    begun: dict[tuple[object, ...], Recipe] = {}
    for recipe in recipes:
        if start := recipe.training.start_from:
            sizes = (recipe.generator, recipe.discriminator)
            begun[start, recipe.data.train, recipe.encoder, *sizes] = recipe
        if one_task(recipe):
            whole[recipe.data] = recipe
        for name, task in task_recipes(recipe).items():
            data = DataRecipe(**{own.name: getattr(task, own.name) for own in fields(DataRecipe)})
            tasks[name, data] = (task, recipe.seed)
    read = [("", bench.parts(recipe)) for recipe in whole.values()]
    read += [
        (f"{name}.", read_task(name, task, seed=seed)) for (name, _), (task, seed) in tasks.items()
    ]
    hashes = [(prefix, parts.hashes) for prefix, parts in read]
    for recipe in begun.values():
        origin = checked_start(recipe, bench.encoder(recipe), bench.parts(recipe).task)
        hashes += [("", origin.hashes)] if origin else []
    return {
        f"{prefix}{part} {entry['source']}": dict(entry)
        for prefix, entries in hashes
        for part, entry in entries.items()
    }


def _known(hashes: Mapping[str, Mapping[str, str]], study: Study) -> dict[str, Mapping[str, str]]:
    """Leave out sources that the study has not seen before; give the others the names it has.

    A relative path is another one where it is found from another folder.
    """
    found: dict[str, Mapping[str, str]] = {}
    for name in read_json(study.folder / ENVIRONMENT).get("data", {}):
        part, source = name.split(" ", 1)
        here = name if name in hashes else f"{part} {study.start / source}"
        if here in hashes:
            found[name] = hashes[here]
    return found


def _found(grid: Grid, out: Path) -> Study | None:
    """Look at what the folder holds."""
    refuse_occupied(out)
    if not (out / STUDY).is_file():
        if (out / TABLE).exists():
            raise InputError(
                f"{out / TABLE}: a table of something else ({STUDY} is missing); choose another "
                "--out"
            )
        return None
    study = Study.read(out)
    if study.definition["kind"] != grid.kind:
        raise InputError(
            f"{out}: holds a study of kind {study.definition['kind']}, not {grid.kind}; choose "
            "another --out"
        )
    return study


def _kept(before: Study | None, rows: Sequence[Row], out: Path) -> set[str]:
    """Return the rows that the folder has already; all of them must be rows of this study too."""
    if before is None:
        return set()
    new = {row.id for row in rows}
    for row in before.rows.values():
        if row.id not in new:
            place = [f"{key} {cell(level)}" for key, level in row.axes.items()]
            where = ", ".join([*place, f"seed {row.seed}"])
            raise InputError(
                f"{out}: holds another study: its row at {where} is not of this recipe and grid; "
                f"choose another --out, or go on with it as it is: acgan-bert resume {out}"
            )
    return set(before.rows)
