"""The data of one run: training rows with their drawn labels, and the parts that are scored.

Held-out parts are taken out before labels are drawn, so that no draw depends on their labels.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acgan_bert.recipe import DataRecipe
from mtl.errors import InputError
from mtl.files import sha256
from mtl.text.data import Columns, Corpus, read_corpus
from mtl.text.splits import Split, draw_labels, set_aside
from mtl.text.tasks import Task

# Sources that come with their own dev and test parts.
_WITH_PARTS = ("demo:", "hub:")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts:
    """The rows of one run.

    Args:
        train: N rows, with every label that the source has; :meth:`visible` hides the others.
        split: Which of them are labelled and unlabelled.
        dev: Labelled rows scored during training, or None.
        test: Labelled rows scored once at the end, or None.
        notes: What the user should be told.
        hashes: By part, the source and its SHA-256.
        pool: The training source as it was read. The training rows are rows of it, and so are
            the parts that were asked for as fractions; it is embedded whole, so that every split
            of it shares one cached matrix.
        taken: Names of the held-out parts that are rows of the pool.
    """

    train: Corpus
    split: Split
    dev: Corpus | None
    test: Corpus | None
    notes: tuple[str, ...]
    hashes: dict[str, dict[str, str]]
    pool: Corpus
    taken: frozenset[str]

    @property
    def task(self) -> Task:
        """What is predicted."""
        return self.train.task

    def rows(self) -> NDArray[np.int64]:
        """Return the sorted training rows that are used, labelled and unlabelled."""
        return np.union1d(self.split.labeled, self.split.unlabeled)

    def visible(self) -> NDArray[np.int64]:
        """Return the drawn labels of :meth:`rows`, -1 for every other row."""
        return self.hidden().labels[self.rows()]

    def hidden(self) -> Corpus:
        """Return the training rows without the labels that were not drawn."""
        shown = np.zeros(len(self.train), dtype=bool)
        shown[self.split.labeled] = True
        scores = self.train.scores
        return replace(
            self.train,
            labels=np.where(shown, self.train.labels, -1),
            scores=None if scores is None else np.where(shown, scores, np.nan),
        )

    def held_out(self) -> dict[str, Corpus]:
        """Return the scored parts that there are, by name; the one to compare on first."""
        named = {"test": self.test, "dev": self.dev}
        return {name: part for name, part in named.items() if part is not None}

    def pool_rows(self, part: Corpus) -> NDArray[np.int64]:
        """Find the rows of the pool that a part taken out of it consists of."""
        row_of = {row_id: row for row, row_id in enumerate(self.pool.ids)}
        return np.array([row_of[row_id] for row_id in part.ids], dtype=np.int64)

    def split_json(self) -> dict[str, list[str]]:
        """Give the ids of every part, as their sources call the rows."""
        return {
            "labeled": [self.train.ids[row] for row in self.split.labeled],
            "unlabeled": [self.train.ids[row] for row in self.split.unlabeled],
            "dev": list(self.dev.ids) if self.dev else [],
            "test": list(self.test.ids) if self.test else [],
        }


def read_parts(data: DataRecipe, *, seed: int, pool: Corpus | None = None) -> Parts:
    """Read, check and split the data of a recipe, or of one task in it.

    Args:
        data: Sources, columns and shares.
        seed: Of the draws.
        pool: The training source, where it has been read already.

    Raises:
        InputError: Anything is wrong with a source, a fraction or the labels, in one line.
    """
    if pool is None:
        pool = read_corpus(data.train, columns=columns_of(data))
    hashes = {"train": _identify(data.train, pool)}
    notes = list(pool.notes)
    held_out: dict[str, Corpus | None] = {}
    for part, source, fraction in (
        ("test", data.test, data.test_fraction),
        ("dev", data.dev, data.dev_fraction),
    ):
        corpus = _given_part(data, part, source, fraction, task=pool.task, notes=notes)
        if corpus is not None:
            hashes[part] = _identify(corpus.source, corpus)
            corpus = corpus.select(np.flatnonzero(corpus.labels >= 0))
        held_out[part] = corpus
    train, taken = _set_aside(pool, data, held_out, seed=seed)
    try:
        split = draw_labels(
            train.labels,
            fraction=data.label_fraction,
            per_class=data.labels_per_class,
            unlabeled_fraction=data.unlabeled_fraction,
            imbalance=data.label_imbalance,
            unlabeled_imbalance=data.unlabeled_imbalance,
            seed=seed,
            classes=train.task.classes,
        )
    except InputError as error:
        raise InputError(f"{data.train}: {error}") from error
    used = train.select(np.union1d(split.labeled, split.unlabeled))
    notes += _contamination(used, held_out)
    return Parts(
        train=train,
        split=split,
        **held_out,
        notes=tuple(dict.fromkeys(notes)),
        hashes=hashes,
        pool=pool,
        taken=frozenset(taken),
    )


def columns_of(data: DataRecipe) -> Columns:
    """Return the column names that a recipe gives."""
    return Columns(text=data.text, text_pair=data.text_pair, label=data.label)


def _given_part(
    data: DataRecipe, part: str, source: str, fraction: float, *, task: Task, notes: list[str]
) -> Corpus | None:
    """Read a part from its own source, or from a training source that brings one along."""
    columns = columns_of(data)
    if source:
        corpus = read_corpus(source, columns=columns, task=task, split=part)
    elif not fraction and data.train.startswith(_WITH_PARTS):
        try:
            corpus = read_corpus(data.train, columns=columns, task=task, split=part)
        except InputError as error:
            # Nobody asked for this part, and many hub data sets lack it or hide its labels.
            notes.append(f"no {part} part: {error}")
            return None
    else:
        return None
    notes.extend(corpus.notes)
    return corpus


def _set_aside(
    pool: Corpus, data: DataRecipe, held_out: dict[str, Corpus | None], *, seed: int
) -> tuple[Corpus, dict[str, float]]:
    """Take the parts that are asked for as fractions out of the rows and put them in their place.

    Returns:
        The rest, and the fraction of each part that was taken.
    """
    wanted = {"test": data.test_fraction, "dev": data.dev_fraction}
    wanted = {name: share for name, share in wanted.items() if share and held_out[name] is None}
    rest, left = pool, 1.0
    for name, share in wanted.items():
        rest, held_out[name] = set_aside(rest, fraction=share / left, seed=seed)
        left -= share
    return rest, wanted


def _identify(source: str, corpus: Corpus) -> dict[str, str]:
    """Hash a file's bytes, or the rows of a source that is no file."""
    if not source.startswith(_WITH_PARTS):
        return {"source": source, "sha256": sha256(Path(source).expanduser())}
    digest = hashlib.sha256()
    rows = (corpus.ids, corpus.texts, corpus.pairs, corpus.labels.tolist())
    digest.update(json.dumps(rows).encode())
    return {"source": source, "sha256": digest.hexdigest()}


def _contamination(used: Corpus, held_out: dict[str, Corpus | None]) -> list[str]:
    """Count held-out rows whose text is also among the training rows, word for word."""
    seen = set(_texts(used))
    notes = []
    for name, part in held_out.items():
        count = 0 if part is None else sum(text in seen for text in _texts(part))
        if part is not None and count:
            notes.append(
                f"{count} of {len(part)} {name} rows also occur word for word among the "
                f"training texts, which flatters every score on {name}"
            )
    return notes


def _texts(corpus: Corpus) -> list[Any]:
    if corpus.pairs is None:
        return list(corpus.texts)
    return list(zip(corpus.texts, corpus.pairs, strict=True))
