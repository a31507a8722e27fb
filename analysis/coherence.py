"""What generated embeddings mean: the classes and the words of the real sentences around them.

Source: class-based TF-IDF, Grootendorst 2022, arXiv 2203.05794, section 3.3. Deviation: what the
word weighs in the other groups is taken off, so that words that are common everywhere, in whatever
language, fall out without a list of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix

from analysis.distances import as_label_pair, as_labels, as_sample_pair
from analysis.neighbors import nearest_real
from analysis.statistics import accuracy_interval

AGREEMENT_NEIGHBORS = 10
OVERALL = "overall"


def label_agreement(
    fake: ArrayLike,
    fake_labels: ArrayLike,
    real: ArrayLike,
    real_labels: ArrayLike,
    *,
    k: int = AGREEMENT_NEIGHBORS,
) -> pd.DataFrame:
    """Say how many of a fake's nearest real rows carry the class that it was asked for.

    Args:
        fake: shape (M, D).
        fake_labels: the classes asked for, (M,).
        real: real rows, best ones that the generator never saw, shape (N, D).
        real_labels: their classes, (N,).
        k: nearest rows looked at, 1 to N − 1.

    Returns:
        A row a class and one "overall", columns ``class``; ``fakes``; ``agreement``, the mean share
        of the k nearest real rows that are of the class, with ``low`` and ``high`` (95 %, Wilson's
        as if each fake had one vote, which is rather too wide); ``floor``, ``floor_low``,
        ``floor_high``, the same of real rows among the other real ones; ``chance``, the share of
        real rows that are of the class. NaN where there is no fake or real row.

    Raises:
        ValueError: an array is not a finite matrix, the widths differ, a label is missing, or k
            does not fit.

    Example:
        >>> real, labels = [[0.0], [1.0], [9.0], [10.0]], ["low", "low", "high", "high"]
        >>> label_agreement([[0.5], [9.5]], ["low", "low"], real, labels, k=1)["agreement"].tolist()
        [nan, 0.5, 0.5]
    """
    fake_MD, real_ND = as_sample_pair(fake, real, names=("fake", "real"), minimum=1)
    real_N, fake_M = as_label_pair(real_labels, fake_labels, (len(real_ND), len(fake_MD)))
    if not 1 <= k < len(real_ND):
        raise ValueError(
            f"k: found {k} with real of shape {real_ND.shape}; want 1 to {len(real_ND) - 1}"
        )
    around = real_N[nearest_real(fake_MD, real_ND, k=k)[0]]
    shares = (around == fake_M[:, None]).mean(axis=1)
    floors = (real_N[_other_neighbors(real_ND, k)] == real_N[:, None]).mean(axis=1)
    rows = []
    for label in (*np.union1d(fake_M, real_N), None):
        asked = np.full(len(fake_M), True) if label is None else fake_M == label
        true = np.full(len(real_N), True) if label is None else real_N == label
        chance = [float((real_N == own).mean()) for own in fake_M[asked]]
        row: dict[str, Any] = {"class": OVERALL if label is None else label.item()}
        row |= {"fakes": int(asked.sum())} | _mean_share(shares[asked], "agreement", "")
        row |= _mean_share(floors[true], "floor", "floor_")
        rows.append(row | {"chance": float(np.mean(chance)) if chance else float("nan")})
    return pd.DataFrame(rows)


def _other_neighbors(real: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Return the k nearest other rows of each row, (N, k); of equal rows it is not itself."""
    nearest = nearest_real(real, real, k=k + 1)[0]
    own = np.arange(len(real))[:, None]
    # Among more than k equal rows a row may be missing from its own list: then the last one goes.
    itself = nearest == own
    itself[~itself.any(axis=1), -1] = True
    return nearest[~itself].reshape(len(real), k)


def _mean_share(shares: NDArray[np.float64], name: str, prefix: str) -> dict[str, float]:
    """Average shares with an interval; NaN where there are none."""
    if not len(shares):
        return dict.fromkeys((name, f"{prefix}low", f"{prefix}high"), float("nan"))
    interval = accuracy_interval(round(float(shares.sum())), len(shares))
    found = {name: float(shares.mean())}
    return found | {f"{prefix}low": interval.low, f"{prefix}high": interval.high}


def topic_words(
    texts: Sequence[str], neighbors: ArrayLike, fake_labels: ArrayLike, *, words: int = 8
) -> pd.DataFrame:
    """Find the words of the real sentences around a class's fakes that set it apart from the rest.

    A sentence counts once for every class whose fakes it is near to. A word weighs
    (tf − tf in the sentences of the other classes) · log(1 + A / f), with tf its share of the
    words, f how often it occurs in all classes and A the mean number of words of a class.

    Args:
        texts: the real sentences, N.
        neighbors: indices of each fake's nearest ones, (M, k), as :func:`analysis.nearest_real`
            gives them.
        fake_labels: the classes asked for, (M,).
        words: most words of a class.

    Returns:
        Columns ``class``, ``word``, ``weight`` (above 0, heaviest first) and ``sentences``, how
        many around the class hold the word. Empty where no word sets a class apart.

    Raises:
        ValueError: ``neighbors`` are not indices of sentences, or a label is missing.

    Example:
        >>> texts = ["a dull film", "a fine film"]
        >>> topic_words(texts, [[0], [1]], ["bad", "good"])["word"].tolist()
        ['dull', 'fine']
    """
    nearest = np.asarray(neighbors)
    if nearest.ndim != 2 or nearest.dtype.kind not in "iu":
        raise ValueError(
            f"neighbors: found {nearest.dtype} of shape {nearest.shape}; want indices, (fakes, k)"
        )
    if nearest.size and not 0 <= nearest.min() <= nearest.max() < len(texts):
        raise ValueError(
            f"neighbors: found indices {nearest.min()} to {nearest.max()}; want 0 to "
            f"{len(texts) - 1}, one of the texts"
        )
    labels = as_labels(fake_labels, len(nearest), "fake_labels")
    classes = np.unique(labels)
    near = [np.unique(nearest[labels == label]) for label in classes]
    columns = ["class", "word", "weight", "sentences"]
    counts, vocabulary = _counts(texts)
    if not len(vocabulary) or not len(classes):
        return pd.DataFrame(columns=columns)
    weights = _class_weights(np.stack([np.asarray(counts[own].sum(axis=0))[0] for own in near]))
    rows = []
    for label, own, weight in zip(classes, near, weights, strict=True):
        best = np.lexsort((vocabulary, -weight))[:words]
        holding = np.asarray((counts[own] > 0).sum(axis=0))[0]
        rows += [
            (label.item(), str(vocabulary[word]), float(weight[word]), int(holding[word]))
            for word in best
            if weight[word] > 0.0
        ]
    return pd.DataFrame(rows, columns=columns)


def _counts(texts: Sequence[str]) -> tuple[csr_matrix, NDArray[np.str_]]:
    """Count words of two letters or more, (N, words), and name them; none where there is none."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(token_pattern=r"(?u)\b[^\W\d_][\w'\u2019-]*\w\b")
    try:
        counts = vectorizer.fit_transform(texts)
    except ValueError:  # not one word in all texts
        return csr_matrix((len(texts), 0)), np.array([], dtype=np.str_)
    return counts.tocsr(), vectorizer.get_feature_names_out().astype(np.str_)


def _class_weights(counts_CW: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weight of each word in each class, (C, W), from how often it occurs there."""
    lengths = counts_CW.sum(axis=1, keepdims=True)
    total = counts_CW.sum(axis=0)
    rest = total - counts_CW
    share = counts_CW / np.maximum(lengths, 1)
    elsewhere = rest / np.maximum(lengths.sum() - lengths, 1)
    rarity = np.log1p(lengths.mean() / np.maximum(total, 1))
    return np.asarray((share - elsewhere) * rarity)
