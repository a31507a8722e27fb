"""The terms of a task's loss: its own, a penalty on its head, an extra one on the vectors of pairs.

Each takes what the model made of a batch, and the batch, to a scalar. Shapes: B batch, D embedding.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mtl.bert.model import MultitaskModel, pair_input
from mtl.contrastive import (
    can_contrast,
    hardest_triplet,
    multiple_negatives_ranking,
    not_negatives,
    positive_class,
    positive_pairs,
    positive_rows,
    text_ids,
)
from mtl.errors import InputError
from mtl.losses import class_weights, cosine_similarity, loss_named, penalty_named
from mtl.settings import CLASS_LOSSES, TaskData
from mtl.text.data import Corpus
from mtl.text.tasks import Task
from mtl.text.tokens import TaskBatch


class Outputs(NamedTuple):
    """What a model makes of a batch, in float32."""

    output: Tensor
    """(B, C) logits or (B,) scores."""
    vectors: tuple[Tensor, ...]
    """The (B, D) that the head reads."""


Term = Callable[[Outputs, TaskBatch], Tensor]


def terms_of(model: MultitaskModel, name: str, data: TaskData) -> list[Term]:
    """Make the terms that a task's data ask for, each with its factor; none without a head.

    Raises:
        InputError: One is unknown, or does not fit the task or its head.
    """
    if model.head_settings[name].kind == "none":
        return []
    terms = [_loss(model, name, data)]
    if data.penalty:
        terms.append(_penalty(model, name, data))
    if data.extra:
        terms.append(_extra(model, name, data))
    return terms


def _loss(model: MultitaskModel, name: str, data: TaskData) -> Term:
    """Bind a task's loss, its class weights and its factor."""
    task = model.tasks[name]
    chosen = data.loss or task.loss
    fitting = ("mean_squared_error",) if task.output == "score" else CLASS_LOSSES
    loss_named(chosen)
    if chosen not in fitting:
        raise InputError(f"task {name!r}: loss {chosen} does not fit its output, {task.output}")
    if model.head_settings[name].kind == "binary":
        chosen = "cross_entropy"  # of its logits (0, z): the binary one of z
    loss, keywords = loss_named(chosen), {}
    if data.balanced:
        if task.output == "score":
            raise InputError(f"task {name!r}: a score has no classes to balance")
        labels = data.train.corpus.labels
        counts = np.bincount(labels[labels >= 0], minlength=task.num_classes)
        weights_C = class_weights(torch.from_numpy(counts)).float()
        keywords["weights_C"] = weights_C.to(model.encoder.device)

    def term(found: Outputs, batch: TaskBatch) -> Tensor:
        known = batch.labels_B if batch.scores_B is None else batch.scores_B
        return data.weight * loss(found.output, known.to(found.output.device), **keywords)

    return term


def _penalty(model: MultitaskModel, name: str, data: TaskData) -> Term:
    matrices = [p for p in model.head(name).parameters() if p.ndim > 1]
    penalty = penalty_named(data.penalty)
    if not matrices:
        raise InputError(f"task {name!r}: its head has no matrices for penalty {data.penalty}")
    return lambda found, batch: data.penalty_weight * penalty(matrices)


def _extra(model: MultitaskModel, name: str, data: TaskData) -> Term:
    """Bind a loss on the vectors of the two texts of each pair."""
    task, rows = model.tasks[name], data.train.corpus
    apart = task.arity == 2 and pair_input(model.head_settings[name]) != "cross"
    if not apart:
        reads = "one text" if task.arity == 1 else "both texts as one"
        raise InputError(
            f"task {name!r}: extra {data.extra} needs the vectors of two texts, and the head reads "
            f"{reads}; leave it out, or give a task of pairs another tasks.{name}.pair than cross"
        )
    if data.contrasts and not can_contrast(rows.select(positive_rows(rows))):
        raise InputError(
            f"task {name!r}: extra {data.extra} learns from pairs that mean the same, each against "
            f"others, and {rows.source} has no two without a text in common; leave it out"
        )
    term = _contrast(data.extra, rows) if data.contrasts else _cosine(task)
    return lambda found, batch: data.extra_weight * term(found, batch)


def _cosine(task: Task) -> Term:
    """Bind the squared distance of the cosine from the score, or from 1 for yes and 0 for no."""
    low, high = (task.low, task.high) if task.output == "score" else (0.0, 1.0)
    yes = positive_class(task) if task.output == "classes" else -1

    def term(found: Outputs, batch: TaskBatch) -> Tensor:
        known_B = batch.scores_B
        if known_B is None:
            known_B = (batch.labels_B == yes).float().masked_fill(batch.labels_B < 0, torch.nan)
        known_B = known_B.to(found.output.device)
        u_BD, v_BD, *_ = found.vectors
        return cosine_similarity((u_BD, v_BD), known_B, low=low, high=high)

    return term


def _contrast(extra: str, rows: Corpus) -> Term:
    """Bind a loss of the positive pairs of a batch, each other's negatives."""
    loss = hardest_triplet if extra == "triplet" else multiple_negatives_ranking
    first_N, second_N = text_ids(rows.texts, rows.pairs or ())

    def term(found: Outputs, batch: TaskBatch) -> Tensor:
        u_BD, v_BD, *_ = found.vectors
        chosen_B = positive_pairs(rows.task, batch.labels_B, batch.scores_B)
        if batch.singles is None or not chosen_B.any():
            return u_BD.sum() * 0.0
        places = torch.from_numpy(batch.singles.rows[: len(u_BD)])[chosen_B]
        excluded_BK = not_negatives(first_N[places], second_N[places]).to(u_BD.device)
        return loss(u_BD[chosen_B], v_BD[chosen_B], excluded_BK=excluded_BK)

    return term
