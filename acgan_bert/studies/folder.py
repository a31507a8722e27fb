"""A study's folder: what was asked for, what is done, and the table made of it.

``study.json`` is the definition, ``recipes/`` what it begins with, ``plan.json`` rows and packs.
Each row that ends is a file under ``rows/``, or, where it could not be trained, under ``failed/``;
``maps/`` has fakes of those that are drawn;
``packs/`` holds what is being trained, each with a lock of its own, so that any number of
processes may work on one study.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import dump_recipe, load_recipe
from acgan_bert.rundir import LOCK, claimed, located, read_json
from acgan_bert.studies.fakes import FAKES, MAPS, write_fakes
from acgan_bert.studies.grid import Grid, cell
from acgan_bert.studies.packing import Pack
from acgan_bert.studies.rows import Row
from mtl.errors import InputError
from mtl.files import write_json, write_text

STUDY, PLAN, TABLE, CURVES, TIMES = (
    *("study.json", "plan.json", "table.csv", "curves.csv", "times.csv"),
)
ROWS, FAILED, PACKS, RECIPES = "rows", "failed", "packs", "recipes"
ENVIRONMENT = "env.json"
FORMAT = 1
NUMBERS = 10
"""Significant digits of the tables."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Study:
    """A study that has a folder.

    Args:
        folder: Where it is.
        definition: The content of ``study.json``.
        start: The folder that it was started in, and that relative paths of recipes begin at.
        recipes: By name.
        rows: By id, in the order of the table.
        packs: What is trained together.
        threads: Of each worker; another number would add up floats in another order.
    """

    folder: Path
    definition: Mapping[str, Any]
    start: Path
    recipes: Mapping[str, Recipe]
    rows: Mapping[str, Row]
    packs: tuple[Pack, ...]
    threads: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read what :func:`write_study` wrote.

        Raises:
            InputError: This is no study, a damaged one, or one of a newer format.
        """
        if not (folder / STUDY).is_file():
            raise InputError(f"{folder}: not a study ({STUDY} is missing)")
        definition, plan = read_json(folder / STUDY), read_json(folder / PLAN)
        if definition.get("format") != FORMAT:
            raise InputError(
                f"{folder / STUDY}: format {definition.get('format')}, this is acgan-bert for "
                f"format {FORMAT}; use the version that wrote it ({definition.get('version')})"
            )
        recipes = {
            name: load_recipe(str(folder / RECIPES / f"{name}.yaml"))
            for name in definition["recipes"]
        }
        rows = [Row.from_json(entry) for entry in plan["rows"]]
        packs = tuple(Pack.from_json(entry) for entry in plan["packs"])
        return cls(
            folder=folder,
            definition=definition,
            start=Path(str(read_json(folder / ENVIRONMENT).get("directory", ""))),
            recipes=recipes,
            rows={row.id: row for row in rows},
            packs=packs,
            threads=int(plan["threads"]),
        )

    def recipe_of(self, row: str) -> Recipe:
        """Return a row's resolved recipe, with its paths as they are found from here."""
        recipe = self.rows[row].resolved(self.recipes)
        return recipe if Path.cwd() == self.start else located(recipe, self.start)

    def done(self, row: str) -> bool:
        """Say whether a row has its numbers."""
        return self._file(ROWS, row).is_file()

    def failed(self, row: str) -> bool:
        """Say whether a row was tried in vain, and has no numbers from a later time."""
        return self._file(FAILED, row).is_file() and not self.done(row)

    def missing(self, pack: Pack) -> list[str]:
        """Return the rows of a pack that have no numbers yet."""
        return [row for row in pack.rows if not self.done(row)]

    def write_row(self, row: str, found: Mapping[str, Any]) -> None:
        """Write what a row came to, whole or not at all."""
        numbers = {name: value for name, value in found.items() if name != FAKES}
        if FAKES in found:  # first: a row that has its numbers is done
            write_fakes(self.folder, row, found[FAKES])
        write_json(self._file(ROWS, row), {"row": row, **numbers})
        self._file(FAILED, row).unlink(missing_ok=True)

    def write_failure(self, row: str, cause: str) -> None:
        """Write why a row has no numbers."""
        write_json(self._file(FAILED, row), {"row": row, "error": cause})

    def failures(self) -> dict[str, str]:
        """Return the causes by row, in the order of the table."""
        return {row: self._read(FAILED, row)["error"] for row in self.rows if self.failed(row)}

    @contextmanager
    def claim(self, pack: Pack) -> Iterator[Path | None]:
        """Hold a pack while the block lasts; yields its folder, or None where another does.

        The lock is the kernel's: that of a process that died is free.
        """
        folder = self.folder / PACKS / pack.id
        with ExitStack() as stack:
            try:
                stack.enter_context(claimed(folder))
            except (InputError, FileNotFoundError):  # held, or just removed by who was done
                yield None
                return
            yield folder

    def clear(self, pack: Pack) -> None:
        """Remove what training a finished pack has left; to be called while it is held."""
        for path in (self.folder / PACKS / pack.id).iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def tidy(self) -> None:
        """Remove the folders of packs that nothing is left of."""
        for path in (self.folder / PACKS).iterdir():
            with suppress(OSError):  # what a failed row left is worth a look
                path.rmdir()

    def write_tables(self) -> None:
        """Put the rows that there are into ``table.csv``, ``curves.csv`` and ``times.csv``."""
        rows = [self._read(ROWS, row) for row in self.rows if self.done(row)]
        found = {row["row"]: row for row in rows}
        failures = self.failures()
        axes = list(self.definition["axes"])
        measures = list(dict.fromkeys(name for row in rows for name in row["measures"]))
        table = [["row", "study", *axes, "seed", "method", "control", *measures, "error"]]
        for name, row in self.rows.items():
            if name not in found and name not in failures:
                continue
            numbers = found.get(name, {"measures": {}})["measures"]
            place = [cell(row.axes.get(key)) for key in axes]
            table.append(
                [
                    *(name, str(self.definition["kind"]), *place),
                    *(str(row.seed), row.method, row.control),
                    *(_number(numbers.get(measure)) for measure in measures),
                    failures.get(name, ""),
                ]
            )
        curves = [["row", "step", "measure", "value"]]
        curves += [
            [row["row"], str(point["step"]), measure, _number(value)]
            for row in rows
            for point in row.get("curve", ())
            for measure, value in point.items()
            if measure != "step"
        ]
        times = [["row", "seconds"]] + [[row["row"], _number(row["seconds"])] for row in rows]
        for name, lines in ((TABLE, table), (CURVES, curves), (TIMES, times)):
            stream = io.StringIO(newline="")
            csv.writer(stream, lineterminator="\n").writerows(lines)
            write_text(self.folder / name, stream.getvalue())

    def _file(self, kind: str, row: str) -> Path:
        return self.folder / kind / f"{row}.json"

    def _read(self, kind: str, row: str) -> Any:  # noqa: ANN401 - what the row's file holds
        return read_json(self._file(kind, row))


def write_study(
    folder: Path,
    grid: Grid,
    *,
    rows: Sequence[Row],
    packs: Sequence[Pack],
    threads: int,
    environment: Mapping[str, Any],
) -> Study:
    """Write a study's definition, ``study.json`` last; to be called while the folder is held."""
    for name in (ROWS, FAILED, PACKS, RECIPES):
        (folder / name).mkdir(exist_ok=True)
    drawn = {row.id for row in rows if row.mapped}
    for path in (folder / MAPS).glob("*"):  # of a study that grows, and has another diagonal now
        if path.stem not in drawn:
            path.unlink()
    for name, recipe in grid.recipes.items():
        write_text(folder / RECIPES / f"{name}.yaml", dump_recipe(recipe))
    plan = {
        "threads": threads,
        "rows": [row.to_json() for row in rows],
        "packs": [pack.to_json() for pack in packs],
    }
    write_text(folder / PLAN, json.dumps(plan, ensure_ascii=False, allow_nan=False) + "\n")
    if (folder / STUDY).exists():  # a study that grows, and may read sources that it did not yet
        before = read_json(folder / ENVIRONMENT)
        environment = before | {"data": {**environment["data"], **before["data"]}}
    write_json(folder / ENVIRONMENT, environment)
    definition = {
        "format": FORMAT,
        "kind": grid.kind,
        "recipe": next(iter(grid.recipes)),
        "recipes": list(grid.recipes),
        "axes": {key: list(levels) for key, levels in grid.axes.items()},
        "methods": list(grid.methods),
        "seeds": grid.seeds,
        "control": grid.control and grid.kind == "depth",
        "rows": len(rows),
        "version": metadata.version("acgan-bert"),
    }
    write_json(folder / STUDY, definition)
    return Study.read(folder)


def _number(value: Any) -> str:  # noqa: ANN401 - a number, or None
    """Write a number; nothing for one that is missing."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.{NUMBERS}g}"
