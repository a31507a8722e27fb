"""Corpora of other kinds made from the shared files: kinds of questions, and two-class sentiment.

Question kinds stand in for a set such as TREC's: classes that a sentence encoder does not lay apart
by itself. They follow from how a question of Quora's begins, by the rules below, so that they are
cleaner than labels of people are.
"""

import re
from pathlib import Path

import numpy as np

from mtl.text.data import Corpus, read_corpus
from mtl.text.tasks import Task

KINDS = {
    "person": r"(who|whose|whom)\b|what (person|actor|president|celebrity)\b",
    "number": r"(how (many|much|long|old|far|often|tall|fast)|when|what (year|time|percentage|age|"
    r"date))\b",
    "place": r"where\b|(which|what) (is the best )?(country|city|place|state|countries|cities|"
    r"places)\b|what are (some |the )?(best |good )?places\b",
    "reason or way": r"(why|how (do|can|does|did|should)|what is the difference)\b|"
    r"what does .* mean\b",
    "thing": r"(what|which) (is|are) (some |the )?(good |best )?(books?|movies?|songs?|foods?|"
    r"apps?|laptops?|phones?|software|websites?|games?|cars?|compan(y|ies)|languages?|brands?|"
    r"colleges?)\b|"
    r"which (book|movie|song|app|laptop|phone|software|game|car|company|language|college)\b",
    "yes or no": r"(is|are|can|does|do|will|should|did|has|was|would)\b",
}
"""How questions of a kind begin; the first kind that fits is a question's."""
MOST = 700
"""Questions of a kind."""
SHORTEST, LONGEST = 13, 109
"""Characters of a question."""


def question_kinds(path: Path) -> Corpus:
    """Read questions of Quora's pairs, and tell their kinds."""
    pairs = read_corpus(str(path))
    assert pairs.pairs is not None
    texts = list(dict.fromkeys((*pairs.texts, *pairs.pairs)))
    rules = [re.compile(rule) for rule in KINDS.values()]
    places: list[list[int]] = [[] for _ in rules]
    for row in np.random.default_rng(0).permutation(len(texts)):
        text = texts[row].lower()
        kind = next((k for k, rule in enumerate(rules) if rule.match(text)), None)
        if SHORTEST <= len(text) <= LONGEST and kind is not None and len(places[kind]) < MOST:
            places[kind].append(int(row))
    labels = np.repeat(np.arange(len(rules)), [len(rows) for rows in places])
    chosen = [row for rows in places for row in rows]
    task = Task(name="kind", arity=1, output="classes", classes=tuple(KINDS))
    ids, found = tuple(map(str, chosen)), tuple(texts[row] for row in chosen)
    return Corpus(task, str(path), ids, found, None, labels, None)


def two_classes(corpus: Corpus) -> Corpus:
    """Leave the neutral rows of SST-5 out, and join what is on either side."""
    kept = corpus.select(np.flatnonzero(corpus.labels != 2))
    task = Task(name="polarity", arity=1, output="classes", classes=("negative", "positive"))
    labels = (kept.labels > 2).astype(np.int64)
    return Corpus(task, kept.source, kept.ids, kept.texts, None, labels, None)
