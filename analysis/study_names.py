"""Axes and levels of a study as one text for files and another for people."""

import json
import math

TIMES = "\N{MULTIPLICATION SIGN}"


def level_text(value: object) -> str:
    """Return a level of an axis as the same text whether JSON or a table's cell held it.

    Example:
        >>> level_text(0.10), level_text("1e-1"), level_text(True), level_text(None)
        ('0.1', '0.1', 'true', '')
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    text = " ".join(str(value).split())
    found = as_number(text)
    if found is not None:
        return f"{found:.12g}"
    return text.lower() if text.lower() in ("true", "false") else text


def as_number(text: str) -> float | None:
    """Return a finite number, or None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def axis_words(key: str) -> str:
    """Return a dotted key as words.

    Example:
        >>> axis_words("generator.depth"), axis_words("data.label_fraction")
        ('generator depth', 'label fraction')
    """
    return key.removeprefix("data.").replace(".", " ").replace("_", " ")


def level_words(key: str, text: str) -> str:
    """Return a level as people read it: a share as a percentage, of a run's path its name.

    Example:
        >>> level_words("data.label_fraction", "0.05"), level_words("generator.depth", "2")
        ('5%', '2')
        >>> level_words("training.start_from", "runs/mpqa/")
        'mpqa'
    """
    value = as_number(text)
    if value is not None and key.endswith("fraction"):
        return f"{100 * value:.4g}%"
    if key.endswith("start_from"):
        text = text.rstrip("/").rpartition("/")[-1]
    return text or "none"
