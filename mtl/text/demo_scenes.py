"""Frames of who did what to what, where, when and how: drawn, varied, compared, put into words."""

from typing import Any, Literal, NamedTuple

import numpy as np

from mtl.text.demo_scene_words import MANNERS, MEETING, SCENES, TIMES, TRADES, Action, Filler, Scene
from mtl.text.phrases import pick, sentence

Mood = Literal["statement", "whether", "why"]
ROLES = ("action", "agent", "object", "place", "time", "manner")
WEIGHTS = {"action": 3.0, "agent": 2.0, "object": 2.0, "place": 1.0, "time": 1.0, "manner": 1.0}
_AGENTS = tuple(agent for trade in TRADES for agent in trade)
_TRADE_OF = {agent: index for index, trade in enumerate(TRADES) for agent in trade}


class Frame(NamedTuple):
    """What a sentence says. An empty tuple is a role that it does not speak of."""

    scene: Scene
    action: Action
    agent: Filler
    object: Filler
    place: Filler
    time: Filler
    manner: Filler


def _candidates(scene: Scene, role: str) -> tuple[tuple, ...]:
    """List the fillers that a role may have in a scene."""
    return {
        "action": scene.actions,
        "agent": _AGENTS,
        "object": scene.objects or _AGENTS,
        "place": scene.places,
        "time": TIMES,
        "manner": MANNERS,
    }[role]


def draw_frame(rng: np.random.Generator, *, meeting: float = 0.25, optional: float = 0.6) -> Frame:
    """Draw a frame.

    Args:
        rng: Source of the draw.
        meeting: Chance of a frame in which people act on people.
        optional: Chance of each of place, time and manner.
    """
    scene = MEETING if rng.random() < meeting else pick(rng, SCENES)
    frame = Frame(scene, pick(rng, scene.actions), pick(rng, _AGENTS), (), (), (), ())
    frame = vary(rng, frame, "object")
    for role in ("place", "time", "manner"):
        if rng.random() < optional:
            frame = vary(rng, frame, role)
    return frame


def fill(frame: Frame, role: str, filler: tuple = ()) -> Frame:
    """Put a filler into one role, or leave it unsaid."""
    change: dict[str, Any] = {role: filler}
    return frame._replace(**change)


def vary(rng: np.random.Generator, frame: Frame, role: str) -> Frame:
    """Give one role another filler of the same scene; nobody acts on themselves."""
    people = (frame.agent, frame.object) if role in ("agent", "object") else ()
    taken = (getattr(frame, role), *people)
    options = _candidates(frame.scene, role)
    filler = pick(rng, options)
    while filler in taken:
        filler = pick(rng, options)
    return fill(frame, role, filler)


def _likeness(first: Frame, second: Frame, role: str) -> float:
    """Compare one role: 1 the same filler, 1/2 one of a kind, 0 otherwise.

    Of a kind are agents of one trade, and actions or objects of one scene.
    """
    one, other = getattr(first, role), getattr(second, role)
    if one == other:
        return 1.0
    if one in _TRADE_OF or other in _TRADE_OF:
        return 0.5 * (_TRADE_OF.get(one, -1) == _TRADE_OF.get(other, -2))
    return 0.5 * (role in ("action", "object") and first.scene is second.scene)


def similarity(first: Frame, second: Frame) -> float:
    """Score two frames: 5 times the weighted share of their roles in common, to one decimal.

    The share is Σ weight · likeness / Σ weight over the roles that either frame fills, with
    likeness 1 for the same filler, 1/2 for fillers of a kind, 0 otherwise.

    Returns:
        A score from 0 (nothing in common) to 5 (the same frame).
    """
    roles = [role for role in ROLES if getattr(first, role) or getattr(second, role)]
    shared = sum(WEIGHTS[role] * _likeness(first, second, role) for role in roles)
    return round(5 * shared / sum(WEIGHTS[role] for role in roles), 1)


def say(rng: np.random.Generator, frame: Frame, mood: Mood = "statement") -> str:
    """Put a frame into words: draw a wording of each filler and an order of the sentence."""
    agent, thing, place, time, manner = (
        pick(rng, filler) if filler else "" for filler in frame[2:]
    )
    verb = pick(rng, frame.action)
    # "carefully" may stand before the verb, "with great care" only behind it.
    early = manner.endswith("ly") and rng.random() < 0.5
    before, after = (manner, "") if early else ("", manner)
    did = f"{before} {verb.past} {thing}"
    done = f"{before} {verb.participle} by {agent}"
    do = f"{before} {verb.base} {thing}"
    tail = f"{after} {place} {time}"
    orders: dict[Mood, tuple[str, ...]] = {
        "whether": (
            f"did {agent} {do} {tail}",
            f"was {thing} {done} {tail}",
            f"is it true that {agent} {did} {tail}",
            f"do you know whether {thing} was {done} {tail}",
        ),
        "why": (
            f"why did {agent} {do} {tail}",
            f"why was {thing} {done} {tail}",
            f"what made {agent} {do} {tail}",
            f"for what reason did {agent} {do} {tail}",
        ),
        "statement": (
            f"{agent} {did} {tail}",
            f"{thing} was {done} {tail}",
            f"it was {agent} who {did} {tail}",
            f"it was {thing} that {agent} {before} {verb.past} {tail}",
        ),
    }
    words = pick(rng, orders[mood])
    if mood == "statement" and time and rng.random() < 0.4:
        active, passive = f"{agent} {did}", f"{thing} was {done}"
        words = f"{time}, {pick(rng, (active, passive))} {after} {place}"
    return sentence(words, "." if mood == "statement" else "?")
