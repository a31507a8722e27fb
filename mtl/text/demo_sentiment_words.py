"""Words and templates of the sentiment grammar, by grade: -2 (terrible), 0 (mixed), 2 (great).

Slots of the templates: {is_} "was" or "were", {they} "it" or "they"; {great}, {good}, {bad},
{terrible} an adjective of that grade, {better} one of the two upper grades; {item} and {items}
what is reviewed.
"""

Graded = dict[int, tuple[str, ...]]


def _graded(terrible: str, bad: str, mixed: str, good: str, great: str) -> Graded:
    lists = (terrible, bad, mixed, good, great)
    return {grade: tuple(text.split(", ")) for grade, text in zip(range(-2, 3), lists, strict=True)}


# "general" suits everything; the other lists suit one kind of aspect.
ADJECTIVES: dict[str, Graded] = {
    "general": _graded(
        "dreadful, awful, terrible, appalling, atrocious, abysmal, horrible, horrendous, ghastly, "
        "disgraceful, deplorable, hideous",
        "disappointing, poor, underwhelming, unimpressive, lackluster, unsatisfying, substandard, "
        "second-rate, mediocre, unpleasant, inferior",
        "average, ordinary, unremarkable, passable, middling, unexceptional, so-so, acceptable, "
        "tolerable, run-of-the-mill",
        "good, pleasing, decent, agreeable, likable, nice, solid, satisfying, enjoyable, pleasant, "
        "appealing",
        "superb, outstanding, magnificent, exceptional, wonderful, fantastic, brilliant, amazing, "
        "excellent, splendid, glorious, perfect",
    ),
    "staff": _graded(
        "hostile, abusive, insulting, cruel, vicious, despicable",
        "rude, unhelpful, inattentive, grumpy, impatient, careless, unfriendly",
        "businesslike, matter-of-fact, civil but distant, correct but cool",
        "friendly, helpful, polite, attentive, kind, welcoming, considerate",
        "extraordinarily kind, impeccable, marvelous, exemplary, fabulous",
    ),
    "food": _graded(
        "inedible, revolting, disgusting, rancid, repulsive, vile",
        "bland, greasy, stale, soggy, tasteless, undercooked, unappetizing",
        "edible, plain, filling but forgettable, harmless",
        "tasty, fresh, flavorful, appetizing, well seasoned, wholesome",
        "exquisite, heavenly, divine, sublime, out of this world, scrumptious",
    ),
    "story": _graded(
        "unbearable, insufferable, excruciating, painfully inept, moronic, mind-numbing",
        "dull, predictable, tedious, clumsy, muddled, forgettable, boring",
        "conventional, familiar, pleasant but forgettable, neither fresh nor stale",
        "engaging, clever, moving, charming, entertaining, interesting, witty",
        "spellbinding, breathtaking, unforgettable, masterful, dazzling, mesmerizing",
    ),
    "place": _graded(
        "filthy, squalid, disgusting, unsanitary, revolting, nauseating",
        "shabby, cramped, noisy, dingy, stuffy, drab, uncomfortable",
        "basic, functional, plain, no-frills",
        "clean, comfortable, cozy, tidy, inviting, bright, charming",
        "immaculate, gorgeous, palatial, stunning, breathtaking, enchanting",
    ),
    "device": _graded(
        "useless, worthless, unusable, hopeless, laughably bad, utterly broken",
        "unreliable, flimsy, sluggish, clunky, awkward, shoddy, fiddly",
        "standard, serviceable, functional, conventional",
        "reliable, sturdy, handy, responsive, practical, dependable, useful",
        "phenomenal, stunning, first-rate, unbeatable, sensational, spectacular",
    ),
    "process": _graded(
        "chaotic, disastrous, nightmarish, shambolic, catastrophic, infuriating",
        "slow, confusing, frustrating, disorganized, stressful, inefficient, annoying",
        "uneventful, routine, standard, unspectacular",
        "smooth, quick, easy, simple, convenient, efficient, orderly",
        "effortless, faultless, flawless, seamless, impeccable, sublime",
    ),
}

# Lift a mild adjective of either sign to its pole; half of them sound like blame.
INTENSIFIERS = ("extremely", "incredibly", "terribly", "awfully")
SOFTENERS = {-1: ("a bit", "rather", "mostly"), 1: ("fairly", "rather", "mostly")}

# What an aspect did to the reviewer.
OUTCOMES: Graded = {
    -2: ("ruined the whole {occasion}", "made us want to run away", "drove us up the wall"),
    -1: ("let us down", "left us cold", "got on our nerves"),
    0: ("neither pleased nor annoyed us", "made no impression either way"),
    1: ("won us over", "cheered us up", "put a smile on our faces"),
    2: ("made the whole {occasion} for us", "took our breath away", "left us in awe"),
}

MIXTURES = (
    "by turns {good} and {bad}",
    "by turns {bad} and {good}",
    "sometimes {good} and sometimes {bad}",
    "sometimes {bad} and sometimes {good}",
)

# Predicates that deny something; the grade is what is left (see demo_sentiment.deny).
DENIALS: Graded = {
    -2: (
        "could not have been worse",
        "{is_} nothing short of {terrible}",
        "{is_} not just {bad} but {terrible}",
        "{is_} never less than {terrible}",
    ),
    -1: (
        "{is_} not {good} at all",
        "{is_} anything but {good}",
        "{is_} never {good} for a moment",
        "{is_} far from {better}",
        "{is_} hardly {great}",
        "{is_} not nearly as {better} as {they} could have been",
        "did not cheer us up",
    ),
    0: (
        "{is_} neither {good} nor {bad}",
        "{is_} neither {bad} nor {good}",
        "{is_} by no means {terrible}",
        "{is_} not {terrible}, just not {good} either",
        "{is_} not nearly as {terrible} as {they} could have been",
        "did not quite ruin the {occasion}",
    ),
    1: (
        "{is_} not {bad} at all",
        "{is_} anything but {bad}",
        "{is_} never {bad} for a moment",
        "{is_} far from {bad}",
        "{is_} hardly {bad}",
        "{is_} not nearly as {bad} as {they} could have been",
        "did not let us down",
    ),
    2: (
        "could not have been better",
        "{is_} nothing short of {great}",
        "{is_} not just {good} but {great}",
        "{is_} never less than {great}",
    ),
}

# The same about the whole thing rather than one aspect.
VERDICTS: Graded = {
    -2: ("I have rarely come across a worse {item}", "it is hard to imagine a worse {item}"),
    -1: ("you could do far better than this {item}", "nobody will call this {great} {item}"),
    0: (
        "I have come across worse {items}, and better ones too",
        "this was neither the best nor the worst {item} of my life",
    ),
    1: ("you could do far worse than this {item}", "nobody will call this {bad} {item}"),
    2: ("I have rarely come across a better {item}", "it is hard to imagine a better {item}"),
}

# {aside} counts half of {main}; {aside_thing} is the aside as a noun phrase.
CONTRASTS = (
    "{aside}, but {main}",
    "{aside}, yet {main}",
    "granted, {aside}, but {main}",
    "although {aside}, {main}",
    "even though {aside}, {main}",
    "while {aside}, {main}",
    "{main}, although {aside}",
    "{main}, even if {aside}",
    "{main}, though {aside}",
    "despite {aside_thing}, {main}",
    "{main} in spite of {aside_thing}",
)

# {rumor} is what others said, and counts nothing.
HEARSAY = (
    "{who} had called the {noun} {rumor}, but I found {them} {own}",
    "I found the {noun} {own}, although {who} had called {them} {rumor}",
    "I had expected the {noun} to be {rumor}, but {they} turned out {own}",
    "{who} had described the {noun} as {rumor}, yet {they} {predicate}",
    "the {noun} {predicate}, even though {who} had described {them} as {rumor}",
    "I cannot agree with {who} that the {noun} {is_} {rumor}: {they} {predicate}",
    "whoever told {who} that the {noun} {is_} {rumor} was wrong: {they} {predicate}",
)
SPEAKERS = ("my sister", "my father", "our neighbors", "the critics", "my boss", "our friends")

# Praise and pity around an event count nothing; pity is rarer, as in life.
EXCLAMATIONS = (
    "what a joy it was to {verb}",
    "what a treat it was to {verb}",
    "how lovely it was to {verb}",
    "how thoughtful of them to let us {verb}",
    "it was a real pleasure to {verb}",
    "the highlight of the {occasion} was {gerund}",
    "my favorite part of the {occasion} was {gerund}",
    "nothing made my {occasion} like {gerund}",
    "there was nothing quite like {gerund}",
    "I was lucky enough to {verb}",
    "what a hardship it was to {verb}",
    "poor me, I had to {verb}",
    "the worst I can report is {gerund}",
)

EMOTIONS = _graded(
    "furious, miserable, disgusted, outraged, heartbroken, livid, horrified, devastated",
    "annoyed, disappointed, unhappy, frustrated, irritated, dissatisfied, displeased",
    "undecided, indifferent, torn, unmoved, of two minds, lukewarm, unsure what to think",
    "happy, pleased, content, satisfied, cheerful, glad, impressed",
    "overjoyed, ecstatic, thrilled, delighted, enraptured, euphoric, elated",
)

# How the speaker feels about it all; agrees with the grade of {review}.
FEELINGS = ("I was {emotion}: {review}", "{review}, so I was {emotion}")
# These do not go well with a denied emotion.
PLAIN_FEELINGS = (
    "I ended up {emotion}: {review}",
    "{review}; it left me {emotion}",
    "{review}; I am still {emotion}",
)
DENIED_FEELINGS: Graded = {
    -1: ("not {good}", "hardly {great}", "not {good} at all", "far from {good}"),
    0: ("neither {good} nor {bad}", "neither {bad} nor {good}"),
    1: ("not {bad}", "hardly {bad}", "not {bad} at all", "far from {bad}"),
}
