"""Predictions for texts that are given as lists, without a corpus around them.

Shapes: N texts or pairs, C classes.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mtl.bert.model import MultitaskModel, pair_input
from mtl.errors import InputError
from mtl.evaluate import predict_rows
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from mtl.text.tokens import TokenizedCorpus


def predict_texts(
    model: MultitaskModel, name: str, texts: Sequence[str], pairs: Sequence[str] | None = None
) -> NDArray[np.float64]:
    """Predict one task for each text, or each pair of texts.

    Args:
        model: Left in the mode it is in.
        name: The task.
        texts: N texts, or the first ones of pairs; empty ones are texts too.
        pairs: N second texts, where the task is about pairs.

    Returns:
        Class probabilities (N, C), or scores (N,) within their range.

    Raises:
        InputError: The model has no such task, or the texts are not what it is about.
    """
    if name not in model.tasks:
        raise InputError(f"task {name!r}: the model does not have it; use {', '.join(model.tasks)}")
    task = model.tasks[name]
    corpus = _corpus(task, texts, pairs)
    if not len(corpus):
        return np.empty((0, task.num_classes) if task.output == "classes" else 0)
    return predict_rows(model, name, text_rows(model, name, corpus))


def text_rows(model: MultitaskModel, task: str, corpus: Corpus) -> TokenizedCorpus:
    """Tokenize a corpus as a task of a model reads it."""
    encoder, head = model.encoder, model.head_settings[task]
    return TokenizedCorpus(
        corpus, encoder.tokenizer, pair_input=pair_input(head), max_length=encoder.max_length
    )


def _corpus(task: Task, texts: Sequence[str], pairs: Sequence[str] | None) -> Corpus:
    """Put the texts into a corpus without labels."""
    if (pairs is not None) != (task.arity == 2):
        wanted = (
            "2 texts a row; give both lists" if task.arity == 2 else "1 text a row; give texts only"
        )
        raise InputError(f"task {task.name!r}: it is about {wanted}")
    first = _strings("texts", texts)
    second = None if pairs is None else _strings("pairs", pairs)
    count = len(first)
    if second is not None and len(second) != count:
        raise InputError(f"pairs: {len(second)} for {count} texts; give one for each")
    return Corpus(
        task=task,
        source="texts",
        ids=tuple(map(str, range(count))),
        texts=first,
        pairs=second,
        labels=np.full(count, -1),
        scores=np.full(count, np.nan) if task.output == "score" else None,
    )


def _strings(part: str, column: Sequence[str]) -> tuple[str, ...]:
    if isinstance(column, str):
        raise InputError(f"{part}: {column[:40]!r} is one text; give a list of texts")
    for row, text in enumerate(column):
        if not isinstance(text, str):
            raise InputError(f"{part}: row {row} is {text!r}; every row must be a string")
    return tuple(column)
