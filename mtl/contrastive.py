"""Contrastive losses over vectors of texts, and the pairs that they learn from.

Sources: Gao et al. 2021 (SimCSE), Henderson et al. 2017 (multiple negatives ranking), Reimers and
Gurevych 2019 (triplets), Tunstall et al. 2022 (SetFit). The formulas that the papers of this
project print are garbled (He and Zhao sum the positive pairs of all rows below the line); these are
the originals'.
Shapes: ``B`` rows, ``D`` embedding, ``K`` candidates: B, or 2 B with hard negatives.
"""

import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu

from mtl.errors import InputError
from mtl.text.data import Corpus
from mtl.text.tasks import Task

_OPPOSITES = {"0": "1", "0.0": "1.0", "no": "yes", "n": "y", "false": "true", "f": "t"}
_DIFFERENT = ("different", "dissimilar", "unrelated", "unique", "negative")
_NEGATIONS = ("not", "non", "no", "un")


def simcse(
    anchor_BD: Tensor,
    positive_BD: Tensor,
    negative_BD: Tensor | None = None,
    *,
    temperature: float = 0.05,
    excluded_BK: Tensor | None = None,
) -> Tensor:
    """-log exp(s_ii⁺ / τ) / Σ_j (exp(s_ij⁺ / τ) + exp(s_ij⁻ / τ)), s the cosine; mean over rows.

    Unsupervised, anchor and positive are two passes over one text with dropout on (equations 1 and
    4); supervised, the two texts of a positive pair (1), with hard negatives where given (5).

    Args:
        anchor_BD: Vectors of the anchors.
        positive_BD: Vectors of their positives, and negatives of the other rows.
        negative_BD: Vectors of one hard negative a row, and negatives of the others as well.
        temperature: τ.
        excluded_BK: True where a candidate is no negative of a row; of :func:`not_negatives`.
    """
    candidates_KD = positive_BD if negative_BD is None else torch.cat([positive_BD, negative_BD])
    scores_BK = normalize(anchor_BD, dim=-1) @ normalize(candidates_KD, dim=-1).mT / temperature
    if excluded_BK is not None:
        scores_BK = scores_BK.masked_fill(excluded_BK, -torch.inf)
    return cross_entropy(scores_BK, torch.arange(len(anchor_BD), device=scores_BK.device))


def multiple_negatives_ranking(
    anchor_BD: Tensor,
    positive_BD: Tensor,
    *,
    scale: float = 20.0,
    excluded_BK: Tensor | None = None,
) -> Tensor:
    """-log softmax_j(scale · cos(a_i, p_j))_i, mean over rows (Henderson et al. 2017, section 4).

    The cosine and its scale are those of sentence-transformers, in place of the dot product: at
    scale 20 this is supervised SimCSE at τ = 0.05.

    Args:
        anchor_BD: Vectors of the anchors.
        positive_BD: Vectors of their positives, and negatives of the other rows.
        scale: Factor of the cosine.
        excluded_BK: True where a candidate is no negative of a row; of :func:`not_negatives`.
    """
    return simcse(anchor_BD, positive_BD, temperature=1.0 / scale, excluded_BK=excluded_BK)


def triplet(
    anchor_BD: Tensor, positive_BD: Tensor, negative_BD: Tensor, *, margin: float = 1.0
) -> Tensor:
    """max(0, ‖a - p‖ - ‖a - n‖ + margin), mean over rows (Reimers and Gurevych 2019, section 3).

    Args:
        anchor_BD: Vectors of the anchors.
        positive_BD: Vectors of texts that mean the same.
        negative_BD: Vectors of texts that do not.
        margin: By how much nearer the positive must be; theirs is 1.
    """
    near_B = torch.linalg.vector_norm(anchor_BD - positive_BD, dim=-1)
    far_B = torch.linalg.vector_norm(anchor_BD - negative_BD, dim=-1)
    return relu(near_B - far_B + margin).mean()


def hardest_triplet(
    anchor_BD: Tensor, positive_BD: Tensor, *, excluded_BK: Tensor, margin: float = 1.0
) -> Tensor:
    """:func:`triplet` with the nearest of the others' positives (Hermans et al. 2017, batch hard).

    Args:
        anchor_BD: Vectors of the anchors.
        positive_BD: Vectors of texts that mean the same.
        excluded_BK: True where a positive is no negative of a row, of :func:`not_negatives`; a row
            that has no negative left does not count.
        margin: By how much nearer the row's own positive must be.
    """
    itself_BB = torch.eye(len(anchor_BD), dtype=torch.bool, device=anchor_BD.device)
    distance_BB = torch.cdist(anchor_BD.detach(), positive_BD.detach())
    distance_B, nearest_B = distance_BB.masked_fill(excluded_BK | itself_BB, torch.inf).min(dim=1)
    rows = distance_B.isfinite()
    if not rows.any():
        return anchor_BD.sum() * 0.0
    negative_BD = positive_BD[nearest_B[rows]]
    return triplet(anchor_BD[rows], positive_BD[rows], negative_BD, margin=margin)


def class_cosine(vectors_BD: Tensor, classes_B: Tensor) -> Tensor:
    """Mean of (1 - cos)² over pairs of one class, and of cos² over pairs of two; half of each.

    The target of SetFit (Tunstall et al. 2022, section 3.1), which draws as many pairs of one kind
    as of the other; here all pairs of a batch take part. A kind that it lacks counts nothing.

    Args:
        vectors_BD: Vectors of two or more texts.
        classes_B: Their classes.
    """
    unit_BD = normalize(vectors_BD, dim=-1)
    cosine_BB = unit_BD @ unit_BD.mT
    other_BB = ~torch.eye(len(classes_B), dtype=torch.bool, device=classes_B.device)
    same_BB = classes_B[:, None] == classes_B[None, :]
    kinds = ((1.0 - cosine_BB)[same_BB & other_BB], cosine_BB[~same_BB])
    return 0.5 * torch.stack([kind.square().mean() for kind in kinds if len(kind)]).sum()


def text_ids(*columns: Sequence[str]) -> list[Tensor]:
    """Number texts across all columns, equal ones alike: a (B,) tensor for each column.

    Example:
        >>> text_ids(["a", "b"], ["b", "c"])
        [tensor([0, 1]), tensor([1, 2])]
    """
    numbers: dict[str, int] = {}
    return [
        torch.tensor([numbers.setdefault(text, len(numbers)) for text in column])
        for column in columns
    ]


def not_negatives(
    anchor_ids_B: Tensor, positive_ids_B: Tensor, negative_ids_B: Tensor | None = None
) -> Tensor:
    """Mark the candidates that must not repel a row's anchor, for they are known to mean the same.

    Two rows with a text in common are paraphrases throughout: neither's positive is a negative of
    the other. A hard negative is none where it is one of the row's own two texts.

    Args:
        anchor_ids_B: Text id of each anchor, of :func:`text_ids`.
        positive_ids_B: Text id of each positive; the anchors' own for unsupervised SimCSE.
        negative_ids_B: Text id of each hard negative.

    Returns:
        A mask with shape (B, K), False at each row's own positive.
    """
    own_B2 = torch.stack([anchor_ids_B, positive_ids_B], dim=-1)
    excluded_BB = (own_B2[:, None, :, None] == own_B2[None, :, None, :]).any(-1).any(-1)
    excluded_BB = excluded_BB.fill_diagonal_(False)
    if negative_ids_B is None:
        return excluded_BB
    repeated_BB = (own_B2[:, None, :] == negative_ids_B[None, :, None]).any(-1)
    return torch.cat([excluded_BB, repeated_BB], dim=1)


def positive_class(task: Task) -> int:
    """Return which class of a task says that two texts mean the same, by the classes' names.

    Two classes where one negates the other; case, blanks, hyphens and underscores do not count.

    ===================================================  =========================
    one class                                            the other, which says so
    ===================================================  =========================
    0, 0.0, no, n, false, f                              1, 1.0, yes, y, true, t
    not X, non-X, no X, unX                              X
    different, dissimilar, unrelated, unique, negative   any other name
    ===================================================  =========================

    Raises:
        InputError: Neither class negates the other, both do, or there are not two.

    Example:
        >>> from mtl.text.tasks import Task
        >>> classes = ("duplicate", "not_duplicate")
        >>> positive_class(Task(name="questions", arity=2, output="classes", classes=classes))
        0
    """
    names = [re.sub(r"[\s_-]+", "", name.casefold()) for name in task.classes]
    pairs = [(names[0], names[1]), (names[1], names[0])] if len(names) == 2 else []
    negative = [
        _OPPOSITES.get(one) == other
        or one in _DIFFERENT
        or one in [negation + other for negation in _NEGATIONS]
        for one, other in pairs
    ]
    if negative.count(True) != 1:
        raise InputError(
            f"task {task.name!r}: its classes are {', '.join(task.classes)}, and which of them "
            "says that two texts mean the same is unknown; label the pairs 0 and 1, or no and yes"
        )
    return negative.index(False)


def positive_pairs(task: Task, labels_B: Tensor, scores_B: Tensor | None) -> Tensor:
    """Mark the pairs that mean the same: the positive class, or a score in the upper fifth.

    That is 4 of 5 and above: in STS-B, "equivalent but for unimportant details".

    Args:
        task: A task of pairs.
        labels_B: Class indices, -1 unlabeled.
        scores_B: Scores, NaN unlabeled; None where the task has classes.

    Raises:
        InputError: As :func:`positive_class`.
    """
    if scores_B is not None:
        return scores_B >= task.low + 0.8 * (task.high - task.low)
    return labels_B == positive_class(task)


def positive_rows(corpus: Corpus) -> NDArray[np.int64]:
    """Return the positions of a corpus's :func:`positive_pairs`.

    Raises:
        InputError: As there.
    """
    scores = None if corpus.scores is None else torch.from_numpy(corpus.scores)
    found = positive_pairs(corpus.task, torch.from_numpy(corpus.labels), scores)
    return np.flatnonzero(found.numpy())


def can_contrast(pairs: Corpus) -> bool:
    """Say whether positive pairs have a negative among one another, of :func:`not_negatives`.

    They have none where one text is in all of them, as in a single pair and its copies.
    """
    texts = [{*pair} for pair in zip(pairs.texts, pairs.pairs or (), strict=True)]
    return bool(texts) and not set.intersection(*texts)
