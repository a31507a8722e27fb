"""Small helpers for the built-in grammars: draw a phrase, put its article, end a sentence."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

# Spelled with a vowel but spoken with a consonant, and the other way round.
_SOUNDS_CONSONANT = ("use", "unique", "unit", "eu", "one")
_SOUNDS_VOWEL = ("hour", "honest", "heir")


def pick(rng: np.random.Generator, options: Sequence[T]) -> T:
    """Draw one of the options, each equally likely."""
    return options[int(rng.integers(len(options)))]


def with_article(phrase: str) -> str:
    """Put "a" or "an" before a noun phrase, by the sound of its first word.

    >>> with_article("ordinary film"), with_article("useless phone"), with_article("honest guide")
    ('an ordinary film', 'a useless phone', 'an honest guide')
    """
    word = phrase.lower()
    vowel = word.startswith(_SOUNDS_VOWEL) or (
        word[0] in "aeiou" and not word.startswith(_SOUNDS_CONSONANT)
    )
    return f"{'an' if vowel else 'a'} {phrase}"


def plural(noun: str) -> str:
    """Put a regular noun into the plural.

    >>> plural("movie"), plural("gallery"), plural("express")
    ('movies', 'galleries', 'expresses')
    """
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith("s") else f"{noun}s"


def sentence(words: str, end: str = ".") -> str:
    """Squeeze spaces, put a capital letter first and a full stop (or ``end``) last.

    >>> sentence("the soup  was superb ")
    'The soup was superb.'
    """
    text = " ".join(words.split())
    return f"{text[0].upper()}{text[1:]}{end}"


def number_slots(rng: np.random.Generator) -> dict[str, str]:
    """Draw number words for templates: ``n``, ``few`` and ``times`` small, ``tens`` large."""
    return {
        "n": pick(rng, ("two", "three", "four", "five", "six")),
        "few": pick(rng, ("two", "three", "four")),
        "times": pick(rng, ("twice", "three times", "four times", "five times")),
        "tens": pick(rng, ("twenty", "thirty", "forty", "fifty", "ninety")),
    }
