"""A run directory: its layout, its lock, its log, and reading back what an earlier run wrote.

One process writes at a time. The lock is the kernel's (``flock``), so that it never outlives its
holder; the file only says who that is.
"""

import fcntl
import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, load_recipe
from acgan_bert.recipe_kinds import TASKS, value_at
from acgan_bert.trackers import Tracker
from mtl.errors import InputError
from mtl.files import write_text

RECIPE, ENVIRONMENT, SPLIT = "recipe.yaml", "env.json", "split.json"
METRICS, RESULT, LOG, REPORT = "metrics.jsonl", "result.json", "log.txt", "report.html"
CONFLICTS, CONTRASTIVE = "conflicts.jsonl", "contrastive.jsonl"
ADAPTATION = "adaptation.jsonl"
MODEL, CHECKPOINT, EMBEDDINGS, FIGURES = "model", "checkpoint", "embeddings", "figures"
SERIES = "series"
LOCK = ".lock"

_LOGGERS = ("acgan_bert", "mtl", "analysis")


def refuse_occupied(out: Path) -> None:
    """Check that a new run may be written here.

    Raises:
        InputError: There is a run already, or something that is no directory.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: this is a file; choose another --out")
    if any((out / name).exists() for name in (RECIPE, RESULT)):
        raise InputError(
            f"{out}: already holds a run; continue it with: acgan-bert resume {out}, or choose "
            "another --out"
        )


@contextmanager
def claimed(out: Path) -> Iterator[None]:
    """Make a directory where needed and hold its lock.

    What the block created is removed again when a mistake of the user's or a full disk ends it
    before there is a checkpoint to go on from.

    Raises:
        InputError: Another process writes here.
    """
    missing = [path for path in (out, *out.parents) if not path.exists()]
    out.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in out.iterdir()} - {LOCK}
    with _locked(out):
        try:
            yield
        except (InputError, OSError):
            if not any(out.rglob(CHECKPOINT)):  # its own, or that of a run within
                _remove_new(out, before, missing)
            raise


def _remove_new(out: Path, before: set[str], missing: list[Path]) -> None:
    for path in out.iterdir():
        if path.name not in before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in missing:
        # Somebody may have put something beside ours meanwhile; then the folder stays.
        with suppress(OSError):
            path.rmdir()


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    path = out / LOCK
    descriptor = _acquire(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        # Unlinked before it is unlocked, so that whoever locks next finds a file of its own.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path) -> int:
    """Open and lock the file; again where its last holder unlinked it in between."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise InputError(
                f"{path.parent}: being written by process {holder or '?'}; wait for it, or choose "
                "another --out"
            ) from None
        if path.exists() and path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
        os.close(descriptor)


@contextmanager
def logged(out: Path) -> Iterator[None]:
    """Append what our loggers say, from INFO up, to the run's log while the block lasts."""
    handler = logging.FileHandler(out / LOG, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
        handler.close()


class StepLog:
    """Appends records, each with its step, to a file of JSON lines that an interrupted run left.

    The first step told is where training went on; older records from there on are dropped, so that
    every step appears once.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._resumed = path.exists()
        self._old = read_metrics(path) if self._resumed else []

    def append(self, step: int, records: Iterable[Mapping[str, Any]]) -> None:
        """Write the records of one step; a value that is not finite becomes null."""
        if self._resumed:
            kept = [old for old in self._old if old["step"] < step]
            lines = (json.dumps(old, ensure_ascii=False) + "\n" for old in kept)
            write_text(self.path, "".join(lines))
            self._resumed, self._old = False, []
        with self.path.open("a", encoding="utf-8") as stream:
            for record in records:
                line = {"step": step} | {key: _finite(value) for key, value in record.items()}
                stream.write(json.dumps(line, allow_nan=False, ensure_ascii=False) + "\n")


class MetricsLog(StepLog):
    """The log of training: each record with the seconds that training took.

    Seconds go on from the last record that is kept.

    Args:
        path: The file.
        tracker: Is given every record too.
    """

    def __init__(self, path: Path, *, tracker: Tracker | None = None) -> None:
        super().__init__(path)
        self._tracker = tracker
        self._offset = _last_second(self._old)
        self._start = time.monotonic()

    def __call__(self, record: Mapping[str, Any]) -> None:
        """Write one record, which has its ``step``."""
        step = int(record["step"])
        if self._resumed:
            self._offset = _last_second([old for old in self._old if old["step"] < step])
        seconds = {"seconds": round(self.seconds(), 3)}
        self.append(step, [seconds | {k: v for k, v in record.items() if k not in seconds}])
        if self._tracker is not None:
            self._tracker(record)

    def seconds(self) -> float:
        """Return how long training has taken, without the time between two sessions."""
        return self._offset + time.monotonic() - self._start


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Read the records of metrics.jsonl; what follows a torn line does not count."""
    records = []
    for line in path.read_text("utf-8").split("\n"):
        if not line:
            continue
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return records


def read_recipe(run: Path) -> Recipe:
    """Read the recipe of a run, its relative paths taken from where the run was started.

    Raises:
        InputError: This is no run, or its recipe is damaged.
    """
    if not (run / RECIPE).is_file():
        raise InputError(
            f"{run}: not a run ({RECIPE} is missing); give a directory that acgan-bert train wrote"
        )
    recipe = load_recipe(str(run / RECIPE))
    return located(recipe, Path(str(read_json(run / ENVIRONMENT).get("directory", ""))))


def located(recipe: Recipe, start: Path) -> Recipe:
    """Take the relative paths of a recipe from a folder, where they are not found from here."""
    sources = [f"{part}.{name}" for part in ("data", *TASKS) for name in ("train", "dev", "test")]
    keys = (*sources, "encoder.name", "training.start_from")
    return apply(recipe, {key: _located(value_at(recipe, key), start) for key in keys})


def digest(text: str) -> str:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def check_same_recipe(run: Path) -> None:
    """Check that the recipe is the one that the run was started with.

    Raises:
        InputError: It was edited.
    """
    before = read_json(run / ENVIRONMENT).get("recipe")
    if before not in (None, digest((run / RECIPE).read_text("utf-8"))):
        raise InputError(
            f"{run / RECIPE}: edited since the run was started; restore it, or train by it with "
            "another --out"
        )


def check_sources(run: Path, hashes: Mapping[str, Mapping[str, str]]) -> None:
    """Check that the data is what it was when the run began.

    Args:
        run: Directory of the run.
        hashes: By part, the source and its SHA-256 now.

    Raises:
        InputError: A source has changed.
    """
    before = read_json(run / ENVIRONMENT).get("data", {})
    for part, entry in hashes.items():
        if before.get(part, {}).get("sha256") != entry["sha256"]:
            raise InputError(
                f"{entry['source']}: changed since {run} was started; restore it, or train again "
                "with another --out"
            )


def _located(name: str, start: Path) -> str:
    """Find a relative path where the run was started, if it is not here."""
    moved = start / name
    return str(moved) if name and not Path(name).exists() and moved.exists() else name


def read_json(path: Path) -> Any:  # noqa: ANN401 (whatever JSON can hold)
    """Read a JSON file of a run.

    Raises:
        InputError: It is missing or damaged.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: missing; give a directory that acgan-bert train wrote") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: damaged ({error}); train again") from error


def _last_second(records: list[dict[str, Any]]) -> float:
    return float(records[-1]["seconds"]) if records else 0.0


def _finite(value: Any) -> Any:  # noqa: ANN401 (whatever JSON can hold)
    return None if isinstance(value, float) and not math.isfinite(value) else value
