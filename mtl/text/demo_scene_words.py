"""Words of the pair grammars: people by trade, scenes of actions and objects, places, times.

A filler is a tuple of wordings that mean the same; its first wording is its name.
"""

from typing import NamedTuple

Filler = tuple[str, ...]


class Verb(NamedTuple):
    """One wording of an action: "take", "took", "taken"."""

    base: str
    past: str
    participle: str


# Wordings of one action.
Action = tuple[Verb, ...]


class Scene(NamedTuple):
    """Actions that suit all objects of the scene, and the places where it plays."""

    actions: tuple[Action, ...]
    objects: tuple[Filler, ...]
    places: tuple[Filler, ...]


def _fillers(text: str) -> tuple[Filler, ...]:
    """Read "the sofa = the couch, the lamp": commas between fillers, = between wordings."""
    return tuple(tuple(words.split(" = ")) for words in text.split(", "))


def _verb(text: str) -> Verb:
    """Read "paint" (regular), "buy bought" or "dig_up dug_up"; an underscore joins words."""
    base, *forms = text.split()
    regular = f"{base[:-1]}ied" if base.endswith("y") and base[-2] not in "aeiou" else f"{base}ed"
    past = forms[0] if forms else regular.replace("eed", "ed")
    words = (base, past, forms[-1] if forms else past)
    return Verb(*(word.replace("_", " ") for word in words))


def _actions(text: str) -> tuple[Action, ...]:
    """Read "buy bought = purchase, paint": commas between actions, = between wordings."""
    return tuple(tuple(map(_verb, wordings.split(" = "))) for wordings in text.split(", "))


def _scene(actions: str, objects: str, places: str) -> Scene:
    return Scene(_actions(actions), _fillers(objects), _fillers(places))


# Trades: two agents of one trade are half alike in a similarity score.
TRADES: tuple[tuple[Filler, ...], ...] = tuple(
    _fillers(text)
    for text in (
        "the doctor = the physician, the nurse, the dentist, the pharmacist = the druggist",
        "the teacher = the schoolteacher, the student = the pupil, the professor, the librarian",
        "the baker, the butcher, the cook = the chef, the waiter",
        "the actor, the singer = the vocalist, the dancer, the poet",
        "the farmer, the gardener, the shepherd, the fisherman",
        "the lawyer = the attorney, the judge, the police officer = the policeman, the mayor",
        "the pilot, the taxi driver = the cab driver, the sailor = the seaman, the bus driver",
        "the boy, the girl, the old man = the elderly man, the old woman = the elderly woman",
    )
)

SCENES: tuple[Scene, ...] = (
    _scene(
        "repair = fix = mend, paint, clean = wash, move = shift, sell sold, lift",
        "the wooden bench, the bicycle = the bike, the garden gate, the rowboat = the rowing boat, "
        "the kitchen chair, the handcart",
        "in the garage, behind the barn, in the back yard = in the backyard, next to the house",
    ),
    _scene(
        "cook = prepare = make made, serve = dish_up dished_up, taste = try = sample, "
        "order = request, share = divide",
        "the tomato soup, the lentil stew, the apple pie, the roast chicken, the rice pudding, "
        "the fish curry",
        "in the kitchen, at the café = at the coffee shop, at the farmhouse, on the terrace",
    ),
    _scene(
        "write wrote written = draft, sign, revise = edit, "
        "read read = look_through looked_through, copy = duplicate, translate",
        "the contract = the agreement, the letter, the annual report = the yearly report, "
        "the petition, the invitation, the will = the testament",
        "in the office, in the library, at the town hall = at the city hall, in the courtroom",
    ),
    _scene(
        "perform = play, record = tape, rehearse = practice, compose = write wrote written, "
        "interrupt = break_off broke_off broken_off",
        "the sonata, the waltz, the folk song, the wedding march, the lullaby = the cradle song",
        "at the concert hall, in the studio, at the school, in the church = in the chapel",
    ),
    _scene(
        "plant, water, prune = trim trimmed = cut_back cut_back, photograph, "
        "dig_up dug_up = uproot, admire = marvel_at marveled_at",
        "the rosebush, the apple tree, the hedge, the grapevine = the vine, "
        "the oak sapling = the young oak, the tulip bed",
        "in the garden, behind the church, in the park, along the road = by the road",
    ),
    _scene(
        "buy bought = purchase, sell sold, steal stole stolen, wrap wrapped = pack, "
        "polish, hide hid hidden = conceal",
        "the silver necklace, the antique vase, the brass lamp, the oil painting, "
        "the wristwatch = the watch, the leather suitcase",
        "at the market, at the fair, in the old town = in the historic center, at the harbor",
    ),
    _scene(
        "examine = inspect, measure, draw drew drawn = sketch, photograph, bury, carry",
        "the fossil, the ancient coin = the old coin, the meteorite, the rare orchid, the crystal, "
        "the bronze dagger",
        "in the desert, on the beach = on the shore, near the river = by the river, in the cave",
    ),
    _scene(
        "watch = follow, organize = arrange, cancel = call_off called_off, film, announce",
        "the chess match = the chess game, the relay race, the tennis final, the sailing race, "
        "the debate",
        "at the stadium, in the gym = in the gymnasium, on the lake, at the fairground",
    ),
)

# In this scene people act on people, so that the two may change places; it has no things.
MEETING = Scene(
    _actions(
        "call = phone = telephone, visit, thank, interview = question, help = assist, criticize, "
        "praise = compliment, greet, warn = alert, photograph"
    ),
    (),
    _fillers(
        "at the station = at the train station, in the hospital, at the hotel, "
        "in front of the bank, at the airport, in the elevator = in the lift"
    ),
)

TIMES = _fillers(
    "on Monday, on Friday, last week, yesterday, at noon = at midday, in the morning, at midnight, "
    "last summer = in the summer of last year, before breakfast, after sunset = after nightfall, "
    "two days ago = the day before yesterday, during the storm = in the middle of the storm"
)

MANNERS = _fillers(
    "carefully = with great care, quickly = in a hurry = hastily, quietly = without a sound, "
    "reluctantly = with some reluctance, cheerfully = with a smile, secretly = in secret, "
    "without any help = with nobody's help, for the first time, once again = one more time, "
    "against all advice = despite every warning"
)
