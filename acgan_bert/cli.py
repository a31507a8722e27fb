"""The command ``acgan-bert VERB …``: reads the words, calls :mod:`acgan_bert.run`, shows the end.

Heavy modules are imported inside the verbs, so that ``--help`` answers at once.
"""

import difflib
import errno
import os
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from mtl.errors import InputError

if TYPE_CHECKING:
    from acgan_bert.recipe import Recipe

OK, BAD_INPUT, INTERRUPTED = 0, 2, 130
_HELP_FLAGS = ("-h", "--help", "help")


@dataclass(frozen=True, slots=True)
class Verb:
    """One thing that the command does: its line in ``--help`` and the function that does it."""

    summary: str
    action: Callable[[Sequence[str]], None]


class _Interrupted(Exception):
    """Ctrl-C during a run that can go on; holds its directory."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The words behind ``acgan-bert``; None for those of this process.

    Returns:
        0 done, 2 the user's input is wrong (one ``error:`` line says how), 130 interrupted.
    """
    if argv is None and not sys.warnoptions:
        # A library's deprecations are ours to read, in the tests, not the user's.
        warnings.simplefilter("ignore")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _dispatch(words)
    except SystemExit as end:
        return int(end.code or 0)
    except InputError as error:
        return _failed(str(error))
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"\ninterrupted{stop.args[0] if stop.args else ''}\n")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; nothing is left to say, even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        message = _about_the_disk(error)
        if not message:
            raise
        return _failed(message)
    return OK


def _dispatch(words: Sequence[str]) -> None:
    verb = words[0] if words else "--help"
    if verb in _HELP_FLAGS:
        print(_help())
    elif verb == "--version":
        print(f"acgan-bert {metadata.version('acgan-bert')}")
    elif verb in VERBS:
        VERBS[verb].action(words[1:])
    else:
        close = difflib.get_close_matches(verb, VERBS, n=1)
        meant = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"unknown verb {verb!r}; {meant}the verbs are {', '.join(VERBS)}")


def _help() -> str:
    lines = [f"  {name:9s}{verb.summary}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            "usage: acgan-bert VERB …",
            "",
            "Few labels, many sentences: a conditional GAN over BERT embeddings, and its rivals.",
            "",
            *lines,
            "",
            "acgan-bert VERB --help lists the flags of a verb.",
        ]
    )


def _failed(message: str) -> int:
    from acgan_bert.terminal import fail

    fail(message)
    return BAD_INPUT


def _about_the_disk(error: OSError) -> str:
    """Say what the user can do about a file that cannot be read or written; "" if nothing."""
    hints = {
        errno.ENOSPC: "the disk is full; free some space, or write elsewhere with --out",
        errno.EDQUOT: "the disk quota is used up; free some space, or write elsewhere with --out",
        errno.EROFS: "the file system is read-only; write elsewhere with --out",
        errno.EACCES: "no permission; change it, or write elsewhere with --out",
        errno.EPERM: "not permitted; write elsewhere with --out",
    }
    hint = hints.get(error.errno or 0, "check the path" if error.filename else "")
    if not hint:
        return ""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; {hint}"


def _demo(words: Sequence[str]) -> None:
    from acgan_bert.recipe_io import load_recipe

    _run("demo", words, base=load_recipe("demo"))


def _train(words: Sequence[str]) -> None:
    _run("train", words, base=None)


def _run(verb: str, words: Sequence[str], *, base: "Recipe | None") -> None:
    """Train by a recipe: the demo's, or the one that is named."""
    from acgan_bert.cli_flags import add_recipe_flags, given_values, new_parser, parse
    from acgan_bert.recipe_io import apply, check_recipe, default_recipe, dump_recipe, load_recipe

    names = "" if base else "[RECIPE] "
    parser = new_parser(
        verb, usage=f"{names}[--KEY VALUE …] [--out DIR]", description=VERBS[verb].summary
    )
    if base is None:
        parser.add_argument(
            "recipe",
            type=str,
            nargs="?",
            default="default",
            help="Name of a shipped recipe (see acgan-bert recipes), or a .yaml file.",
        )
    parser.add_argument("--out", type=str, help="Directory of the run; it must not hold one yet.")
    add_recipe_flags(parser, base or default_recipe())
    arguments = parse(parser, words)
    name = arguments.get("recipe") or "default"
    recipe = apply(base or load_recipe(name), given_values(arguments))
    check_recipe(recipe)
    if arguments.print_config:
        print(dump_recipe(recipe), end="")
        return
    default_out = "runs/demo" if base else _default_out(name, recipe)
    out = Path(arguments.get("out") or default_out)

    from acgan_bert.run import train

    command = ("acgan-bert", verb, *words)
    _show_progress(out, lambda progress: train(recipe, out, command=command, progress=progress))


def _default_out(name: str, recipe: "Recipe") -> str:
    source = recipe.data.train
    stem = source if source.startswith(("demo:", "hub:")) else Path(source).stem
    tame = re.sub(r"[^\w.]+", "-", stem).strip("-.")
    return f"runs/{Path(name).stem}-{tame or 'data'}-seed{recipe.seed}"


def _show_progress(run: Path, work: Callable[..., Path]) -> None:
    """Do the work of a run under progress bars, and show what came of it."""
    import json

    from acgan_bert.terminal import Terminal, show_run, warnings_shown
    from acgan_bert.trainer import DivergenceError

    try:
        with Terminal() as progress, warnings_shown():
            finished = work(progress)
    except DivergenceError as error:
        raise InputError(str(error)) from error
    except KeyboardInterrupt as stop:
        if (run / "recipe.yaml").exists():
            raise KeyboardInterrupt(f"; resume with: acgan-bert resume {run}") from stop
        raise
    show_run(finished, json.loads((finished / "result.json").read_text("utf-8")))


def _resume(words: Sequence[str]) -> None:
    from acgan_bert.cli_flags import new_parser, parse

    parser = new_parser("resume", usage="RUN", description=VERBS["resume"].summary)
    parser.add_argument("run", type=str, help="Directory of the interrupted run.")
    run = Path(parse(parser, words).run)

    from acgan_bert.run import resume

    _show_progress(run, lambda progress: resume(run, progress=progress))
