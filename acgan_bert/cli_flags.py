"""The parsers of the verbs: every field of a recipe is a dotted flag, with its help text."""

import argparse
import difflib
import re
from collections.abc import Sequence
from typing import Any, Literal, get_args, get_origin

from jsonargparse import ArgumentParser, Namespace

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import (
    brief,
    nearest_key,
    parser_key,
    recipe_fields,
    unknown_key,
    wrong_type,
)
from acgan_bert.recipe_kinds import value_at
from mtl.errors import InputError

_HELP_WIDTH = 100
PRINT_CONFIG = "--print_config"
_NO_VALUE = re.compile(r"argument (?P<flag>[^:]+): expected (one|at least one) argument")
_REQUIRED = re.compile(r"arguments are required: (?P<names>.+)")
_UNRECOGNIZED = re.compile(r"unrecognized arguments: (?P<flag>\S+)")
_GOT_VALUE = re.compile(r"Got value: (?P<value>.*)", re.DOTALL)


class _WideHelp(argparse.HelpFormatter):
    """Help of one width everywhere, without jsonargparse's own remarks on types and defaults."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=_HELP_WIDTH)


def new_parser(verb: str, *, usage: str, description: str) -> ArgumentParser:
    """Make the parser of a verb; abbreviated flags are refused, for they hide misspelt ones."""
    return ArgumentParser(
        prog=f"acgan-bert {verb}",
        usage=f"acgan-bert {verb} {usage}",
        description=f"{description[0].upper()}{description[1:]}.",
        allow_abbrev=False,
        exit_on_error=False,
        formatter_class=_WideHelp,
    )


def add_recipe_flags(parser: ArgumentParser, recipe: Recipe) -> None:
    """Add a flag for every key of a recipe, and ``--print_config``.

    Args:
        parser: Of the verb.
        recipe: Whose values are shown as defaults.
    """
    add_print_config(parser)
    groups: dict[str, Any] = {}
    for key, field in recipe_fields().items():
        if field.section not in groups:
            groups[field.section] = parser.add_argument_group(field.section)
        shown = _shown(value_at(recipe, key))
        groups[field.section].add_argument(
            f"--{key}",
            type=field.hint,
            metavar=_metavar(field.hint),
            help=f"{field.help} (default: {shown})".replace("%", "%%"),
        )


def add_print_config(parser: ArgumentParser) -> None:
    """Add the flag that shows the recipe; every verb that has one to show takes it."""
    parser.add_argument(
        PRINT_CONFIG,
        action="store_true",
        help="Print the resolved recipe as YAML and do nothing else.",
    )


def add_column_flags(parser: ArgumentParser) -> None:
    """Add the flags that name the columns of a file."""
    for key in ("data.text", "data.text_pair", "data.label"):
        parser.add_argument(f"--{key}", type=str, default="", help=recipe_fields()[key].help)


def parse(parser: ArgumentParser, words: Sequence[str]) -> Namespace:
    """Read the words of a command line.

    Returns:
        The arguments; of the recipe's keys only those that were given.

    Raises:
        InputError: A flag is unknown (it names the nearest), lacks its value or has a wrong one.
    """
    rest = list(words)
    if "print_config" in parser.get_defaults():
        # jsonargparse gives a flag of this name a meaning of its own, so it never sees ours.
        rest = [word for word in words if word != PRINT_CONFIG]
    try:
        arguments = parser.parse_args(rest, defaults=False)
    except argparse.ArgumentError as error:
        raise _explained(parser, str(error)) from error
    arguments["print_config"] = len(rest) < len(words)
    return arguments


def given_values(arguments: Namespace) -> dict[str, Any]:
    """Return the recipe's keys that were given as flags, with their values."""
    return {key: arguments[key] for key in recipe_fields() if key in arguments}


def _explained(parser: ArgumentParser, message: str) -> InputError:
    key = parser_key(message)
    if key:
        value = _GOT_VALUE.search(message)
        return wrong_type(key, value["value"] if value else "?", where="--")
    missing = _REQUIRED.search(message)
    if missing:
        return InputError(f"missing: {_as_typed(parser, missing['names'])}; usage: {parser.usage}")
    no_value = _NO_VALUE.search(message)
    if no_value:
        return InputError(f"{no_value['flag']}: no value is given; write it behind the flag")
    unrecognized = _UNRECOGNIZED.search(message)
    if unrecognized is None:
        return InputError(f"{' '.join(message.split())}; see {parser.prog} --help")
    return _unknown_flag(parser, unrecognized["flag"])


def _unknown_flag(parser: ArgumentParser, flag: str) -> InputError:
    name = flag.partition("=")[0]
    if not name.startswith("-"):
        return InputError(f"unexpected argument {brief(name)}; see {parser.prog} --help")
    known = [option for action in parser._actions for option in action.option_strings]
    takes_recipe = PRINT_CONFIG in known
    near = f"--{nearest_key(name.lstrip('-'))}" if takes_recipe else ""
    close = difflib.get_close_matches(name, known, n=1)
    if near not in known and not close:
        return (
            unknown_key(name)
            if takes_recipe
            else InputError(f"unknown flag {name}; see {parser.prog} --help")
        )
    return InputError(f"unknown flag {name}; did you mean {close[0] if close else near}?")


def _as_typed(parser: ArgumentParser, names: str) -> str:
    """Turn names of arguments into what is typed: dashes before flags, others in capitals."""
    flags = {action.dest: action.option_strings for action in parser._actions}
    typed = [(flags.get(name) or [name.upper()])[0] for name in names.split(", ")]
    return ", ".join(typed)


def _metavar(hint: Any) -> str:  # noqa: ANN401 - a type or a typing construct
    names = {int: "N", float: "X", str: "TEXT"}
    if get_origin(hint) is tuple:
        return "[NAME,…]"
    if get_origin(hint) is Literal or hint is bool:
        choices = get_args(hint) or ("true", "false")
        return f"{{{','.join(map(str, choices))}}}"
    return names[hint]


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{','.join(map(str, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "empty" if value == "" else f"{value:g}" if isinstance(value, float) else str(value)
