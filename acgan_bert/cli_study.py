"""The verb ``study``: a grid of recipes and seeds, one table."""

import importlib.util
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonargparse import ArgumentParser, Namespace

from acgan_bert.cli_flags import add_recipe_flags, given_values, new_parser, parse
from acgan_bert.cli_runs import default_out
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, check_recipe, default_recipe, dump_recipe, load_recipe
from acgan_bert.studies.rows import BASELINES, one_task, trains_alone
from acgan_bert.terminal import say, warnings_shown
from mtl.choices import suggestion
from mtl.errors import InputError

if TYPE_CHECKING:
    from acgan_bert.studies.grid import Grid
    from acgan_bert.studies.schedule import Standing
    from acgan_bert.studies.study import Means

FAILED = 2
"""Exit code of a study some of whose rows failed; the others have their numbers."""
_RECIPES = ("default", "few-labels", "gan-bert")
"""Recipes that a study of labels compares, beside the one that is asked for."""
_BESIDE = ("logistic_regression",)
"""Baselines beside each row, unless others are asked for; each is trained once for its labels."""
_LINE_SECONDS, _SILENT_SECONDS = 2.0, 30.0
"""Between two lines at least, and at most where no row has ended."""


def study(words: Sequence[str], summary: str) -> None:
    """Train a grid, or what is missing of it."""
    parser = _parser(summary)
    arguments = parse(parser, words)
    name = arguments.get("recipe") or "default"
    given = given_values(arguments)
    base = apply(load_recipe(name), given)
    check_recipe(base)
    if arguments.print_config:
        say(dump_recipe(base).rstrip())
        return
    grid = _grid(arguments, Path(name).stem, base, given)
    kind = f"study-{grid.kind}"
    out = Path(arguments.get("out") or f"runs/{kind}-{Path(default_out(name, base)).name}")

    from acgan_bert.studies.study import start

    command = ("acgan-bert", "study", *words)
    with _interruptible(out), warnings_shown():
        found = start(
            grid,
            out,
            means=means_of(arguments),
            watch=_Lines(),
            command=command,
            yes=bool(arguments.get("yes")),
        )
    _show(found)


def resume_study(folder: Path, means: "Means") -> None:
    """Go on with a study."""
    from acgan_bert.studies.study import resume

    with _interruptible(folder), warnings_shown():
        found = resume(folder, means=means, watch=_Lines())
    _show(found)


def add_means_flags(parser: ArgumentParser) -> None:
    """Add the flags that say what trains a study."""
    group = parser.add_argument_group("Studies: what trains them")
    group.add_argument(
        "--engine",
        type=str,
        help="Processes of this machine, or Ray. (default: processes)",
    )
    group.add_argument(
        "--ray_address",
        type=str,
        help="HOST:PORT of a Ray cluster, or auto for the one that this machine is part of. "
        "(default: one is started here)",
    )
    group.add_argument(
        "--workers",
        type=int,
        help="Packs of rows in training at a time. (default: one for each core, or what the "
        "cluster has room for)",
    )


def means_of(arguments: Namespace) -> "Means":
    """Read what :func:`add_means_flags` added."""
    from acgan_bert.studies.study import Means

    names = ("engine", "ray_address", "workers", "threads")
    given = {name: arguments[name] for name in names if arguments.get(name) is not None}
    return Means(**given)


def _parser(summary: str) -> ArgumentParser:
    usage = "{depth|labels|unlabeled|ablation} [RECIPE] [--axis KEY=[…] …] [--KEY VALUE …]"
    parser = new_parser("study", usage=usage, description=summary)
    parser.add_argument(
        "kind",
        type=str,
        help="Depth of both players; methods by label fraction; growing unlabelled text; each part "
        "of the recipe removed.",
    )
    parser.add_argument(
        "recipe",
        type=str,
        nargs="?",
        help="Name of a shipped recipe, or a .yaml file, that all rows begin with. "
        "(default: default)",
    )
    group = parser.add_argument_group("The grid")
    group.add_argument(
        "--axis",
        type=str,
        action="append",
        help="KEY=[VALUE,…]: any key of a recipe, in place of an axis of that kind of study or "
        "beside them; may be repeated.",
    )
    group.add_argument("--seeds", type=int, help="From the recipe's seed on. (default: 5)")
    group.add_argument(
        "--methods",
        type=str,
        help="Of a study of labels, with commas: recipes and baselines. (default: "
        f"{', '.join((*_RECIPES, *BASELINES))}, the last where it is installed)",
    )
    group.add_argument(
        "--control",
        type=bool,
        help="Whether rows of equal parameters stand beside those of a depth study. "
        "(default: true)",
    )
    group.add_argument("--yes", action="store_true", help="More than 100,000 rows are meant.")
    group.add_argument("--out", type=str, help="Folder. (default: runs/study-KIND-RECIPE-DATA-…)")
    add_means_flags(parser)
    group.add_argument(
        "--threads", type=int, help="Of each worker, where the study is new. (default: 1)"
    )
    add_recipe_flags(parser, default_recipe())
    return parser


def _grid(arguments: Namespace, name: str, base: Recipe, given: Mapping[str, Any]) -> "Grid":
    from acgan_bert.studies.grid import KINDS, Grid, axes_of, parse_axis

    kind = arguments.kind
    if kind not in KINDS:
        raise InputError(
            f"{kind!r} is no kind of study; {suggestion(kind, KINDS)}there are {', '.join(KINDS)}"
        )
    base = _undrawn(base, given, baselines=() if kind == "labels" else _BESIDE)
    added: dict[str, list[Any]] = {}
    for text in arguments.get("axis") or ():
        key, levels = parse_axis(text)
        if key in added:
            raise InputError(f"--axis {key}: is there twice; put its values into one list")
        added[key] = levels
    axes = axes_of(kind, added, base, given)
    methods = _methods(arguments.get("methods"), name) if kind == "labels" else ()
    if kind != "labels" and arguments.get("methods"):
        raise InputError(f"--methods: a study of {kind} has one, its recipe; leave it out")
    control, seeds = arguments.get("control"), arguments.get("seeds")
    recipes = {name: base} | {
        other: _undrawn(_beside(other, base, given), given, baselines=())
        for other in methods
        if other not in (name, *BASELINES)
    }
    return Grid(
        kind=kind,
        recipes=recipes,
        axes=axes,
        methods=methods,
        seeds=5 if seeds is None else seeds,
        control=control is not False and not trains_alone(base),
    )


def _methods(text: str | None, name: str) -> tuple[str, ...]:
    """Return the methods to compare, the recipe that is asked for first where none are named."""
    if text is None:
        known = [method for method in BASELINES if method != "setfit" or _installed("setfit")]
        return tuple(dict.fromkeys((name, *_RECIPES, *known)))
    methods = tuple(part.strip() for part in text.strip("[]").split(","))
    for method in methods:
        if methods.count(method) > 1:
            raise InputError(f"--methods: {method} is there twice; name it once")
        if method not in (name, *BASELINES):
            try:
                load_recipe(method)
            except InputError as error:
                close = suggestion(method, (name, *_RECIPES, *BASELINES))
                raise InputError(
                    f"--methods: {method!r} is neither a baseline ({', '.join(BASELINES)}) nor a "
                    f"shipped recipe; {close}`acgan-bert recipes` lists those"
                ) from error
    return methods


def _beside(name: str, base: Recipe, given: Mapping[str, Any]) -> Recipe:
    """Return another recipe on the same data and encoder, with the flags that were given."""
    own = load_recipe(name)
    encoder = replace(base.encoder, mode=own.encoder.mode, last_layers=own.encoder.last_layers)
    return apply(replace(own, seed=base.seed, data=base.data, encoder=encoder), given)


def _undrawn(recipe: Recipe, given: Mapping[str, Any], *, baselines: tuple[str, ...]) -> Recipe:
    """Draw nothing, and train few baselines beside each row unless the user says so."""
    values: dict[str, Any] = {"report.figures": False}
    if "report.baselines" not in given and one_task(recipe):
        values["report.baselines"] = list(baselines)
    return apply(recipe, values)


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


@contextmanager
def _interruptible(folder: Path) -> Iterator[None]:
    """Say at Ctrl-C how to go on, where there is something to go on with."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if (folder / "study.json").exists():
            raise KeyboardInterrupt(f"; resume with: acgan-bert resume {folder}") from stop
        raise


class _Lines:
    """Prints a line when rows have ended, though not too often, and when none has for long."""

    def __init__(self) -> None:
        self._last, self._said = 0.0, (-1, -1)

    def __call__(self, standing: "Standing") -> None:
        ended = (standing.done, standing.failed)
        over = sum(ended) == standing.total
        waited = time.monotonic() - self._last
        news = ended != self._said and (over or waited >= _LINE_SECONDS)
        if news or waited >= _SILENT_SECONDS:
            self._last, self._said = time.monotonic(), ended
            say(str(standing))


def _show(study: Any) -> None:  # noqa: ANN401 - a study, whose module is heavy to import
    """Say where the table is, and which rows failed and why."""
    failures = study.failures()
    for row, cause in list(failures.items())[:10]:
        say(f"failed: row {row}: {cause}")
    if len(failures) > 10:
        say(f"and {len(failures) - 10} more, under {study.folder / 'failed'}")
    say(f"table: {study.folder / 'table.csv'}")
    if (study.folder / "report.html").exists():
        say(f"report: {study.folder / 'report.html'}")
    if failures:
        say(f"{len(failures)} rows failed; try them again: acgan-bert resume {study.folder}")
        raise SystemExit(FAILED)
