"""Scores of a multitask model over the rows of a task."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl.bert.model import MultitaskModel
from mtl.calibration import fit_temperature, tempered
from mtl.scores import class_scores, regression_scores
from mtl.text.tokens import TaskBatch, TokenizedCorpus

BATCH_ROWS = 64
Predict = Callable[[str, TaskBatch], Tensor]
"""Takes a task and rows of it to class probabilities (B, C), or scores (B,)."""


def predict_rows(
    model: MultitaskModel,
    task: str,
    corpus: TokenizedCorpus,
    *,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
    predict: Predict | None = None,
) -> NDArray[np.float64]:
    """Predict every row, those of like length together.

    Args:
        model: Put into evaluation mode meanwhile.
        task: One of its tasks.
        corpus: N rows.
        autocast: Opens the context of the forward passes.
        predict: What answers; None: the model.

    Returns:
        Class probabilities (N, C), or scores (N,) within their range.
    """
    was_training = model.training
    model.eval()
    order = np.argsort(corpus.lengths, kind="stable")
    parts = []
    for start in range(0, len(order), BATCH_ROWS):
        with autocast():
            part = (predict or model.predict)(task, corpus.batch(order[start : start + BATCH_ROWS]))
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
    predict: Predict | None = None,
) -> dict[str, Any]:
    """Score a model on the labelled rows of a task; see :mod:`mtl.scores` for the keys.

    Arguments are those of :func:`predict_rows`.
    """
    rows = corpus.corpus
    predicted = predict_rows(model, task, corpus, autocast=autocast, predict=predict)
    known = rows.labels >= 0
    if rows.scores is not None:
        return regression_scores(predicted[known], rows.scores[known], rows.task)
    temperature = model.temperatures[task]
    return class_scores(predicted[known], rows.labels[known], temperature=temperature)


def calibrate(model: MultitaskModel, task: str, corpus: TokenizedCorpus) -> dict[str, Any]:
    """Fit the temperature of a class task, which its predictions have from then on.

    Args:
        model: Remembers it, when it is saved too.
        task: A class task.
        corpus: Rows that the model was not trained on; unlabelled ones are left out.

    Returns:
        The scores of these rows under it, as :func:`evaluate` gives them. It is 1 where none can be
        fitted, as :func:`mtl.calibration.fit_temperature` says.
    """
    model.temperatures[task] = 1.0
    known = corpus.corpus.labels >= 0
    labels, before = corpus.corpus.labels[known], predict_rows(model, task, corpus)[known]
    with np.errstate(divide="ignore"):  # a probability of 0
        temperature = fit_temperature(np.log(before), labels)
    model.temperatures[task] = temperature
    return class_scores(tempered(before, temperature), labels, temperature=temperature)
