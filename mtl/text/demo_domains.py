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
    """Read one event a line: "-2 wait/waiting {n} hours"; {n}, {few}, {tens} are drawn later."""
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
            -1 hear/hearing the same joke {n} times
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
            -1 ask/asking {few} times for a glass of water
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
            2 be/being moved to tears {few} times
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
            -1 charge/charging it {few} times a day
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
            -2 be/being charged {n} times for a broken lamp
            -2 be/being accused of theft in front of {n} strangers
            -1 stand/standing in line for {tens} minutes
            -1 drive/driving back {few} times for the right size
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
    Domain(
        ("concert", "show", "gig"),
        "at",
        "night",
        _aspects(
            "band:general, opening act:story, encore:story, sound system:device, "
            "ushers+:staff, venue:place, entry:process, lighting:general, "
            "new songs+:story, bathrooms+:place"
        ),
        _events("""
            -2 be/being crushed against a fence for {n} hours
            -2 hear/hearing the singer insult the crowd {few} times
            -1 see/seeing nothing but the backs of {n} tall men
            -1 wait/waiting {tens} minutes for the band to show up
            1 sing/singing along to {n} old favorites
            1 find/finding {few} good seats near the front
            2 be/being invited on stage with {n} other fans
            2 hear/hearing {n} encores that gave me chills"""),
    ),
    Domain(
        ("coffee machine", "espresso maker"),
        "with",
        "morning",
        _aspects(
            "coffee:food, milk frother:device, water tank:device, controls+:device, grinder:device, "
            "delivery:process, support agents+:staff, timer:device, cappuccinos+:food"
        ),
        _events("""
            -2 flood/flooding the kitchen with boiling water {few} times
            -2 throw/throwing it in the trash after {n} days
            -1 clean/cleaning {n} tiny parts after every cup
            -1 read/reading {tens} pages before the first cup
            1 have/having a decent cup ready in {n} minutes
            1 get/getting {n} free bags of beans in the box
            2 drink/drinking the best espresso of my life every day
            2 win/winning over {n} coffee snobs with the first sip"""),
    ),
    Domain(
        ("flight", "red-eye flight"),
        "on",
        "trip",
        _aspects(
            "flight attendants+:staff, seats+:general, meal:food, boarding:process, cabin:place, "
            "screens+:device, pilots+:general, headphones+:device, lavatories+:place"
        ),
        _events("""
            -2 sleep/sleeping on the airport floor for {n} nights
            -2 lose/losing {n} suitcases for good
            -1 be/being squeezed between {n} crying babies
            -1 wait/waiting {tens} minutes on the runway
            1 have/having {few} free seats next to me
            1 land/landing {tens} minutes early
            2 be/being given a real bed and {n} splendid courses
            2 see/seeing the northern lights for {n} hours"""),
    ),
)
