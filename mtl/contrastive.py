"""Contrastive losses over vectors of texts, and the rows of a corpus that they learn from.

Sources: Gao et al. 2021 (SimCSE), Henderson et al. 2017 (multiple negatives ranking), Reimers and
Gurevych 2019 (triplets). The formulas that the papers of this project print are garbled (He and
Zhao sum the positive pairs of all rows below the line); these are the originals'.
Shapes: ``B`` rows, ``D`` embedding, ``K`` candidates: B, or 2 B with hard negatives.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, relu


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


def paraphrase_rows(labels: NDArray[np.int64], *, positive: int = 1) -> NDArray[np.int64]:
    """Return the positions of the pairs that are paraphrases.

    Args:
        labels: (N,) class indices, -1 unlabeled.
        positive: The class that means so.
    """
    return np.flatnonzero(labels == positive)


def similar_rows(scores: NDArray[np.float64], *, threshold: float = 4.0) -> NDArray[np.int64]:
    """Return the positions of the pairs that are similar enough to be positive.

    Args:
        scores: (N,) similarity scores, NaN unlabeled.
        threshold: Least score; 4 of 5 is "equivalent but for unimportant details" in STS-B.
    """
    return np.flatnonzero(scores >= threshold)
