"""Fields of the sentiment grammar: what is reviewed, its aspects, and what may happen there."""

from typing import NamedTuple


class Aspect(NamedTuple):
    """One thing a reviewer talks about: its noun, the adjectives that suit it, its number."""

    noun: str
    kind: str
    plural: bool


class Event(NamedTuple):
    """Something that happened: "wait" / "waiting" + "two hours for a table", and its grade."""

    verb: str
    gerund: str
    rest: str
    grade: int


class Domain(NamedTuple):
    """A field of reviews."""

    items: tuple[str, ...]
    preposition: str
    occasion: str
    aspects: tuple[Aspect, ...]
    events: tuple[Event, ...]


def _aspects(text: str) -> tuple[Aspect, ...]:
    """Read "plot:story, jokes+:story": noun, a plus for a plural, kind."""
    parts = (part.split(":") for part in text.split(", "))
    return tuple(Aspect(noun.rstrip("+"), kind, noun.endswith("+")) for noun, kind in parts)


def _events(text: str) -> tuple[Event, ...]:
    """Read one event a line: "-2 wait/waiting {n} hours", slots as in number_slots."""
    events = []
    for line in text.strip().splitlines():
        grade, verbs, rest = line.split(maxsplit=2)
        verb, gerund = verbs.split("/")
        events.append(Event(verb, gerund, rest, int(grade)))
    return tuple(events)


DOMAINS: tuple[Domain, ...] = (
    Domain(
        ("film", "movie"),
        "in",
        "evening",
        _aspects(
            "plot:story, ending:story, dialogue:story, acting:general, soundtrack:general, "
            "jokes+:story, special effects+:general, first half:story, final scene:story"
        ),
        _events("""
            -2 sit/sitting through {n} hours of pointless shouting
            -2 feel/feeling sick from the shaky camera for {n} hours
            -1 guess/guessing the ending after {n} minutes
            -1 hear/hearing the same joke {times}
            1 hear/hearing {n} good jokes in a row
            1 recognize/recognizing the music of my childhood
            2 leave/leaving the cinema with goosebumps
            2 see/seeing {n} legendary actors at their very best"""),
    ),
    Domain(
        ("restaurant", "bistro", "diner"),
        "at",
        "dinner",
        _aspects(
            "soup:food, steak:food, dessert:food, fish:food, noodles+:food, waiters+:staff, "
            "cooks+:general, dining room:place, terrace:place, wine list:general"
        ),
        _events("""
            -2 wait/waiting {n} hours for cold soup
            -2 spend/spending the night sick after the fish
            -2 find/finding {few} dead flies in the salad
            -1 wait/waiting {tens} minutes for the bill
            -1 ask/asking {times} for a glass of water
            1 get/getting {few} free olives while we waited
            1 be/being greeted by name at the door
            2 taste/tasting the best dessert of my life
            2 be/being surprised with {n} dishes on the house"""),
    ),
    Domain(
        ("hotel", "guesthouse", "hostel"),
        "at",
        "stay",
        _aspects(
            "room:place, bathroom:place, breakfast:food, receptionists+:staff, porters+:staff, "
            "check-in:process, lobby:place, pool:place, view:general, beds+:general"
        ),
        _events("""
            -2 share/sharing the bed with {n} cockroaches
            -2 wake/waking up covered in bites
            -2 discover/discovering that our bags had been robbed
            -1 listen/listening to a drill from {n} in the morning
            -1 climb/climbing {n} floors because the elevator was broken
            1 find/finding {few} chocolates on the pillow
            1 sleep/sleeping {tens} extra minutes without hearing a sound
            2 get/getting a free upgrade to the finest suite
            2 watch/watching {few} dolphins from our private balcony"""),
    ),
    Domain(
        ("novel", "book", "thriller"),
        "in",
        "vacation",
        _aspects(
            "plot:story, prose:general, ending:story, dialogue:story, opening chapter:story, "
            "twists+:story, descriptions+:story, love story:story, characters+:general"
        ),
        _events("""
            -2 suffer/suffering through {n} hundred pages of hateful nonsense
            -2 waste/wasting {n} weeks on a story without an ending
            -1 wade/wading through {tens} pages about the weather
            -1 spot/spotting {n} typos on one page
            1 meet/meeting {n} characters worth caring about
            1 learn/learning something new in every chapter
            2 be/being moved to tears {times}
            2 stay/staying up until {n} in the morning because I could not stop reading"""),
    ),
    Domain(
        ("phone", "smartphone"),
        "with",
        "week",
        _aspects(
            "screen:device, camera:device, battery:device, buttons+:device, setup:process, "
            "speakers+:device, fingerprint reader:device, support agents+:staff, keyboard:device"
        ),
        _events("""
            -2 lose/losing all my photos after {n} days
            -2 watch/watching the battery catch fire within {n} hours
            -1 charge/charging it {times} a day
            -1 delete/deleting {tens} apps nobody asked for
            1 set/setting it up in {n} minutes
            1 find/finding {few} spare cables in the box
            2 go/going {n} whole days on one charge
            2 take/taking {n} pictures that look like works of art"""),
    ),
    Domain(
        ("shop", "store", "boutique"),
        "at",
        "afternoon",
        _aspects(
            "salespeople+:staff, cashiers+:staff, fitting rooms+:place, checkout:process, "
            "return process:process, selection:general, window display:general, "
            "delivery:process"
        ),
        _events("""
            -2 be/being charged {times} for a broken lamp
            -2 be/being accused of theft in front of {n} strangers
            -1 stand/standing in line for {tens} minutes
            -1 drive/driving back {times} for the right size
            1 get/getting a small discount on {n} pairs of socks
            1 be/being offered {few} cups of fresh coffee
            2 get/getting a full refund and {n} gifts as an apology
            2 find/finding the dress of my dreams at half price"""),
    ),
    Domain(
        ("train", "night train", "express"),
        "on",
        "journey",
        _aspects(
            "seats+:general, compartment:place, conductors+:staff, restrooms+:place, "
            "ticket app:device, boarding:process, snacks+:food, sandwiches+:food, "
            "dining car:place"
        ),
        _events("""
            -2 stand/standing in a dark tunnel for {n} hours
            -2 miss/missing my own wedding by {n} hours
            -1 arrive/arriving {tens} minutes late
            -1 share/sharing {n} seats with a pile of luggage
            1 arrive/arriving {tens} minutes early
            1 get/getting a window seat and {few} cups of tea
            2 watch/watching the Alps glow at sunrise from a private cabin
            2 be/being moved to first class for {n} hours at no cost"""),
    ),
    Domain(
        ("museum", "gallery"),
        "at",
        "visit",
        _aspects(
            "guides+:staff, guards+:staff, exhibits+:story, audio guide:device, tour:story, "
            "main hall:place, sculptures+:general, labels+:general, ticket sale:process"
        ),
        _events("""
            -2 pay/paying {n} times the price to see closed doors
            -2 be/being shouted at by {n} guards
            -1 look/looking at {n} empty frames
            -1 walk/walking {n} floors to find a restroom
            1 see/seeing {n} famous paintings without a crowd
            1 get/getting in free with {few} friends
            2 stand/standing in tears before {n} masterpieces
            2 be/being shown the secret archive by the director"""),
    ),
)
