"""The fields of a recipe as dotted keys: their types, their help texts, and values read for them.

jsonargparse turns text and YAML values into the types that the dataclasses of
:mod:`acgan_bert.recipe` declare; what it says about a wrong one is put in the user's words here.
"""

import argparse
import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ArgumentParser

from acgan_bert.recipe import Recipe
from mtl.errors import InputError

_PARSER_KEY = re.compile(r'Parser key "(?P<key>[^"]+)"')
_CLOSE_ENOUGH = 0.6
_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class RecipeField:
    """One key of a recipe.

    Args:
        hint: Its type.
        help: One line for ``--help``.
        section: What its part of the recipe is about.
    """

    hint: Any
    help: str
    section: str


@cache
def recipe_fields() -> dict[str, RecipeField]:
    """List every key of a recipe, dotted, in the order of the dataclasses."""
    return dict(_fields(Recipe, "", "Every run"))


@cache
def sections() -> tuple[str, ...]:
    """Name the parts of a recipe, such as ``generator`` and ``tasks.sentiment``."""
    keys = [key.split(".")[:-1] for key in recipe_fields()]
    return tuple(
        dict.fromkeys(".".join(key[:depth]) for key in keys for depth in range(1, len(key) + 1))
    )


def _fields(
    kind: Any,  # noqa: ANN401 - a dataclass, for which typing has no public name
    prefix: str,
    section: str,
) -> list[tuple[str, RecipeField]]:
    hints, helps = get_type_hints(kind), _helps(kind)
    found: list[tuple[str, RecipeField]] = []
    for field in fields(kind):
        key, hint, text = f"{prefix}{field.name}", hints[field.name], helps.get(field.name, "")
        if is_dataclass(hint):
            found += _fields(hint, f"{key}.", text.rstrip("."))
        else:
            found.append((key, RecipeField(hint, text, section)))
    return found


def _helps(kind: type) -> dict[str, str]:
    """Read the strings below the fields of a dataclass and of those that it is made from."""
    return {
        part.arg_name: " ".join((part.description or "").split())
        for each in reversed(kind.__mro__)
        if is_dataclass(each)
        for part in docstring_parser.parse_from_object(each).params
    }


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted keys into mappings within mappings.

    Example:
        >>> nested({"seed": 1, "tasks.similarity.depth": 2})
        {'seed': 1, 'tasks': {'similarity': {'depth': 2}}}
    """
    tree: dict[str, Any] = {}
    for key, value in values.items():
        *path, leaf = key.split(".")
        branch = tree
        for name in path:
            branch = branch.setdefault(name, {})
        branch[leaf] = value
    return tree


def nearest_key(key: str) -> str:
    """Name the key that was probably meant; ``""`` where none is near.

    Example:
        >>> nearest_key("generator.dept"), nearest_key("depht"), nearest_key("xyz")
        ('generator.depth', 'generator.depth', '')
    """
    known = list(recipe_fields())
    close = difflib.get_close_matches(key, known, n=1, cutoff=_CLOSE_ENOUGH)
    if close:
        return close[0]
    leaves = {name.rpartition(".")[2]: name for name in reversed(known)}
    last = key.rpartition(".")[2]
    close = difflib.get_close_matches(last, leaves, n=1, cutoff=_CLOSE_ENOUGH)
    return leaves[close[0]] if close else ""


def unknown_key(key: str, *, where: str = "") -> InputError:
    """Make the error for a key that no recipe has."""
    near = nearest_key(key)
    hint = f"did you mean {near}?" if near else "`acgan-bert train --help` lists the keys"
    return InputError(f"{where}unknown key {brief(key)}; {hint}")


def wrong_type(key: str, value: object, *, where: str = "") -> InputError:
    """Make the error for a value that does not have its field's type."""
    hint = recipe_fields()[key].hint
    return InputError(f"{where}{key}: found {brief(value)}, expected {_in_words(hint, value)}")


def read_values(values: Mapping[str, object]) -> dict[str, Any]:
    """Turn the values of dotted keys into the fields' types.

    Args:
        values: Text, as a flag gives it, or what YAML or Python code holds.

    Returns:
        The values under the same keys.

    Raises:
        InputError: A key is unknown, or a value has the wrong type; it names key and value.
    """
    for key, value in values.items():
        if key not in recipe_fields():
            raise unknown_key(key)
        if value is None:
            raise wrong_type(key, None)
    try:
        parsed = _parser().parse_object(nested(values), defaults=False)
    except argparse.ArgumentError as error:
        key = parser_key(str(error))
        raise wrong_type(key, values[key]) from error
    return {key: parsed[key] for key in values}


def parser_key(message: str) -> str:
    """Find the key that a message of jsonargparse is about; ``""`` where it names none."""
    found = _PARSER_KEY.search(message)
    return found["key"] if found and found["key"] in recipe_fields() else ""


@cache
def _parser() -> ArgumentParser:
    parser = ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for key, field in recipe_fields().items():
        parser.add_argument(f"--{key}", type=field.hint)
    return parser


def brief(value: object) -> str:
    """Show a value as it was written, on one line, cut to a readable length."""
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_VALUE else f"{shown[: _LONGEST_VALUE - 1]}…"


def _in_words(hint: Any, value: object) -> str:  # noqa: ANN401 - a type or a typing construct
    if get_origin(hint) is Literal:
        choices = [str(choice) for choice in get_args(hint)]
        close = difflib.get_close_matches(str(value), choices, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        return f"one of {', '.join(choices)}{meant}"
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        if item in (float, str):
            return f"a list of {'numbers such as [0.0, 0.5]' if item is float else 'names'}"
        choices = [str(choice) for choice in get_args(item)]
        return f"a list such as [{', '.join(choices[:2])}], from {', '.join(choices)}"
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return names[hint]
