"""The verbs that train: ``demo``, ``train`` and ``resume``."""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from acgan_bert.cli_flags import (
    add_print_config,
    add_recipe_flags,
    given_values,
    new_parser,
    parse,
)
from acgan_bert.recipe import Recipe
from acgan_bert.recipe_io import apply, check_recipe, default_recipe, dump_recipe, load_recipe
from acgan_bert.recipe_kinds import TASKS, value_at
from acgan_bert.terminal import Terminal, say, show_run, warnings_shown
from mtl.errors import InputError
from mtl.processes import is_main

_OUT_HELP = "Directory of the run; it must not hold one yet. (default: {})"


def demo(words: Sequence[str], summary: str) -> None:
    """Train by the recipe ``demo``."""
    recipe = load_recipe("demo")
    parser = new_parser("demo", usage="[--KEY VALUE …] [--out DIR]", description=summary)
    parser.add_argument("--out", type=str, help=_OUT_HELP.format("runs/demo"))
    add_recipe_flags(parser, recipe)
    arguments = parse(parser, words)
    recipe = apply(recipe, given_values(arguments))
    command = ("acgan-bert", "demo", *words)
    _train(
        recipe,
        Path(arguments.get("out") or "runs/demo"),
        command,
        only_print=arguments.print_config,
    )


def train(words: Sequence[str], summary: str) -> None:
    """Train by a recipe that is named."""
    usage = "[RECIPE] [--KEY VALUE …] [--out DIR]"
    parser = new_parser("train", usage=usage, description=summary)
    parser.add_argument(
        "recipe",
        type=str,
        nargs="?",
        help="Name of a shipped recipe (acgan-bert recipes lists them), or a .yaml file. "
        "(default: default)",
    )
    parser.add_argument("--out", type=str, help=_OUT_HELP.format("runs/RECIPE-DATA-seedN"))
    add_recipe_flags(parser, default_recipe())
    arguments = parse(parser, words)
    name = arguments.get("recipe") or "default"
    recipe = apply(load_recipe(name), given_values(arguments))
    out = Path(arguments.get("out") or default_out(name, recipe))
    _train(recipe, out, ("acgan-bert", "train", *words), only_print=arguments.print_config)


def resume(words: Sequence[str], summary: str) -> None:
    """Go on with a run or a study."""
    from acgan_bert.cli_study import add_means_flags, means_of, resume_study

    parser = new_parser("resume", usage="RUN|STUDY", description=summary)
    parser.add_argument("run", type=str, help="Directory of the interrupted run, or of a study.")
    add_print_config(parser)
    add_means_flags(parser)
    arguments = parse(parser, words)
    directory = Path(arguments.run)
    if arguments.print_config:
        show_recipes([directory])
        return
    if (directory / "study.json").is_file():
        resume_study(directory, means_of(arguments))
        return
    for name in ("engine", "ray_address", "workers"):
        if arguments.get(name) is not None:
            raise InputError(f"--{name}: {directory} is no study; leave it out")

    from acgan_bert import run

    _work(directory, lambda progress: run.resume(directory, progress=progress))


def show_recipes(directories: Sequence[Path]) -> None:
    """Print the resolved recipes of runs, and those that studies begin with.

    Raises:
        InputError: A directory is neither.
    """
    from acgan_bert.rundir import read_recipe

    found = []
    for directory in directories:
        files = sorted((directory / "recipes").glob("*.yaml"))
        if (directory / "study.json").is_file():
            found += [(file, load_recipe(str(file))) for file in files]
        else:
            found.append((directory / "recipe.yaml", read_recipe(directory)))
    texts = [dump_recipe(recipe).rstrip() for _, recipe in found]
    if len(found) > 1:
        texts = [f"# {file}\n{text}" for (file, _), text in zip(found, texts, strict=True)]
    say("\n---\n".join(texts))


def default_out(name: str, recipe: Recipe) -> str:
    """Name the directory of a run after its recipe, data and seed.

    Args:
        name: Name or file of the recipe.
        recipe: What it says.

    Example:
        >>> default_out("default", Recipe(seed=3))
        'runs/default-demo-sentiment-seed3'
    """
    parts = (value_at(recipe, part) for part in (("data",) if recipe.gan else TASKS))
    stems = [
        part.train if part.train.startswith(("demo:", "hub:")) else Path(part.train).stem
        for part in parts
        if part.train
    ]
    tame = re.sub(r"[^\w.]+", "-", "-".join(stems)).strip("-.")
    return f"runs/{Path(name).stem}-{tame or 'data'}-seed{recipe.seed}"


def _train(recipe: Recipe, out: Path, command: Sequence[str], *, only_print: bool) -> None:
    check_recipe(recipe)
    if only_print:
        say(dump_recipe(recipe).rstrip())
        return

    from acgan_bert import run

    _work(out, lambda progress: run.train(recipe, out, command=command, progress=progress))


def _work(directory: Path, work: Callable[[Terminal], Path]) -> None:
    """Do the work of a run under progress bars, and show what came of it."""
    from mtl.errors import DivergenceError

    try:
        with Terminal(silent=not is_main()) as progress, warnings_shown():
            finished = work(progress)
    except DivergenceError as error:
        raise InputError(str(error)) from error
    except KeyboardInterrupt as stop:
        # A directory without its recipe has nothing to go on from.
        if (directory / "recipe.yaml").exists():
            raise KeyboardInterrupt(f"; resume with: acgan-bert resume {directory}") from stop
        raise
    if is_main():
        show_run(finished, json.loads((finished / "result.json").read_text("utf-8")))
