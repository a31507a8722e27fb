"""Graded sentiment sentences from frames whose label follows from a stated rule.

The rules (grades -2 … 2 are the classes terrible, bad, mixed, good, great):

* plain: the grade of the adjective; "extremely" and its like lift a mild grade to its pole.
* denial: a denied good word is bad, a denied bad word is good, and a denied terrible word only
  mixed ("not dull at all": good; "hardly superb": bad; "by no means awful": mixed). "Could not
  have been better / worse" and "nothing short of superb" stay at the pole.
* contrast: two opposed clauses; the main clause (after "but", outside "although") counts twice
  the other, and the mean is rounded to the nearest grade.
* hearsay: what others said, promised or feared counts nothing; what the speaker found decides.
* event: praise or pity around an event counts nothing; the event's own grade decides, so that
  "What a joy it was to wait two hours for cold soup" is terrible.
* feelings: what the speaker adds about themselves agrees with the grade of the rest.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mtl.text.demo_domains import DOMAINS, Aspect, Domain
from mtl.text.demo_sentiment_words import (
    ADJECTIVES,
    CONTRASTS,
    DENIALS,
    DENIED_FEELINGS,
    EMOTIONS,
    EXCLAMATIONS,
    FEELINGS,
    HEARSAY,
    INTENSIFIERS,
    MIXTURES,
    OUTCOMES,
    PLAIN_FEELINGS,
    SOFTENERS,
    SPEAKERS,
    VERDICTS,
)
from mtl.text.phrases import number_slots, pick, plural, sentence, with_article

GRADES = (-2, -1, 0, 1, 2)


class Review(NamedTuple):
    """One sentence, its grade (-2 … 2) and the frame that made it."""

    text: str
    grade: int
    frame: str


def deny(grade: int) -> int:
    """Grade of a denied statement: denied good is bad, denied bad good, denied terrible mixed.

    >>> [deny(grade) for grade in (-2, -1, 1, 2)]
    [0, 1, -1, -1]
    """
    return -1 if grade > 0 else grade + 2


def contrast(aside: int, main: int) -> int:
    """Grade of a contrast: the main clause counts twice, rounded to the nearest grade.

    >>> contrast(2, -2), contrast(2, -1), contrast(-2, 2)
    (-1, 0, 1)
    """
    return round((aside + 2 * main) / 3)


_OPPOSED = {
    grade: tuple((a, m) for a in GRADES for m in GRADES if a * m < 0 and contrast(a, m) == grade)
    for grade in (-1, 0, 1)
}


def _adjective(rng: np.random.Generator, aspect: Aspect, grade: int) -> str:
    """Draw an adjective that suits the aspect, from its own list twice as often as not."""
    kind = aspect.kind if rng.random() < 0.67 else "general"
    return pick(rng, ADJECTIVES[kind][grade])


def _slots(rng: np.random.Generator, domain: Domain, aspect: Aspect) -> dict[str, str]:
    """Fill the slots that templates of predicates may name."""
    kind = aspect.kind if rng.random() < 0.67 else "general"
    words = {g: pick(rng, ADJECTIVES[kind][g]) for g in (-2, -1, 1, 2)}
    return {
        "is_": "were" if aspect.plural else "was",
        "they": "they" if aspect.plural else "it",
        "terrible": words[-2],
        "bad": words[-1],
        "good": words[1],
        "great": words[2],
        "better": words[int(rng.integers(1, 3))],
        "occasion": domain.occasion,
    }


def _bare(rng: np.random.Generator, aspect: Aspect, grade: int) -> str:
    """Draw an adjective phrase without denial: "rather dull", "awfully clever", "superb"."""
    if abs(grade) == 2 and rng.random() < 0.4:
        return f"{pick(rng, INTENSIFIERS)} {_adjective(rng, aspect, grade // 2)}"
    if abs(grade) == 1 and rng.random() < 0.4:
        return f"{pick(rng, SOFTENERS[grade])} {_adjective(rng, aspect, grade)}"
    return _adjective(rng, aspect, grade)


def _plain(rng: np.random.Generator, domain: Domain, aspect: Aspect, grade: int) -> str:
    """Draw a predicate without denial: "was superb", "let us down"."""
    if rng.random() < 0.2:
        return pick(rng, OUTCOMES[grade]).format(occasion=domain.occasion)
    verb = "were" if aspect.plural else "was"
    if grade == 0 and rng.random() < 0.4:
        return f"{verb} {pick(rng, MIXTURES).format_map(_slots(rng, domain, aspect))}"
    return f"{verb} {_bare(rng, aspect, grade)}"


def _denied(rng: np.random.Generator, domain: Domain, aspect: Aspect, grade: int) -> str:
    """Draw a predicate of this grade that denies something else."""
    return pick(rng, DENIALS[grade]).format_map(_slots(rng, domain, aspect))


def _predicate(rng: np.random.Generator, domain: Domain, aspect: Aspect, grade: int) -> str:
    """Draw a predicate, a third of them denials."""
    say = _denied if rng.random() < 0.33 else _plain
    return say(rng, domain, aspect, grade)


def _two_aspects(rng: np.random.Generator, domain: Domain) -> tuple[Aspect, Aspect]:
    """Draw two different aspects of one domain."""
    first = int(rng.integers(len(domain.aspects)))
    step = int(rng.integers(1, len(domain.aspects)))
    return domain.aspects[first], domain.aspects[(first + step) % len(domain.aspects)]


def _opening(rng: np.random.Generator, domain: Domain, hedges: tuple[str, ...]) -> str:
    """Draw what may stand before a statement: a place, a hedge, or nothing."""
    item = pick(rng, domain.items)
    places = (
        f"{domain.preposition} this {item},",
        f"{domain.preposition} the {item} my cousin chose,",
    )
    return pick(rng, ("", "", *places, *hedges))


def _say_plain(rng: np.random.Generator, domain: Domain, grade: int) -> str:
    """One or two aspects of the same grade, no denial."""
    aspect, other = _two_aspects(rng, domain)
    clause = f"the {aspect.noun} {_plain(rng, domain, aspect, grade)}"
    shape = rng.random()
    if shape < 0.25:
        unused = tuple(word for word in ADJECTIVES["general"][grade] if word not in clause)
        adjective = pick(rng, unused)
        item = with_article(f"{adjective} {pick(rng, domain.items)}")
        return f"this was {item}, and {clause}"
    if shape < 0.5:
        clause += f", and the {other.noun} {_plain(rng, domain, other, grade)}"
    return f"{_opening(rng, domain, _HEDGES)} {clause}"


def _say_denial(rng: np.random.Generator, domain: Domain, grade: int) -> str:
    """A denial about one aspect, or about the whole thing and then an aspect."""
    aspect = pick(rng, domain.aspects)
    clause = f"the {aspect.noun} {_denied(rng, domain, aspect, grade)}"
    if rng.random() < 0.3:
        slots = {g: pick(rng, ADJECTIVES["general"][g]) for g in (-1, 2)}
        words = {name: with_article(slots[g]) for name, g in (("bad", -1), ("great", 2))}
        item = pick(rng, domain.items)
        verdict = pick(rng, VERDICTS[grade]).format(item=item, items=plural(item), **words)
        return f"{verdict}: the {aspect.noun} {_plain(rng, domain, aspect, grade)}"
    return f"{_opening(rng, domain, _HEDGES)} {clause}"


def _say_contrast(rng: np.random.Generator, domain: Domain, grade: int) -> str:
    """Two opposed clauses of which the main one counts twice."""
    aside, main = pick(rng, _OPPOSED[grade])
    first, second = _two_aspects(rng, domain)
    clauses = pick(rng, CONTRASTS).format(
        aside=f"the {first.noun} {_predicate(rng, domain, first, aside)}",
        aside_thing=f"the {_bare(rng, first, aside)} {first.noun}",
        main=f"the {second.noun} {_predicate(rng, domain, second, main)}",
    )
    return f"{_opening(rng, domain, ())} {clauses}" if rng.random() < 0.3 else clauses


def _say_hearsay(rng: np.random.Generator, domain: Domain, grade: int) -> str:
    """What others said, and what the speaker found."""
    aspect = pick(rng, domain.aspects)
    rumor = pick(rng, tuple(g for g in GRADES if g != 0 and abs(g - grade) >= 2))
    return pick(rng, HEARSAY).format(
        who=pick(rng, SPEAKERS),
        noun=aspect.noun,
        is_="were" if aspect.plural else "was",
        they="they" if aspect.plural else "it",
        them="them" if aspect.plural else "it",
        rumor=_bare(rng, aspect, rumor),
        own=_bare(rng, aspect, grade),
        predicate=_predicate(rng, domain, aspect, grade),
    )


def _say_event(rng: np.random.Generator, domain: Domain, grade: int) -> str:
    """An event inside an exclamation that may be sincere or ironic."""
    event = pick(rng, tuple(event for event in domain.events if event.grade == grade))
    rest = event.rest.format_map(number_slots(rng))
    exclamation = pick(rng, EXCLAMATIONS).format(
        occasion=domain.occasion, verb=f"{event.verb} {rest}", gerund=f"{event.gerund} {rest}"
    )
    return f"{_opening(rng, domain, ('well,', 'last weekend,', 'once again,'))} {exclamation}"


def _with_feeling(rng: np.random.Generator, review: str, grade: int) -> str:
    """Add how the speaker feels, which agrees with the review."""
    if abs(grade) < 2 and rng.random() < 0.4:
        words = {"bad": -1, "good": 1, "great": 2}
        slots = {name: pick(rng, EMOTIONS[g]) for name, g in words.items()}
        denied = pick(rng, DENIED_FEELINGS[grade]).format_map(slots)
        return pick(rng, FEELINGS).format(review=review, emotion=denied)
    feeling = pick(rng, FEELINGS + PLAIN_FEELINGS)
    return feeling.format(review=review, emotion=pick(rng, EMOTIONS[grade]))


_HEDGES = ("I have to say that", "all in all,", "last weekend,", "to be honest,", "in my view,")
_FRAMES = {
    "plain": _say_plain,
    "denial": _say_denial,
    "contrast": _say_contrast,
    "hearsay": _say_hearsay,
    "event": _say_event,
}
# Contrast cannot reach a pole, and no event is mixed.
_FRAMES_OF_GRADE = {
    -2: ("plain", "plain", "denial", "hearsay", "event"),
    -1: ("plain", "plain", "denial", "contrast", "hearsay", "event"),
    0: ("plain", "plain", "denial", "contrast", "contrast", "hearsay"),
    1: ("plain", "plain", "denial", "contrast", "hearsay", "event"),
    2: ("plain", "plain", "denial", "hearsay", "event"),
}


@lru_cache(maxsize=4)
def reviews(count: int, seed: int) -> tuple[Review, ...]:
    """Write distinct reviews, the five grades taking turns.

    Args:
        count: How many sentences.
        seed: Seed of the draw; the same seed gives the same sentences.

    Returns:
        ``count`` reviews without a repeated text; review i has grade ``i % 5 - 2``.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Review] = {}
    while len(found) < count:
        grade = GRADES[len(found) % 5]
        frame = pick(rng, _FRAMES_OF_GRADE[grade])
        text = _FRAMES[frame](rng, pick(rng, DOMAINS), grade)
        if rng.random() < 0.6 and ":" not in text:
            text = _with_feeling(rng, text.strip(), grade)
        text = sentence(text)
        found.setdefault(text, Review(text, grade, frame))
    return tuple(found.values())
