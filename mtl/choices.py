"""Settings that are one of a few names."""

import difflib
from collections.abc import Iterable
from typing import get_args

from mtl.errors import InputError


def check_choice(where: str, value: str, choices: object) -> None:
    """Refuse a name that is not among those of a ``Literal``.

    Args:
        where: Section and name of the setting, for the message.
        value: What was given.
        choices: The ``Literal`` type.

    Raises:
        InputError: The value is not one of its names.

    Example:
        >>> from typing import Literal
        >>> check_choice("color", "green", Literal["red", "green"])
    """
    known = get_args(choices)
    if value not in known:
        raise InputError(f"{where}: {value!r} is unknown; use {', '.join(known)}")


def suggestion(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Ask in a message about an unknown name whether the nearest was meant, whatever the case.

    Args:
        name: What was given.
        known: What could have been.
        cutoff: How like it must be, from 0 to 1.

    Returns:
        A question and a blank; empty where none is near.

    Example:
        >>> suggestion("pcgard", ["sum", "PCGrad"])
        "did you mean 'PCGrad'? "
    """
    lowered = {key.lower(): key for key in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=cutoff)
    return f"did you mean {lowered[close[0]]!r}? " if close else ""
