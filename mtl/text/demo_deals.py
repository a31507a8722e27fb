"""Two further families of paraphrase frames: things that change hands, and how-to questions."""

from typing import NamedTuple, TypeVar

import numpy as np

from mtl.text.demo_scene_words import TIMES, TRADES, Filler
from mtl.text.phrases import pick, sentence

T = TypeVar("T")
_AGENTS = tuple(agent for trade in TRADES for agent in trade)

# A deal can be told from either side: {giver} lends, {taker} borrows, and both say the same.
DEALS: dict[str, tuple[str, ...]] = {
    "lend": (
        "{giver} lent {thing} to {taker}",
        "{giver} lent {taker} {thing}",
        "{taker} borrowed {thing} from {giver}",
        "{thing} was lent to {taker} by {giver}",
    ),
    "sell": (
        "{giver} sold {thing} to {taker}",
        "{giver} sold {taker} {thing}",
        "{taker} bought {thing} from {giver}",
        "{thing} was purchased by {taker} from {giver}",
    ),
    "give": (
        "{giver} gave {thing} to {taker} as a present",
        "{taker} received {thing} from {giver} as a present",
        "{taker} was given {thing} by {giver} as a gift",
    ),
    "rent": (
        "{giver} rented out {thing} to {taker}",
        "{taker} rented {thing} from {giver}",
        "{thing} was rented out to {taker} by {giver}",
    ),
    "mail": (
        "{giver} mailed {thing} to {taker}",
        "{giver} sent {taker} {thing} by mail",
        "{taker} got {thing} in the mail from {giver}",
    ),
    "return": (
        "{giver} returned {thing} to {taker}",
        "{giver} gave {thing} back to {taker}",
        "{taker} got {thing} back from {giver}",
    ),
    "lose": (
        "{giver} lost {thing} to {taker} at cards",
        "{taker} won {thing} from {giver} at cards",
    ),
}
THINGS: tuple[Filler, ...] = (
    ("the camera",),
    ("the violin", "the fiddle"),
    ("the telescope",),
    ("the sewing machine",),
    ("the tent",),
    ("the road atlas", "the book of road maps"),
    ("the saddle",),
    ("the chess set",),
    ("the typewriter",),
    ("the fur coat",),
)


class Deal(NamedTuple):
    """Who passed what to whom, and when."""

    kind: str
    giver: Filler
    taker: Filler
    thing: Filler
    time: Filler


def _other(rng: np.random.Generator, options: tuple[T, ...], *taken: T) -> T:
    """Draw an option that is not taken."""
    return pick(rng, tuple(option for option in options if option not in taken))


def draw_deal(rng: np.random.Generator) -> Deal:
    """Draw a deal between two different people."""
    giver = pick(rng, _AGENTS)
    taker = _other(rng, _AGENTS, giver)
    return Deal(pick(rng, tuple(DEALS)), giver, taker, pick(rng, THINGS), pick(rng, TIMES))


def vary_deal(rng: np.random.Generator, deal: Deal) -> Deal:
    """Swap giver and taker (half the time), or change the kind, the thing or the time."""
    if rng.random() < 0.5:
        return deal._replace(giver=deal.taker, taker=deal.giver)
    return pick(
        rng,
        (
            deal._replace(kind=_other(rng, tuple(DEALS), deal.kind)),
            deal._replace(thing=_other(rng, THINGS, deal.thing)),
            deal._replace(time=_other(rng, TIMES, deal.time)),
        ),
    )


def say_deal(rng: np.random.Generator, deal: Deal) -> str:
    """Put a deal into words, from either side."""
    told = pick(rng, DEALS[deal.kind]).format(
        giver=pick(rng, deal.giver), taker=pick(rng, deal.taker), thing=pick(rng, deal.thing)
    )
    time = pick(rng, deal.time)
    return sentence(pick(rng, (f"{told} {time}", f"{time}, {told}")))


GOALS: tuple[tuple[Filler, tuple[str, ...]], ...] = (
    (
        ("learn {}", "teach myself {}"),
        ("French", "Spanish", "Japanese", "calculus", "chess", "sign language"),
    ),
    (
        ("grow {}", "raise {}"),
        ("tomatoes", "basil", "strawberries", "sunflowers", "pumpkins", "orchids"),
    ),
    (
        ("sell {}", "find a buyer for {}"),
        ("my car", "my old house", "a used piano", "my stamp collection", "a racing bike"),
    ),
    (
        ("clean {}", "get {} clean"),
        ("a leather sofa", "a wool carpet", "a camping stove", "a silver tray", "a fish tank"),
    ),
    (
        ("repair {}", "fix {}"),
        ("a leaking roof", "a cracked window", "a broken zipper", "a squeaky door", "a flat tire"),
    ),
    (
        ("write {}", "put together {}"),
        (
            "a cover letter",
            "a business plan",
            "a wedding speech",
            "a short story",
            "a grant proposal",
        ),
    ),
    (
        ("prepare for {}", "get ready for {}"),
        ("a job interview", "a marathon", "a driving test", "a math exam", "a piano recital"),
    ),
    (
        ("save money for {}", "put money aside for {}"),
        ("a wedding", "a new car", "a trip to Japan", "college", "a house by the sea"),
    ),
    (
        ("find {}", "track down {}"),
        ("a good dentist", "a cheap apartment", "an honest mechanic", "a reliable babysitter"),
    ),
)
CONDITIONS: tuple[Filler, ...] = (
    ("without spending much", "on a small budget"),
    ("without leaving the house", "from home"),
    ("without any help", "on my own"),
    ("in a big city", "in a large city"),
    ("in a small village", "in a tiny village"),
    ("as a beginner", "with no experience"),
    ("while working full time", "alongside a full-time job"),
    ("with two small children", "with two little kids"),
)
DEADLINES: tuple[Filler, ...] = (
    ("in a week", "within seven days"),
    ("in a month", "within four weeks"),
    ("before the winter", "before it gets cold"),
    ("over the weekend", "on Saturday and Sunday"),
    ("this year", "before the year ends"),
    ("over the summer", "during the summer months"),
)
WISHES = (
    "how can I {}",
    "how do I {}",
    "what is the best way to {}",
    "is there a good way to {}",
    "what should I do to {}",
    "do you have any tips on how to {}",
)


class Wish(NamedTuple):
    """What somebody wants to do, under which condition, and by when."""

    goal: Filler
    object: str
    condition: Filler
    deadline: Filler


def draw_wish(rng: np.random.Generator) -> Wish:
    """Draw a wish."""
    goal, objects = pick(rng, GOALS)
    return Wish(goal, pick(rng, objects), pick(rng, CONDITIONS), pick(rng, DEADLINES))


def vary_wish(rng: np.random.Generator, wish: Wish) -> Wish:
    """Change the object, the condition or the deadline."""
    objects = next(objects for goal, objects in GOALS if goal == wish.goal)
    return pick(
        rng,
        (
            wish._replace(object=_other(rng, objects, wish.object)),
            wish._replace(condition=_other(rng, CONDITIONS, wish.condition)),
            wish._replace(deadline=_other(rng, DEADLINES, wish.deadline)),
        ),
    )


def say_wish(rng: np.random.Generator, wish: Wish) -> str:
    """Put a wish into words, as a question."""
    goal = pick(rng, wish.goal).format(wish.object)
    words = f"{goal} {pick(rng, wish.condition)} {pick(rng, wish.deadline)}"
    return sentence(pick(rng, WISHES).format(words), "?")
