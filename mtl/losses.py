"""Task losses and weight penalties by name: pure functions of predictions and targets.

A row without a target (label -1, score NaN) contributes exactly zero and the mean is over the other
rows, 0 where there are none. Shapes: ``B`` batch, ``C`` classes, ``D`` embedding.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from mtl.choices import suggestion
from mtl.errors import InputError

Chosen = TypeVar("Chosen")


def class_weights(counts_C: Tensor) -> Tensor:
    """Weigh rare classes up: w_c = N / (C count_c), N = Σ count (Aggarwal and Cruz, section 4).

    The mean weight of a training row is then 1, so that the size of the loss stays what it was.

    Args:
        counts_C: Training rows of each class.

    Returns:
        (C,) weights; 0 for a class without rows.

    Example:
        >>> class_weights(torch.tensor([6, 2, 4]))
        tensor([0.6667, 2.0000, 1.0000])
    """
    weights_C = counts_C.sum() / (len(counts_C) * counts_C)
    return weights_C.masked_fill(counts_C == 0, 0.0)


def cross_entropy(
    logits_BC: Tensor, labels_B: Tensor, *, weights_C: Tensor | None = None
) -> Tensor:
    """-Σ w_y log softmax(logits)_y / count.

    The divisor counts rows: dividing by their weights, as torch does, would make the gradient of a
    batch depend on which classes met in it, and a batch of one ignore its weight.

    Args:
        logits_BC: Class logits.
        labels_B: Class indices, -1 unlabeled.
        weights_C: Weight of each class, of :func:`class_weights`; None for 1.
    """
    total = functional.cross_entropy(
        logits_BC, labels_B, weight=weights_C, ignore_index=-1, reduction="sum"
    )
    return total / (labels_B >= 0).sum().clamp_min(1)


def binary_cross_entropy(
    logits_BC: Tensor, labels_B: Tensor, *, weights_C: Tensor | None = None
) -> Tensor:
    """Logistic loss, each column a question of its own: "is it class c?"; mean over the columns.

    A single column asks for class 1: the one logit that the papers have for paraphrases. Two or
    more columns are one-vs-rest, which is not the cross-entropy of their softmax.

    Args:
        logits_BC: One logit a question, (B, C), or (B, 1) for two classes.
        labels_B: Class indices, -1 unlabeled.
        weights_C: Weight of each class, by the label of a row; None for 1.
    """
    columns = logits_BC.shape[1]
    asked = torch.arange(columns, device=logits_BC.device) if columns > 1 else labels_B.new_ones(1)
    answers_BC = (labels_B.unsqueeze(-1) == asked).to(logits_BC.dtype)
    loss_BC = functional.binary_cross_entropy_with_logits(logits_BC, answers_BC, reduction="none")
    loss_B = loss_BC.mean(-1)
    if weights_C is not None:
        loss_B = loss_B * weights_C[labels_B.clamp_min(0)]
    return _mean_of_known(loss_B, labels_B >= 0)


def mean_squared_error(predictions_B: Tensor, scores_B: Tensor) -> Tensor:
    """Σ (prediction - score)² / count.

    Args:
        predictions_B: Predicted scores.
        scores_B: True scores, NaN unlabeled.
    """
    known_B = ~scores_B.isnan()
    # Masked before it is squared: the slope of a NaN's square is NaN even behind a mask.
    gap_B = (predictions_B - scores_B).masked_fill(~known_B, 0.0)
    return _mean_of_known(gap_B.square(), known_B)


def cosine_similarity(
    pair: tuple[Tensor, Tensor], scores_B: Tensor, *, low: float = 0.0, high: float = 5.0
) -> Tensor:
    """Σ (cos(u, v) - (score - low) / (high - low))² / count (Reimers and Gurevych 2019, section 3).

    The range goes to [0, 1], as theirs does, not to [-1, 1]: texts of the lowest score are
    unrelated, which is a cosine of 0, not opposite.

    Args:
        pair: Vectors u_BD and v_BD of the two texts.
        scores_B: True scores, NaN unlabeled.
        low: Lowest score.
        high: Highest score.
    """
    cosine_B = functional.cosine_similarity(*pair, dim=-1)
    return mean_squared_error(cosine_B, (scores_B - low) / (high - low))


def weight_norm(weights: Sequence[Tensor], *, order: float) -> Tensor:
    """‖w‖_p of all weights as one vector, not squared for p = 2 (Aggarwal and Cruz, section 4).

    Args:
        weights: One or more tensors of any shape, such as a head's matrices.
        order: p, such as 1, 2 or infinity.
    """
    norms = [torch.linalg.vector_norm(weight, order) for weight in weights]
    return torch.linalg.vector_norm(torch.stack(norms), order)


LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error": mean_squared_error,
    "cosine_similarity": cosine_similarity,
}
"""Each takes predictions and targets; class weights and the score range are keywords to bind."""

PENALTIES: Mapping[str, Callable[[Sequence[Tensor]], Tensor]] = {
    "l1": partial(weight_norm, order=1.0),
    "l2": partial(weight_norm, order=2.0),
    "linf": partial(weight_norm, order=math.inf),
}
"""Each takes the weights of a task."""


def loss_named(name: str) -> Callable[..., Tensor]:
    """Return a loss of :data:`LOSSES`.

    Raises:
        InputError: There is none of this name; it names the nearest.
    """
    return _named("loss", "losses", name, LOSSES)


def penalty_named(name: str) -> Callable[[Sequence[Tensor]], Tensor]:
    """Return a penalty of :data:`PENALTIES`.

    Raises:
        InputError: There is none of this name; it names the nearest.
    """
    return _named("penalty", "penalties", name, PENALTIES)


def _named(one: str, many: str, name: str, table: Mapping[str, Chosen]) -> Chosen:
    if name in table:
        return table[name]
    raise InputError(
        f"unknown {one} {name!r}; {suggestion(name, table)}the {many} are {', '.join(table)}"
    )


def _mean_of_known(loss_B: Tensor, known_B: Tensor) -> Tensor:
    if loss_B.shape != known_B.shape:  # (B, 1) less (B,) would be (B, B) without a word
        raise ValueError(
            f"a loss of shape {tuple(loss_B.shape)} for {tuple(known_B.shape)} targets: "
            "predictions and targets must have one shape"
        )
    return loss_B.masked_fill(~known_B, 0.0).sum() / known_B.sum().clamp_min(1)
