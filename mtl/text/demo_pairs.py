"""Paraphrase and similarity pairs, made from the frames of ``demo_scenes`` and ``demo_deals``.

A paraphrase says the same frame in other words. A hard negative changes one role, swaps two
people, or asks another question about the same event, and keeps most of the words.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mtl.text.demo_deals import draw_deal, draw_wish, say_deal, say_wish, vary_deal, vary_wish
from mtl.text.demo_scenes import ROLES, Frame, Mood, draw_frame, fill, say, similarity, vary
from mtl.text.phrases import pick

HARD = 0.8  # share of the negatives that keep most words


class Pair(NamedTuple):
    """Two sentences and what is to be said of them: 0 / 1 for paraphrase, or a score."""

    text: str
    other: str
    value: float


def _change(rng: np.random.Generator, frame: Frame) -> Frame:
    """Swap the two people where there are two, or change one filled role."""
    if not frame.scene.objects and rng.random() < 0.5:
        return frame._replace(agent=frame.object, object=frame.agent)
    return vary(rng, frame, pick(rng, tuple(role for role in ROLES if getattr(frame, role))))


def _scene_pair(rng: np.random.Generator, same: bool, *moods: Mood) -> tuple[str, str]:
    """Write two statements, or two questions, about one scene."""
    frame, mood = draw_frame(rng), pick(rng, moods)
    other, other_mood = frame, mood
    if not same:
        hard = rng.random() < HARD
        if hard and len(moods) > 1 and rng.random() < 0.2:
            other_mood = moods[1 - moods.index(mood)]
        else:
            other = _change(rng, frame) if hard else draw_frame(rng)
    return say(rng, frame, mood), say(rng, other, other_mood)


def _deal_pair(rng: np.random.Generator, same: bool) -> tuple[str, str]:
    deal = draw_deal(rng)
    changed = vary_deal(rng, deal) if rng.random() < HARD else draw_deal(rng)
    return say_deal(rng, deal), say_deal(rng, deal if same else changed)


def _wish_pair(rng: np.random.Generator, same: bool) -> tuple[str, str]:
    wish = draw_wish(rng)
    changed = vary_wish(rng, wish) if rng.random() < HARD else draw_wish(rng)
    return say_wish(rng, wish), say_wish(rng, wish if same else changed)


_FAMILIES: tuple[Callable[[np.random.Generator, bool], tuple[str, str]], ...] = (
    lambda rng, same: _scene_pair(rng, same, "statement"),
    lambda rng, same: _scene_pair(rng, same, "statement"),
    lambda rng, same: _scene_pair(rng, same, "whether", "why"),
    _deal_pair,
    _wish_pair,
)


@lru_cache(maxsize=4)
def paraphrases(count: int, seed: int) -> tuple[Pair, ...]:
    """Write pairs, different ones and paraphrases in turn, no sentence twice.

    Args:
        count: How many pairs.
        seed: Seed of the draw; the same seed gives the same pairs.

    Returns:
        ``count`` pairs; pair i has value ``i % 2``.
    """
    rng = np.random.default_rng(seed)
    pairs: list[Pair] = []
    seen: set[str] = set()
    while len(pairs) < count:
        same = len(pairs) % 2 == 1
        texts = pick(rng, _FAMILIES)(rng, same)
        if texts[0] != texts[1] and seen.isdisjoint(texts):
            seen.update(texts)
            pairs.append(Pair(*texts, float(same)))
    return tuple(pairs)


def _relative(rng: np.random.Generator, frame: Frame) -> Frame:
    """Draw a frame that shares anything from nothing to everything with this one."""
    if rng.random() < 0.3:
        return draw_frame(rng)
    for role in rng.permutation(ROLES)[: int(rng.integers(len(ROLES) + 1))]:
        if role in ("place", "time", "manner") and rng.random() < 0.4:
            frame = fill(frame, str(role))
        else:
            frame = vary(rng, frame, str(role))
    return frame


@lru_cache(maxsize=4)
def similarities(count: int, seed: int) -> tuple[Pair, ...]:
    """Write scored pairs, the unit buckets 0 … 5 of the score in turn, no sentence twice.

    Args:
        count: How many pairs.
        seed: Seed of the draw; the same seed gives the same pairs.

    Returns:
        ``count`` pairs; the score of pair i rounds (halves up) to ``i % 6``.
    """
    rng = np.random.default_rng(seed)
    pairs: list[Pair] = []
    seen: set[str] = set()
    waiting: list[list[tuple[Frame, Frame]]] = [[] for _ in range(6)]
    while len(pairs) < count:
        wanted = waiting[len(pairs) % 6]
        while not wanted:
            frame = draw_frame(rng)
            relative = _relative(rng, frame)
            waiting[int(similarity(frame, relative) + 0.5)].append((frame, relative))
        frame, relative = wanted.pop()
        texts = say(rng, frame), say(rng, relative)
        if texts[0] != texts[1] and seen.isdisjoint(texts):
            seen.update(texts)
            pairs.append(Pair(*texts, similarity(frame, relative)))
    return tuple(pairs)
