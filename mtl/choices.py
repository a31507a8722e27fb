"""Settings that are one of a few names."""

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
