"""The built-in corpora: written here by grammars of frames, the same at every call."""

from difflib import SequenceMatcher
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.demo_pairs import paraphrases, similarities
from mtl.text.demo_sentiment import reviews
from mtl.text.tasks import Task

TASKS = {
    "sentiment": Task(
        name="sentiment",
        arity=1,
        output="classes",
        classes=("terrible", "bad", "mixed", "good", "great"),
    ),
    "paraphrase": Task(
        name="paraphrase", arity=2, output="classes", classes=("different", "paraphrase")
    ),
    "similarity": Task(
        name="similarity",
        arity=2,
        output="score",
        classes=("0", "1", "2", "3", "4", "5"),
        low=0.0,
        high=5.0,
    ),
}
SIZES = {
    "sentiment": {"train": 4000, "dev": 500, "test": 1000},
    "paraphrase": {"train": 3000, "dev": 400, "test": 800},
    "similarity": {"train": 3000, "dev": 402, "test": 798},
}
SEED = 20240815


class _Rows(NamedTuple):
    texts: list[str]
    pairs: list[str] | None
    values: NDArray[np.float64]


def _known(value: str, known: tuple[str, ...], what: str) -> str:
    """Give the value back if it is known.

    Raises:
        InputError: It is not; the message names the nearest that is.
    """
    if value in known:
        return value
    nearest = max(known, key=lambda name: SequenceMatcher(None, value.lower(), name).ratio())
    raise InputError(
        f"{what} {value!r} is unknown: did you mean {nearest!r}? There are {', '.join(known)}"
    )


def _rows(name: str, count: int) -> _Rows:
    if name == "sentiment":
        written = reviews(count, SEED)
        return _Rows(
            [review.text for review in written],
            None,
            np.array([review.grade + 2 for review in written], dtype=np.float64),
        )
    pairs = (paraphrases if name == "paraphrase" else similarities)(count, SEED)
    values = np.array([pair.value for pair in pairs], dtype=np.float64)
    return _Rows([pair.text for pair in pairs], [pair.other for pair in pairs], values)


def demo_corpus(name: str, split: str) -> Corpus:
    """Write one part of a built-in corpus.

    No sentence occurs twice in a corpus, so none of one part occurs in another. The classes of
    every part are equally frequent, as are the unit buckets of the scores.

    Args:
        name: ``sentiment`` (five grades, rules in ``demo_sentiment``), ``paraphrase`` (two
            classes) or ``similarity`` (0 … 5, rule in ``demo_scenes.similarity``).
        split: ``train``, ``dev`` or ``test``.

    Returns:
        The rows, in an order that does not tell their labels.

    Raises:
        InputError: There is no such corpus or part.

    Example:
        >>> corpus = demo_corpus("sentiment", "dev")
        >>> len(corpus), corpus.task.num_classes, corpus.ids[0]
        (500, 5, 'demo-sentiment-dev-00000')
    """
    task = TASKS[_known(name, tuple(TASKS), "the built-in corpus")]
    sizes = SIZES[name]
    splits = tuple(sizes)
    position = splits.index(_known(split, splits, f"the part of demo:{name}"))
    start = sum(list(sizes.values())[:position])
    rows = _rows(name, sum(sizes.values()))
    # The generators take labels in turn: a block is balanced, and shuffling hides the turn.
    order = start + np.random.default_rng((SEED, position)).permutation(sizes[split])
    values = rows.values[order]
    score = task.output == "score"
    return Corpus(
        task=task,
        source=f"demo:{name}",
        ids=tuple(f"demo-{name}-{split}-{number:05d}" for number in range(len(order))),
        texts=tuple(rows.texts[row] for row in order),
        pairs=None if rows.pairs is None else tuple(rows.pairs[row] for row in order),
        labels=task.bucket(values) if score else values.astype(np.int64),
        scores=values if score else None,
    )
