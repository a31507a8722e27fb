"""Scores of a multitask model over the rows of a task."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl.bert.model import MultitaskModel
from mtl.scores import class_scores, regression_scores
from mtl.text.tokens import TokenizedCorpus

BATCH_ROWS = 64


def predict_rows(
    model: MultitaskModel,
    task: str,
    corpus: TokenizedCorpus,
    *,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> NDArray[np.float64]:
    """Predict every row, those of like length together.

    Returns:
        Class probabilities (N, C), or scores (N,) within their range.
    """
    was_training = model.training
    model.eval()
    order = np.argsort(corpus.lengths, kind="stable")
    parts = []
    for start in range(0, len(order), BATCH_ROWS):
        with autocast():
            part = model.predict(task, corpus.batch(order[start : start + BATCH_ROWS]))
        parts.append(part.float().cpu())
    model.train(was_training)
    predicted = torch.cat(parts).double().numpy()
    in_order: NDArray[np.float64] = np.empty_like(predicted)
    in_order[order] = predicted
    return in_order


def evaluate(
    model: MultitaskModel,
    task: str,
    corpus: TokenizedCorpus,
    *,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> dict[str, Any]:
    """Score a model on the labelled rows of a task; see :mod:`mtl.scores` for the keys."""
    rows = corpus.corpus
    predicted = predict_rows(model, task, corpus, autocast=autocast)
    known = rows.labels >= 0
    if rows.scores is not None:
        return regression_scores(predicted[known], rows.scores[known], rows.task)
    return class_scores(predicted[known], rows.labels[known])
