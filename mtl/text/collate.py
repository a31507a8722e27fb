"""Texts -> token batches: tokenised in windows, sorted by length, padded under a token budget.

A window is all that is held in memory, so memory is flat in the number of texts; sorting inside
it keeps padding low. The tokenizer pads, and thereby gives its own mask and token types.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

WINDOW_TEXTS = 8192
# Tokenizers keep what truncation cuts off until the window is done, so long texts end one sooner.
WINDOW_CHARACTERS = 2_000_000
BLOCKS = 4
"""Into how many blocks of like length a batch is cut."""
BLOCK_ROWS = 16
"""Fewest rows of such a block: smaller matrices are slower than their padding."""
WORTHWHILE = 0.8
"""The share of its tokens, padding included, that a batch may keep at most for being cut."""


class TokenBatch(NamedTuple):
    """Rows padded to the longest among them.

    Args:
        input_ids_BL: (B, L) int64 token ids.
        attention_mask_BL: (B, L) int64, 1 on tokens and 0 on padding.
        token_type_ids_BL: (B, L) int64, 1 on the second sentence; None where the tokenizer
            has no such ids.
        rows: (B,) int64 positions of the rows in the texts given.
    """

    input_ids_BL: torch.Tensor
    attention_mask_BL: torch.Tensor
    token_type_ids_BL: torch.Tensor | None
    rows: NDArray[np.int64]


def token_batches(
    texts: Sequence[str],
    pairs: Sequence[str] | None,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    token_budget: int,
) -> Iterator[TokenBatch]:
    """Tokenise texts, longest first within each window, in batches of bounded padded size.

    Args:
        texts: (N,) sentences, or the first ones of pairs.
        pairs: (N,) second sentences, joined to the first by the tokenizer; or None.
        tokenizer: Of the encoder that will read the batches.
        max_length: Tokens a row, special ones included; what is beyond is cut off.
        token_budget: Padded tokens a batch, B × L; a single longer row makes a batch of its own.

    Yields:
        Batches that together hold every row once.

    Raises:
        ValueError: A size is not positive, or the pairs are not as many as the texts.
    """
    if max_length < 1 or token_budget < 1:
        raise ValueError(f"max_length {max_length} and token_budget {token_budget} must be >= 1")
    if pairs is not None and len(pairs) != len(texts):
        raise ValueError(f"{len(texts)} texts, but {len(pairs)} second sentences")
    for start, stop in _windows(texts, pairs):
        encoded = tokenizer(
            list(texts[start:stop]),
            None if pairs is None else list(pairs[start:stop]),
            truncation=True,
            max_length=max_length,
            return_attention_mask=True,
        )
        lengths = np.array([len(ids) for ids in encoded["input_ids"]], dtype=np.int64)
        for chosen in _batches(lengths, token_budget):
            yield pad(
                tokenizer, {k: [v[i] for i in chosen] for k, v in encoded.items()}, chosen + start
            )


def _windows(texts: Sequence[str], pairs: Sequence[str] | None) -> Iterator[tuple[int, int]]:
    """Cut the rows into runs of at most so many texts and, but for one text, characters."""
    start = characters = 0
    for row, text in enumerate(texts):
        length = len(text) + (len(pairs[row]) if pairs is not None else 0)
        full = row - start >= WINDOW_TEXTS or characters + length > WINDOW_CHARACTERS
        if row > start and full:
            yield start, row
            start, characters = row, 0
        characters += length
    if start < len(texts):
        yield start, len(texts)


def _batches(lengths: NDArray[np.int64], token_budget: int) -> Iterator[NDArray[np.int64]]:
    """Cut the rows, longest first, into runs whose padded size stays in the budget."""
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        longest = max(int(lengths[order[start]]), 1)
        stop = start + max(1, token_budget // longest)
        yield order[start:stop]
        start = stop


def pad(
    tokenizer: PreTrainedTokenizerBase,
    features: dict[str, list[list[int]]],
    rows: NDArray[np.int64],
) -> TokenBatch:
    """Pad encoded rows to the longest among them.

    Args:
        tokenizer: That encoded them.
        features: By name, a list for each of B rows.
        rows: (B,) positions that the batch remembers.
    """
    padded = tokenizer.pad(features, padding=True, return_tensors="pt")
    return TokenBatch(
        input_ids_BL=padded["input_ids"],
        attention_mask_BL=padded["attention_mask"],
        token_type_ids_BL=padded.get("token_type_ids"),
        rows=rows,
    )


def blocks_of_like_length(batch: TokenBatch) -> list[tuple[torch.Tensor, TokenBatch]]:
    """Cut a batch into blocks of rows of like length, each without the columns it does not need.

    Args:
        batch: B rows that lie on the CPU.

    Returns:
        Each block's places (b,) in the batch, and its rows. The batch is in one block where it is
        small, or where little of it is padding. Padding on the left stays: positions are counted
        from there.
    """
    mask_BL = batch.attention_mask_BL
    whole = [(torch.arange(len(mask_BL)), batch)]
    order_B = mask_BL.sum(dim=1).argsort(stable=True)
    count = min(BLOCKS, len(mask_BL) // BLOCK_ROWS)
    if count < 2:
        return whole
    blocks = [(places, _trimmed(batch, places)) for places in order_B.tensor_split(count)]
    kept = sum(block.input_ids_BL.numel() for _, block in blocks)
    return blocks if kept < WORTHWHILE * mask_BL.numel() else whole


def _trimmed(batch: TokenBatch, places: torch.Tensor) -> TokenBatch:
    """Take some rows of a batch, up to the last column in which one of them has a token."""
    used = batch.attention_mask_BL[places].any(dim=0).nonzero().flatten().tolist() or [0]
    columns = slice(0, used[-1] + 1)
    types_BL = batch.token_type_ids_BL
    return TokenBatch(
        input_ids_BL=batch.input_ids_BL[places, columns],
        attention_mask_BL=batch.attention_mask_BL[places, columns],
        token_type_ids_BL=None if types_BL is None else types_BL[places, columns],
        rows=batch.rows[places.numpy()],
    )
