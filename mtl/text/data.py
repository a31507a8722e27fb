"""A corpus: texts with ids and labels of one task, read from a file, the hub or the built-in ones.

Unlabelled rows carry -1 (and NaN as score), as in scikit-learn's semi-supervised estimators.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mtl.errors import InputError
from mtl.text.columns import Columns, find_columns, id_column
from mtl.text.labels import class_indices, clean, infer_kind, score_values, task_name
from mtl.text.readers import read_table
from mtl.text.table import SHOWN, Table, some
from mtl.text.tasks import Task

__all__ = ["Columns", "Corpus", "read_corpus"]

_INFERRED = Columns()
_DEMOS = ("sentiment", "paraphrase", "similarity")


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """N rows of text for one task.

    Args:
        task: What is predicted.
        source: Where the rows come from, as the user gave it.
        ids: (N,) distinct row ids.
        texts: (N,) sentences, or the first ones of pairs.
        pairs: (N,) second sentences; None for a task of single ones.
        labels: (N,) int64 indices into ``task.classes``, -1 unlabelled; buckets of the scores
            for a score task.
        scores: (N,) float64, NaN unlabelled; None unless the task is a score.
        notes: What a user should be told: inferred columns, rows left out.
    """

    task: Task
    source: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    pairs: tuple[str, ...] | None
    labels: NDArray[np.int64]
    scores: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.ids), len(self.texts), len(self.labels)}
        lengths |= {len(self.texts if part is None else part) for part in (self.pairs, self.scores)}
        if len(lengths) != 1:
            raise ValueError(f"{self.source}: columns of a corpus differ in length: {lengths}")

    def __len__(self) -> int:
        return len(self.texts)

    def select(self, indices: ArrayLike) -> "Corpus":
        """Keep the rows at these positions (or under this mask), in this order."""
        array = np.asarray(indices)
        # An empty list has no type of its own; a mask must stay one.
        rows = np.arange(len(self))[array if array.dtype == bool else array.astype(np.int64)]
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            texts=tuple(self.texts[row] for row in rows),
            pairs=None if self.pairs is None else tuple(self.pairs[row] for row in rows),
            labels=self.labels[rows],
            scores=None if self.scores is None else self.scores[rows],
        )


def read_corpus(
    source: str,
    *,
    columns: Columns = _INFERRED,
    task: Task | None = None,
    split: str = "train",
    require_labels: bool = True,
) -> Corpus:
    """Read texts, and labels where there are any.

    Args:
        source: A CSV, TSV, JSONL or Parquet file, ``hub:OWNER/NAME[:CONFIG]`` or ``demo:NAME``.
        columns: Column names; empty ones are inferred, and what was inferred is in the notes.
        task: The task of the training data, for every other part: labels must be of its classes.
        split: ``train``, ``dev`` or ``test``; chooses the part of a hub or built-in source.
        require_labels: Whether rows without labels are an error; False for texts to predict,
            whose label column may be absent and of which no row is left out.

    Raises:
        InputError: Anything is wrong with the source, in one line.
    """
    if source.startswith("demo:"):
        return _read_demo(source, task=task, split=split)
    table = read_table(source, split=split)
    found = find_columns(
        table, columns, arity=task.arity if task else 0, require_labels=require_labels
    )
    cells = clean(table.cells(found.label)) if found.label else [""] * len(table)
    if task is not None and not require_labels and not _fits(table, cells, task):
        # A file to predict may hold an unrelated column called "score", or classes that are new.
        found, cells = replace(found, label=""), [""] * len(table)
    task = task or _infer_task(table, found, cells)
    corpus = _assemble(table, found, task=task, cells=cells)
    useless = _useless_rows(table, found, cells) if require_labels else set()
    notes = [*table.notes, *_column_notes(table, columns, found), *corpus.notes]
    notes += _row_notes(table, found, useless, np.flatnonzero(corpus.labels < 0).tolist())
    if useless:
        corpus = corpus.select([row for row in range(len(table)) if row not in useless])
    if require_labels and not np.any(corpus.labels >= 0):
        raise InputError(f"{source}: no row has a label; label some in column {found.label!r}")
    return replace(corpus, notes=tuple(notes))


def _read_demo(source: str, *, task: Task | None, split: Any) -> Corpus:  # noqa: ANN401
    name: Any = source.removeprefix("demo:")
    if name not in _DEMOS:
        raise InputError(
            f"{source}: no such built-in corpus; choose {' or '.join(f'demo:{n}' for n in _DEMOS)}"
        )
    from mtl.text.demo import demo_corpus

    corpus = demo_corpus(name, split)
    if task is not None and corpus.task != task:
        raise InputError(
            f"{source}: its task, {corpus.task.name!r} with classes {some(corpus.task.classes)}, "
            f"is not the one trained on, {task.name!r} with classes {some(task.classes)}; give "
            "data of the same task"
        )
    return corpus


def _infer_task(table: Table, found: Columns, cells: Sequence[str]) -> Task:
    arity: Any = 2 if found.text_pair else 1
    if not found.label:
        return Task(name="text", arity=arity, output="classes", classes=())
    kind = infer_kind(table, found.label, cells)
    return Task(
        name=task_name(found.label),
        arity=arity,
        output=kind.output,
        classes=kind.classes,
        low=kind.low,
        high=kind.high,
    )


def _fits(table: Table, cells: Sequence[str], task: Task) -> bool:
    try:
        _parse(table, cells, task)
    except InputError:
        return False
    return True


def _parse(
    table: Table, cells: Sequence[str], task: Task
) -> tuple[NDArray[np.int64], NDArray[np.float64] | None]:
    if task.output == "classes":
        return class_indices(table, cells, task), None
    scores = score_values(table, cells, task)
    return task.bucket(scores), scores


def _assemble(table: Table, found: Columns, *, task: Task, cells: Sequence[str]) -> Corpus:
    labels, scores = _parse(table, cells, task)
    ids, notes = _ids(table, found)
    return Corpus(
        task=task,
        source=table.source,
        ids=ids,
        texts=tuple(table.cells(found.text)),
        pairs=tuple(table.cells(found.text_pair)) if found.text_pair else None,
        labels=labels,
        scores=scores,
        notes=notes,
    )


def _ids(table: Table, found: Columns) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take the id column where it names each row once; otherwise count the rows from 1."""
    name = id_column(table, found)
    ids = tuple(cell.strip() for cell in table.cells(name)) if name else ()
    if ids and all(ids) and len(set(ids)) == len(ids):
        return ids, ()
    counted = tuple(str(row + 1) for row in range(len(table)))
    unusable = f"{table.source}: column {name!r} repeats or lacks ids; row numbers serve as ids"
    return counted, (unusable,) if name else ()


def _useless_rows(table: Table, found: Columns, cells: Sequence[str]) -> set[int]:
    """Find the rows that lack both their label and their (second) sentence."""
    texts = table.cells(found.text_pair or found.text)
    return {row for row in range(len(table)) if not cells[row] and not texts[row].strip()}


def _row_notes(
    table: Table, found: Columns, useless: set[int], unlabelled: Sequence[int]
) -> list[str]:
    """Say which rows are left out, and which have no label though there is a label column."""
    notes = []
    if useless:
        what = "second sentence" if found.text_pair else "text"
        places = _places(table, found, sorted(useless))
        notes.append(f"{table.source}: skipped {places}, with neither {what} nor label")
    kept = [row for row in unlabelled if row not in useless]
    if kept and found.label:
        written = table.columns[found.label]
        minus = any(str(written[row]).strip().startswith("-1") for row in kept)
        meaning = ", a label of -1 read as none" if minus else ""
        notes.append(f"{table.source}: without a label{meaning}: {_places(table, found, kept)}")
    return notes


def _places(table: Table, found: Columns, rows: Sequence[int]) -> str:
    """Count rows and say where the first few are, with their ids."""
    name = id_column(table, found)
    shown = [
        table.where(row) + (f", id {table.columns[name][row]}" if name else "")
        for row in rows[:SHOWN]
    ]
    return f"{len(rows)} row{'s' * (len(rows) > 1)} ({some(shown, total=len(rows))})"


def _column_notes(table: Table, given: Columns, found: Columns) -> tuple[str, ...]:
    inferred = [
        f"{part} is column {name!r} (--data.{part})"
        for part, name, said in (
            ("text", found.text, given.text),
            ("text_pair", found.text_pair, given.text_pair),
            ("label", found.label, given.label),
        )
        if name and not said
    ]
    return (f"{table.source}: inferred: {', '.join(inferred)}",) if inferred else ()
