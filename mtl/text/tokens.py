"""A corpus as token ids: tokenized once, put together into batches as training asks for them.

A pair can be read in three ways: ``joined`` (each text alone), ``cross`` (both in one row, told
apart by token types) or ``triplet`` (both alone, and the row of both). Batches are padded to their
own longest row, and neighbors in length share a batch, so that little of a batch is padding.
Shapes: B batch, L tokens.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from mtl.text.collate import TokenBatch, pad
from mtl.text.data import Corpus

Encoded = dict[str, list[list[int]]]
"""What a tokenizer returns: by name, a list a row."""
PairInput = Literal["joined", "cross", "triplet"]
Shown = Callable[[int], NDArray[np.int64]]
"""Takes the number of a text's tokens; returns which of them a batch shows."""
BUCKET_BATCHES = 16
"""Batches whose rows are sorted by length together; more pad less and mix less."""


class TaskBatch(NamedTuple):
    """Some rows of one task."""

    singles: TokenBatch | None
    """(B, L) texts, or (2B, L) first then second ones of pairs; None: pairs are only crossed."""
    joint: TokenBatch | None
    """(B, L) rows of both texts; None: they are not asked for."""
    labels_B: Tensor
    """Class indices, -1 unlabelled."""
    scores_B: Tensor | None
    """float32, NaN unlabelled; None unless the task is a score."""


def window(tokens: int, stream: np.random.Generator, *, size: int) -> NDArray[np.int64]:
    """Draw a window of a longer text: learning sees all of it in time, at the cost of a short one.

    Args:
        tokens: Of the text, with the first and the last one, which tokenizers of BERT's kin add.
        stream: Decides where the window begins.
        size: Tokens of the window: those two, and a run of the others.

    Returns:
        Which tokens it shows; all of a text that fits.
    """
    if tokens <= size:
        return np.arange(tokens)
    start = stream.integers(1, tokens - size + 2)
    return np.concatenate([[0], np.arange(start, start + size - 2), [tokens - 1]])


class TokenizedCorpus:
    """The tokens of a corpus, and batches of any of its rows.

    Args:
        corpus: N rows.
        tokenizer: Of the encoder that will read them.
        pair_input: How pairs are read; a task of single texts does not ask.
        max_length: Tokens a row, special ones included; what is beyond is cut off.
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: PreTrainedTokenizerBase,
        *,
        pair_input: PairInput,
        max_length: int,
    ) -> None:
        self.corpus, self.tokenizer, self.max_length = corpus, tokenizer, max_length
        self._sides: list[Encoded] = []
        self._joint: Encoded | None = None
        if corpus.pairs is None or pair_input != "cross":
            self._sides.append(self._tokenize(corpus.texts))
            if corpus.pairs is not None:
                self._sides.append(self._tokenize(corpus.pairs))
        if corpus.pairs is not None and pair_input != "joined":
            self._joint = self._tokenize(corpus.texts, corpus.pairs)
        encoded = [*self._sides, *([self._joint] if self._joint else [])]
        self.lengths: NDArray[np.int64] = np.max(
            [[len(ids) for ids in part["input_ids"]] for part in encoded], axis=0
        )
        """(N,) tokens of the longest sequence of each row."""

    def __len__(self) -> int:
        return len(self.corpus)

    def batch(self, rows: NDArray[np.int64], shown: Shown | None = None) -> TaskBatch:
        """Put rows together, in the order given.

        Args:
            rows: (B,) which.
            shown: Of texts that are read alone; None: all tokens.
        """
        singles = joint = None
        if self._sides:
            singles = self._pad(self._sides, rows, shown)
        if self._joint is not None:
            joint = self._pad([self._joint], rows)
        scores = self.corpus.scores
        return TaskBatch(
            singles,
            joint,
            torch.from_numpy(self.corpus.labels[rows]),
            None if scores is None else torch.from_numpy(scores[rows]).float(),
        )

    def _pad(
        self, sides: Sequence[Encoded], rows: NDArray[np.int64], shown: Shown | None = None
    ) -> TokenBatch:
        features = {key: [side[key][row] for side in sides for row in rows] for key in sides[0]}
        if shown is not None:
            places = [shown(len(ids)) for ids in features["input_ids"]]
            for key, whole in features.items():
                features[key] = [
                    [v[p] for p in kept] for v, kept in zip(whole, places, strict=True)
                ]
        return pad(self.tokenizer, features, np.tile(rows, len(sides)))

    def _tokenize(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Encoded:
        encoded = self.tokenizer(
            list(texts),
            None if pairs is None else list(pairs),
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=True,
        )
        return dict(encoded.items())


class Rows(Protocol):
    """Row indices of the k-th batch of a task, a function of k alone."""

    @property
    def batches_per_epoch(self) -> int:
        """Batches of one pass over the rows."""
        ...

    def batch(self, index: int) -> NDArray[np.int64]:
        """Return the rows of a batch."""
        ...


class BucketedRows:
    """Deal the rows of consecutive batches out anew, so that a batch holds rows of like length.

    Buckets end where a pass over the rows ends, so that a pass still shows every row.

    Args:
        plain: Batches of equal size.
        lengths: (N,) tokens of each row.
        seed: Decides the order of the batches of a bucket.
    """

    def __init__(self, plain: Rows, lengths: NDArray[np.int64], *, seed: int) -> None:
        self.plain, self.lengths, self.seed = plain, lengths, seed
        self._kept: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def batch(self, index: int) -> NDArray[np.int64]:
        """Return the rows of the batch ``index``."""
        place = index % self.plain.batches_per_epoch % BUCKET_BATCHES
        first = index - place
        if self._kept[0] != first:
            self._kept = (first, self._deal(first))
        return self._kept[1][place]

    def _deal(self, first: int) -> list[NDArray[np.int64]]:
        left = self.plain.batches_per_epoch - first % self.plain.batches_per_epoch
        batches = [self.plain.batch(first + k) for k in range(min(BUCKET_BATCHES, left))]
        together = np.concatenate(batches)
        by_length = together[np.argsort(self.lengths[together], kind="stable")]
        order = np.random.default_rng((self.seed, first)).permutation(len(batches))
        dealt = np.split(by_length, len(batches))
        return [dealt[place] for place in order]
